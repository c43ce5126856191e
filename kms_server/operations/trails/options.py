"""What a trail can be told to be: its bucket, its prefix, its KMS key, and what there is none of here."""

import re

from kms_server import errors as e
from kms_server.keyring.usable_key import UsableKey
from kms_server.keys import specs
from kms_server.keys.identifiers import KeyReference, parse_key_identifier
from kms_server.keys.states import KeyState
from kms_server.operations import access, named_keys
from kms_server.operations.call import Call
from kms_server.storage.trails import Trail

_LONGEST_PREFIX = 200
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"[0-9]+(\.[0-9]+){3}")
_PREFIX = re.compile(r"[^\x00-\x1f\x7f]*")


def refuse_absent(call: Call) -> None:
    """Refuse what this service has not; a text without anything in it asks for nothing.

    Raises:
        CloudWatchLogsDeliveryUnavailableException, OrganizationsNotInUseException, UnsupportedOperationException
    """
    if call.get("SnsTopicName"):
        raise e.UnsupportedOperationException("SNS topics are not supported.")
    if call.get("CloudWatchLogsLogGroupArn") or call.get("CloudWatchLogsRoleArn"):
        raise e.CloudWatchLogsDeliveryUnavailableException(
            "Cannot set a CloudWatch Logs delivery for this region."
        )
    if call.get("IsOrganizationTrail"):
        raise e.OrganizationsNotInUseException("Your account is not a member of an organization.")
    if not call.get("RecursiveLogging", default=True):
        raise e.UnsupportedOperationException("RecursiveLogging cannot be turned off.")


def check(trail: Trail) -> None:
    """Check where a trail is to deliver to, and from.

    Raises:
        InvalidS3BucketNameException, InvalidS3PrefixException, InvalidParameterCombinationException
    """
    if not _BUCKET.fullmatch(trail.bucket) or ".." in trail.bucket or _ADDRESS.fullmatch(trail.bucket):
        raise e.InvalidS3BucketNameException(f"Bucket name is invalid: {trail.bucket}")
    if len(trail.prefix) > _LONGEST_PREFIX:
        raise e.InvalidS3PrefixException(f"S3 prefix is longer than maximum length: {_LONGEST_PREFIX}")
    parts = trail.prefix.split("/") if trail.prefix else []
    # Buckets that are elsewhere have no policy: nobody may put files where another account's are.
    if not _PREFIX.fullmatch(trail.prefix) or any(part in ("", ".", "..", "AWSLogs") for part in parts):
        raise e.InvalidS3PrefixException(f"S3 prefix is invalid: {trail.prefix}")
    if trail.multi_region and not trail.global_events:
        raise e.InvalidParameterCombinationException("Multi-Region trail must include global service events.")


def key_arn(call: Call, identifier: str) -> str | None:
    """The ARN of the KMS key that an id, an ARN or an alias names; None for an empty identifier.

    Raises:
        InvalidKmsKeyIdException: it is malformed.
        KmsKeyNotFoundException: there is no such key of the account in the Region.
        KmsException: it is no symmetric key for encryption, or not enabled.
        InsufficientEncryptionPolicyException: AWS manages it for another service.
    """
    if not identifier:
        return None
    key = _find(call, _parsed(call, identifier), identifier).key
    if key.manager == "AWS":
        raise e.InsufficientEncryptionPolicyException(
            f"Insufficient permissions to access S3 bucket or KMS key {key.arn}."
        )
    if (key.spec, key.usage) != (specs.SYMMETRIC_DEFAULT.name, specs.ENCRYPT):
        raise e.KmsException(f"{key.arn} is not a symmetric encryption KMS key.")
    if key.state is not KeyState.ENABLED:
        raise e.KmsException(f"{key.arn} is not enabled.")
    return key.arn


def _parsed(call: Call, identifier: str) -> KeyReference:
    try:
        return parse_key_identifier(
            identifier, region=call.region, account=call.account, aliases_allowed=True
        )
    except e.InvalidArnException as error:
        raise e.InvalidKmsKeyIdException(error.message) from None
    except e.NotFoundException as error:
        if identifier.startswith("arn:"):
            raise e.KmsKeyNotFoundException(error.message) from None
        raise e.InvalidKmsKeyIdException(error.message) from None


def _find(call: Call, reference: KeyReference, identifier: str) -> UsableKey:
    """The key; one of another account is none here, whether it exists or not."""
    key_id = reference.key_id
    if reference.alias_name is not None:
        alias = named_keys.find_alias(call, reference.account, reference.region, reference.alias_name)
        key_id = alias.key_id if alias else None
    usable = access.load(call, key_id, reference.region) if key_id else None
    if usable is None or not usable.key.account == reference.account == call.account:
        raise e.KmsKeyNotFoundException(f"KMS key {identifier} does not exist in this region.")
    return usable
