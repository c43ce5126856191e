"""Trails of CloudTrail (2013-11-01): what they are, where they deliver to, how they do, their tags, and public keys.

Most members have errors of CloudTrail's own, so the operations check them.
"""

from kms_server.schemas.base import RequestSchema, ResponseSchema, Shape
from kms_server.schemas.fields import Blob, Boolean, ListOf, Structure, Text, Timestamp

_MOST_TAGS = 200
_MOST_KEY_BYTES = 4096


class Tag(Shape):
    """A tag of a trail."""

    Key = Text(1, 128, required=True)
    Value = Text(1, 256)


def _tags(*, required: bool = False) -> ListOf:
    return ListOf(Structure(Tag), 0, _MOST_TAGS, required=required)


class CreateTrailRequest(RequestSchema):
    """Input of CreateTrail."""

    Name = Text(required=True)
    S3BucketName = Text(required=True)
    S3KeyPrefix = Text()
    SnsTopicName = Text()
    IncludeGlobalServiceEvents = Boolean()
    IsMultiRegionTrail = Boolean()
    EnableLogFileValidation = Boolean()
    CloudWatchLogsLogGroupArn = Text()
    CloudWatchLogsRoleArn = Text()
    KmsKeyId = Text()
    IsOrganizationTrail = Boolean()
    TagsList = _tags()
    RecursiveLogging = Boolean()


class UpdateTrailRequest(RequestSchema):
    """Input of UpdateTrail."""

    Name = Text(required=True)
    S3BucketName = Text()
    S3KeyPrefix = Text()
    SnsTopicName = Text()
    IncludeGlobalServiceEvents = Boolean()
    IsMultiRegionTrail = Boolean()
    EnableLogFileValidation = Boolean()
    CloudWatchLogsLogGroupArn = Text()
    CloudWatchLogsRoleArn = Text()
    KmsKeyId = Text()
    IsOrganizationTrail = Boolean()
    RecursiveLogging = Boolean()


class CreateTrailResponse(ResponseSchema):
    """Output of CreateTrail."""

    Name = Text()
    S3BucketName = Text()
    S3KeyPrefix = Text()
    SnsTopicName = Text()
    SnsTopicARN = Text()
    IncludeGlobalServiceEvents = Boolean()
    IsMultiRegionTrail = Boolean()
    TrailARN = Text()
    LogFileValidationEnabled = Boolean()
    CloudWatchLogsLogGroupArn = Text()
    CloudWatchLogsRoleArn = Text()
    KmsKeyId = Text()
    IsOrganizationTrail = Boolean()
    RecursiveLogging = Boolean()


class UpdateTrailResponse(CreateTrailResponse):
    """Output of UpdateTrail."""


class Trail(CreateTrailResponse):
    """A trail."""

    HomeRegion = Text()
    HasCustomEventSelectors = Boolean()
    HasInsightSelectors = Boolean()


class NameRequest(RequestSchema):
    """Input of GetTrail, GetTrailStatus, DeleteTrail, StartLogging and StopLogging."""

    Name = Text(required=True)


class EmptyResponse(ResponseSchema):
    """Output of what answers an empty structure."""


class DescribeTrailsRequest(RequestSchema):
    """Input of DescribeTrails."""

    trailNameList = ListOf(Text())  # noqa: N815 - as CloudTrail calls it
    includeShadowTrails = Boolean()  # noqa: N815 - as CloudTrail calls it


class DescribeTrailsResponse(ResponseSchema):
    """Output of DescribeTrails."""

    trailList = ListOf(Structure(Trail))  # noqa: N815 - as CloudTrail calls it


class GetTrailResponse(ResponseSchema):
    """Output of GetTrail."""

    Trail = Structure(Trail)


class ListTrailsRequest(RequestSchema):
    """Input of ListTrails."""

    NextToken = Text()


class TrailInfo(Shape):
    """A trail in a list."""

    TrailARN = Text()
    Name = Text()
    HomeRegion = Text()


class ListTrailsResponse(ResponseSchema):
    """Output of ListTrails."""

    Trails = ListOf(Structure(TrailInfo))
    NextToken = Text()


class GetTrailStatusResponse(ResponseSchema):
    """Output of GetTrailStatus."""

    IsLogging = Boolean()
    LatestDeliveryError = Text()
    LatestNotificationError = Text()
    LatestDeliveryTime = Timestamp()
    LatestNotificationTime = Timestamp()
    StartLoggingTime = Timestamp()
    StopLoggingTime = Timestamp()
    LatestCloudWatchLogsDeliveryError = Text()
    LatestCloudWatchLogsDeliveryTime = Timestamp()
    LatestDigestDeliveryTime = Timestamp()
    LatestDigestDeliveryError = Text()
    LatestDeliveryAttemptTime = Text()
    LatestNotificationAttemptTime = Text()
    LatestNotificationAttemptSucceeded = Text()
    LatestDeliveryAttemptSucceeded = Text()
    TimeLoggingStarted = Text()
    TimeLoggingStopped = Text()


class ListPublicKeysRequest(RequestSchema):
    """Input of ListPublicKeys."""

    StartTime = Timestamp()
    EndTime = Timestamp()
    NextToken = Text()


class PublicKey(Shape):
    """A public key that verifies digests."""

    Value = Blob(0, _MOST_KEY_BYTES)
    ValidityStartTime = Timestamp()
    ValidityEndTime = Timestamp()
    Fingerprint = Text()


class ListPublicKeysResponse(ResponseSchema):
    """Output of ListPublicKeys."""

    PublicKeyList = ListOf(Structure(PublicKey))
    NextToken = Text()


class TagsRequest(RequestSchema):
    """Input of AddTags and RemoveTags."""

    ResourceId = Text(required=True)
    TagsList = _tags(required=True)


class ListTagsRequest(RequestSchema):
    """Input of ListTags."""

    ResourceIdList = ListOf(Text(), required=True)
    NextToken = Text()


class ResourceTag(Shape):
    """The tags of one resource."""

    ResourceId = Text()
    TagsList = _tags()


class ListTagsResponse(ResponseSchema):
    """Output of ListTags."""

    ResourceTagList = ListOf(Structure(ResourceTag))
    NextToken = Text()
