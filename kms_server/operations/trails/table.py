"""Every operation on trails."""

from kms_server import errors as e
from kms_server.operations.call import Operation, Plane
from kms_server.operations.condition_keys import request_tags
from kms_server.operations.connected import connected
from kms_server.operations.trails import describing, event_selectors, public_keys, settings, switching, tags
from kms_server.operations.trails.common import CHANGED, CONDITIONS, NAMED
from kms_server.schemas import event_selectors as selector_schemas
from kms_server.schemas import trails as schemas

_SERVICE = "cloudtrail"
_TAGGING = {**CONDITIONS, **request_tags("Key", "Value", member="TagsList")}
_SETTINGS = (
    "Name", "S3BucketName", "S3KeyPrefix", "SnsTopicName", "IncludeGlobalServiceEvents", "IsMultiRegionTrail",
    "EnableLogFileValidation", "CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn", "KmsKeyId", "IsOrganizationTrail",
    "RecursiveLogging",
)  # fmt: skip
_SHOWN = (
    "Name", "S3BucketName", "S3KeyPrefix", "IncludeGlobalServiceEvents", "IsMultiRegionTrail", "TrailARN",
    "LogFileValidationEnabled", "KmsKeyId", "IsOrganizationTrail",
)  # fmt: skip
_DELIVERY = (
    e.CloudWatchLogsDeliveryUnavailableException, e.InsufficientEncryptionPolicyException,
    e.InsufficientS3BucketPolicyException, e.InvalidKmsKeyIdException, e.InvalidParameterCombinationException,
    e.InvalidS3BucketNameException, e.InvalidS3PrefixException, e.KmsException, e.KmsKeyNotFoundException,
    e.OrganizationsNotInUseException, e.S3BucketDoesNotExistException, e.UnsupportedOperationException,
)  # fmt: skip
_TAGS = (
    e.CloudTrailARNInvalidException, e.ResourceNotFoundException, e.ResourceTypeNotSupportedException,
)  # fmt: skip

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "CreateTrail", connected(settings.create_trail), schemas.CreateTrailRequest, schemas.CreateTrailResponse, Plane.WRITE,
        "Creates a trail, which does not log yet.", logged=(*_SETTINGS, "TagsList"), answers=_SHOWN, service=_SERVICE,
        prepare=settings.prepare_create, conditions=_TAGGING,
        errors=(*_DELIVERY, e.InvalidTagParameterException, e.InvalidTrailNameException,
                e.MaximumNumberOfTrailsExceededException, e.TagsLimitExceededException, e.TrailAlreadyExistsException),
    ),
    Operation(
        "UpdateTrail", connected(settings.update_trail), schemas.UpdateTrailRequest, schemas.UpdateTrailResponse, Plane.WRITE,
        "Changes settings of a trail.", logged=_SETTINGS, answers=_SHOWN, service=_SERVICE,
        prepare=settings.prepare_update, conditions=CONDITIONS, errors=(*CHANGED, *_DELIVERY),
    ),
    Operation(
        "DeleteTrail", connected(settings.delete_trail), schemas.NameRequest, schemas.EmptyResponse, Plane.WRITE,
        "Deletes a trail; what it has recorded is still delivered.", logged=("Name",), service=_SERVICE,
        conditions=CONDITIONS, errors=CHANGED,
    ),
    Operation(
        "DescribeTrails", connected(describing.describe_trails), schemas.DescribeTrailsRequest,
        schemas.DescribeTrailsResponse, Plane.READ, "Describes the trails of a Region.",
        logged=("trailNameList", "includeShadowTrails"), service=_SERVICE,
        errors=(e.CloudTrailARNInvalidException, e.InvalidTrailNameException),
    ),
    Operation(
        "GetTrail", connected(describing.get_trail), schemas.NameRequest, schemas.GetTrailResponse, Plane.READ,
        "Describes a trail.", logged=("Name",), service=_SERVICE, conditions=CONDITIONS, errors=NAMED,
    ),
    Operation(
        "ListTrails", connected(describing.list_trails), schemas.ListTrailsRequest, schemas.ListTrailsResponse, Plane.READ,
        "Lists the trails of all Regions.", logged=("NextToken",), service=_SERVICE,
    ),
    Operation(
        "GetTrailStatus", connected(describing.get_trail_status), schemas.NameRequest, schemas.GetTrailStatusResponse,
        Plane.READ, "Tells what a trail delivered last, and when.", logged=("Name",), service=_SERVICE,
        conditions=CONDITIONS, errors=NAMED,
    ),
    Operation(
        "StartLogging", connected(switching.start_logging), schemas.NameRequest, schemas.EmptyResponse, Plane.WRITE,
        "Has a trail deliver what is recorded from now on.", logged=("Name",), service=_SERVICE, conditions=CONDITIONS,
        errors=CHANGED,
    ),
    Operation(
        "StopLogging", connected(switching.stop_logging), schemas.NameRequest, schemas.EmptyResponse, Plane.WRITE,
        "Has a trail deliver nothing that is recorded from now on.", logged=("Name",), service=_SERVICE,
        conditions=CONDITIONS, errors=CHANGED,
    ),
    Operation(
        "PutEventSelectors", connected(event_selectors.put_event_selectors), selector_schemas.PutEventSelectorsRequest,
        selector_schemas.EventSelectorsResponse, Plane.WRITE, "Chooses which events a trail delivers.",
        logged=("TrailName", "EventSelectors", "AdvancedEventSelectors"),
        answers=("TrailARN", "EventSelectors", "AdvancedEventSelectors"), service=_SERVICE, conditions=CONDITIONS,
        errors=(*CHANGED, e.InvalidEventSelectorsException),
    ),
    Operation(
        "GetEventSelectors", connected(event_selectors.get_event_selectors), selector_schemas.GetEventSelectorsRequest,
        selector_schemas.EventSelectorsResponse, Plane.READ, "Tells which events a trail delivers.", logged=("TrailName",),
        service=_SERVICE, conditions=CONDITIONS, errors=NAMED,
    ),
    Operation(
        "ListPublicKeys", public_keys.list_public_keys, schemas.ListPublicKeysRequest, schemas.ListPublicKeysResponse,
        Plane.READ, "Lists the public keys that verify digests.", logged=("StartTime", "EndTime", "NextToken"),
        service=_SERVICE, errors=(e.InvalidTimeRangeException, e.InvalidTokenException),
    ),
    Operation(
        "AddTags", connected(tags.add_tags), schemas.TagsRequest, schemas.EmptyResponse, Plane.WRITE,
        "Adds tags to a trail or replaces their values.", logged=("ResourceId", "TagsList"), service=_SERVICE,
        conditions=_TAGGING, errors=(*_TAGS, e.InvalidTagParameterException, e.TagsLimitExceededException),
    ),
    Operation(
        "RemoveTags", connected(tags.remove_tags), schemas.TagsRequest, schemas.EmptyResponse, Plane.WRITE,
        "Removes tags of a trail.", logged=("ResourceId", "TagsList"), service=_SERVICE, conditions=_TAGGING,
        errors=(*_TAGS, e.InvalidTagParameterException),
    ),
    Operation(
        "ListTags", connected(tags.list_tags), schemas.ListTagsRequest, schemas.ListTagsResponse, Plane.READ,
        "Lists the tags of trails.", logged=("ResourceIdList", "NextToken"), service=_SERVICE, conditions=CONDITIONS,
        errors=(*_TAGS, e.InvalidTokenException),
    ),
)  # fmt: skip
