"""CreateAlias, UpdateAlias, DeleteAlias, ListAliases."""

from kms_server.schemas.base import RequestSchema, ResponseSchema, Shape
from kms_server.schemas.common import alias_name, key_id, limit, marker
from kms_server.schemas.fields import Boolean, ListOf, Structure, Text, Timestamp


class CreateAliasRequest(RequestSchema):
    """Input of CreateAlias."""

    AliasName = alias_name()
    TargetKeyId = key_id()


class UpdateAliasRequest(CreateAliasRequest):
    """Input of UpdateAlias."""


class DeleteAliasRequest(RequestSchema):
    """Input of DeleteAlias."""

    AliasName = alias_name()


class ListAliasesRequest(RequestSchema):
    """Input of ListAliases."""

    KeyId = key_id(required=False)
    Limit = limit()
    Marker = marker()


class AliasListEntry(Shape):
    """One alias of a list."""

    AliasName = Text(1, 256, r"^[a-zA-Z0-9:/_-]+$")
    AliasArn = Text(20, 2048)
    TargetKeyId = key_id(required=False)
    CreationDate = Timestamp()
    LastUpdatedDate = Timestamp()


class ListAliasesResponse(ResponseSchema):
    """Output of ListAliases."""

    Aliases = ListOf(Structure(AliasListEntry))
    NextMarker = marker()
    Truncated = Boolean()
