"""TagResource, UntagResource, ListResourceTags."""

from kms_server.schemas.base import RequestSchema, ResponseSchema
from kms_server.schemas.common import Tag, key_id, limit, marker
from kms_server.schemas.fields import Boolean, ListOf, Structure, Text


class TagResourceRequest(RequestSchema):
    """Input of TagResource."""

    KeyId = key_id()
    Tags = ListOf(Structure(Tag), required=True)


class UntagResourceRequest(RequestSchema):
    """Input of UntagResource."""

    KeyId = key_id()
    TagKeys = ListOf(Text(1, 128), required=True)


class ListResourceTagsRequest(RequestSchema):
    """Input of ListResourceTags."""

    KeyId = key_id()
    Limit = limit()
    Marker = marker()


class ListResourceTagsResponse(ResponseSchema):
    """Output of ListResourceTags."""

    Tags = ListOf(Structure(Tag))
    NextMarker = marker()
    Truncated = Boolean()
