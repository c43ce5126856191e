"""STS (2011-06-15)."""

from kms_server.schemas.base import RequestSchema, ResponseSchema
from kms_server.schemas.fields import Text


def arn(*, required: bool = False) -> Text:
    """An ARN, in the form that IAM and STS share."""
    return Text(20, 2048, _ARN, required=required)


_ARN = "[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u0085\\u00A0-\\uD7FF\\uE000-\\uFFFD\\u10000-\\u10FFFF]+"


class GetCallerIdentityRequest(RequestSchema):
    """Input of GetCallerIdentity."""


class GetCallerIdentityResponse(ResponseSchema):
    """Output of GetCallerIdentity."""

    UserId = Text()
    Account = Text()
    Arn = arn()
