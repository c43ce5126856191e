"""GetKeyPolicy, PutKeyPolicy, ListKeyPolicies."""

from kms_server.schemas.base import RequestSchema, ResponseSchema
from kms_server.schemas.common import key_id, limit, marker
from kms_server.schemas.fields import Boolean, ListOf, Text

_NAME = r"[\w]+"
_POLICY = "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"


class GetKeyPolicyRequest(RequestSchema):
    """Input of GetKeyPolicy."""

    KeyId = key_id()
    PolicyName = Text(1, 128, _NAME)


class GetKeyPolicyResponse(ResponseSchema):
    """Output of GetKeyPolicy."""

    Policy = Text(1, 131_072, _POLICY)
    PolicyName = Text(1, 128, _NAME)


class PutKeyPolicyRequest(RequestSchema):
    """Input of PutKeyPolicy."""

    KeyId = key_id()
    PolicyName = Text(1, 128, _NAME)
    Policy = Text(1, 131_072, _POLICY, required=True)
    BypassPolicyLockoutSafetyCheck = Boolean()


class ListKeyPoliciesRequest(RequestSchema):
    """Input of ListKeyPolicies."""

    KeyId = key_id()
    Limit = limit()
    Marker = marker()


class ListKeyPoliciesResponse(ResponseSchema):
    """Output of ListKeyPolicies."""

    PolicyNames = ListOf(Text(1, 128, _NAME))
    NextMarker = marker()
    Truncated = Boolean()
