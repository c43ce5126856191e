"""One class per AWS error shape.

An error is raised where it is detected and carries AWS's text. Nothing here knows HTTP:
`protocol.faults` and `protocol.query_faults` alone turn an error into a status and a body.
"""

from typing import ClassVar


class ServiceError(Exception):
    """An answer that an AWS client understands as a failure.

    `code` is the name of AWS's shape, such as `NotFoundException`; the class has the same name unless it says
    otherwise. `message` may be empty: several KMS errors carry none. Where `quotes_input` is set it may hold what was
    sent, a secret too: the caller may see it, the log may not.
    """

    code: ClassVar[str] = ""
    quotes_input = False

    def __init_subclass__(cls) -> None:
        cls.code = cls.__dict__.get("code", cls.__name__)

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message


class ServerFault(ServiceError):
    """The service's fault: the outcome of the call is unknown and a client may try again."""


# --- faults of the service ---------------------------------------------------------------------


class KMSInternalException(ServerFault):
    """An internal failure; also the answer when the audit log cannot be written."""

    def __init__(
        self, message: str = "The request was not processed because of an internal failure. Try again."
    ) -> None:
        super().__init__(message)


class DependencyTimeoutException(ServerFault):
    """A part the service depends on did not answer in time."""

    def __init__(
        self,
        message: str = "The system timed out while trying to fulfill the request. The request can be retried.",
    ) -> None:
        super().__init__(message)


class KeyUnavailableException(ServerFault):
    """The key material could not be used just now."""


# --- the front door ----------------------------------------------------------------------------


class MissingAuthenticationTokenException(ServiceError):
    """The request carries no signature at all."""

    def __init__(self) -> None:
        super().__init__("Missing Authentication Token")


class IncompleteSignatureException(ServiceError):
    """The signature's parts are missing or malformed."""


class InvalidSignatureException(ServiceError):
    """The signature does not verify, is out of its clock window or out of scope."""


class UnrecognizedClientException(ServiceError):
    """The access key or session token is unknown."""

    def __init__(self) -> None:
        super().__init__("The security token included in the request is invalid.")


class ExpiredTokenException(ServiceError):
    """The session token has expired."""

    def __init__(self) -> None:
        super().__init__("The security token included in the request is expired")


class UnknownOperationException(ServiceError):
    """The target names no operation of the service."""


class SerializationException(ServiceError):
    """The body is not JSON, not an object, or a member has the wrong type."""

    quotes_input = True


class ValidationException(ServiceError):
    """A member violates a constraint, or members contradict each other."""


class RequestEntityTooLargeException(ServiceError):
    """The body is larger than the service reads."""


class ThrottlingException(ServiceError):
    """A rate limit refused the call."""

    def __init__(self) -> None:
        super().__init__(
            "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."
        )


# --- authorization -----------------------------------------------------------------------------


class AccessDeniedException(ServiceError):
    """No policy or grant allows the call, or one denies it."""


class NotAuthorizedException(ServiceError):
    """The name is reserved for AWS."""


# --- KMS ---------------------------------------------------------------------------------------


class AlreadyExistsException(ServiceError):
    """A resource of that name exists."""


class ConflictException(ServiceError):
    """Another rotation of the key is running or about to run."""


class CustomKeyStoreNotFoundException(ServiceError):
    """There is no such custom key store."""


class DisabledException(ServiceError):
    """The KMS key is disabled."""


class DryRunOperationException(ServiceError):
    """DryRun was set and the call would have succeeded."""

    def __init__(self) -> None:
        super().__init__("The request would have succeeded, but the DryRun option is set.")


class ExpiredImportTokenException(ServiceError):
    """The import token is older than a day. AWS sends no text."""


class IncorrectKeyException(ServiceError):
    """The ciphertext was made under another KMS key than the one named."""

    def __init__(self) -> None:
        super().__init__("The key ID in the request does not identify a CMK that can perform this operation.")


class IncorrectKeyMaterialException(ServiceError):
    """Other key material was imported before. AWS sends no text."""


class InvalidAliasNameException(ServiceError):
    """The alias name is malformed."""


class InvalidArnException(ServiceError):
    """An ARN is malformed or of a kind the operation does not take."""


class InvalidCiphertextException(ServiceError):
    """The ciphertext is corrupt, or its encryption context differs. AWS sends no text."""


class InvalidGrantIdException(ServiceError):
    """The grant id is malformed."""


class InvalidGrantTokenException(ServiceError):
    """A grant token is malformed or unknown."""


class InvalidImportTokenException(ServiceError):
    """The import token belongs to another key, or is damaged. AWS sends no text."""


class InvalidKeyUsageException(ServiceError):
    """The key's usage or spec does not fit the operation."""


class InvalidMarkerException(ServiceError):
    """The pagination marker was not made by this operation."""


class KMSInvalidMacException(ServiceError):
    """The MAC is not of this key and message. AWS sends no text."""


class KMSInvalidSignatureException(ServiceError):
    """The signature is not of this key and message. AWS sends no text."""


class KMSInvalidStateException(ServiceError):
    """The state of the KMS key does not permit the operation."""


class LimitExceededException(ServiceError):
    """A resource quota is exhausted."""


class MalformedPolicyDocumentException(ServiceError):
    """The policy is not a valid key policy."""


class NotFoundException(ServiceError):
    """The key, alias or policy does not exist."""


class TagException(ServiceError):
    """A tag is reserved, doubled, or one too many."""


class UnsupportedOperationException(ServiceError):
    """The operation or option is not supported for this key."""


# --- CloudTrail --------------------------------------------------------------------------------


class CloudTrailARNInvalidException(ServiceError):
    """An ARN is not that of a trail which the caller's account can have."""


class CloudWatchLogsDeliveryUnavailableException(ServiceError):
    """There is no CloudWatch Logs here."""


class InsufficientEncryptionPolicyException(ServiceError):
    """The policy of the KMS key does not let CloudTrail encrypt."""


class InsufficientS3BucketPolicyException(ServiceError):
    """The policy of the bucket does not let CloudTrail write."""


class InvalidEventCategoryException(ServiceError):
    """The event category is not one that can be looked up."""


class InvalidEventSelectorsException(ServiceError):
    """Event selectors are malformed, contradict each other or are too many."""


class InvalidHomeRegionException(ServiceError):
    """A trail is changed in its home Region alone."""


class InvalidKmsKeyIdException(ServiceError):
    """The identifier of a KMS key is malformed."""


class InvalidLookupAttributesException(ServiceError):
    """A lookup attribute is unknown, or there is more than one."""


class InvalidMaxResultsException(ServiceError):
    """MaxResults is outside 1 to 50."""


class InvalidNextTokenException(ServiceError):
    """The token belongs to another query or was never issued."""


class InvalidParameterCombinationException(ServiceError):
    """Members contradict each other."""


class InvalidS3BucketNameException(ServiceError):
    """No bucket can have that name."""


class InvalidS3PrefixException(ServiceError):
    """The prefix of a trail's objects is malformed."""


class InvalidTagParameterException(ServiceError):
    """A tag is reserved, doubled or has characters that tags cannot have."""


class InvalidTimeRangeException(ServiceError):
    """StartTime is after EndTime."""


class InvalidTokenException(ServiceError):
    """The token was never issued."""


class InvalidTrailNameException(ServiceError):
    """No trail can have that name."""


class KmsException(ServiceError):
    """The KMS key cannot be used for a trail: of another kind, or not enabled."""


class KmsKeyNotFoundException(ServiceError):
    """There is no such KMS key in the trail's Region."""


class MaximumNumberOfTrailsExceededException(ServiceError):
    """The Region has as many trails as it can have."""


class OrganizationsNotInUseException(ServiceError):
    """There are no organizations here."""


class ResourceNotFoundException(ServiceError):
    """There is no such trail to tag."""


class ResourceTypeNotSupportedException(ServiceError):
    """Nothing but trails has tags here."""


class S3BucketDoesNotExistException(ServiceError):
    """There is no such bucket."""


class TagsLimitExceededException(ServiceError):
    """A trail would have more tags than it can have."""


class TrailAlreadyExistsException(ServiceError):
    """There is a trail of that name in the Region."""


class TrailNotFoundException(ServiceError):
    """There is no such trail."""


# --- IAM ---------------------------------------------------------------------------------------


class ConcurrentModificationException(ServiceError):
    """Another request changed the same entity at the same time."""


class DeleteConflictException(ServiceError):
    """Something is still attached to what was to be deleted."""


class EntityAlreadyExistsException(ServiceError):
    """There is an entity of that name, letter case aside."""


class InvalidInputException(ServiceError):
    """A value has the right form and cannot be right."""


class NoSuchEntityException(ServiceError):
    """There is no such user, role, policy, key or tag."""


class PolicyNotAttachableException(ServiceError):
    """The policy is not for this kind of entity."""


class UnmodifiableEntityException(ServiceError):
    """Only AWS changes such an entity."""


# --- Service Quotas ----------------------------------------------------------------------------


class IllegalArgumentException(ServiceError):
    """A quota cannot have that value."""


class InvalidPaginationTokenException(ServiceError):
    """The token belongs to another list or was never issued."""

    def __init__(self) -> None:
        super().__init__("The pagination token is invalid.")


class NoSuchResourceException(ServiceError):
    """There is no such service, quota or request."""


class ResourceAlreadyExistsException(ServiceError):
    """A request for the quota is open."""


# --- STS ---------------------------------------------------------------------------------------


class ExpiredIdentityToken(ServiceError):
    """The identity provider's token has expired; STS calls it as it calls an expired session token."""

    code = "ExpiredTokenException"


class IDPCommunicationErrorException(ServiceError):
    """The identity provider's keys are not known here."""


class IDPRejectedClaimException(ServiceError):
    """The identity provider's token says something that cannot be accepted."""


class InvalidIdentityTokenException(ServiceError):
    """The identity provider's token is malformed, not signed by its keys, or of an unknown provider."""


class PackedPolicyTooLargeException(ServiceError):
    """Session policies and tags need more room than a session token has."""


# --- the operator's side -----------------------------------------------------------------------


class OperatorError(Exception):
    """A condition the operator must mend; the command line prints it as one line and exits with 2."""


class DatabaseDown(OperatorError):
    """The database does not answer; it may do so later."""


class DatabaseRefuses(DatabaseDown):
    """The database answers, and lets nobody in; it may do so later where it has once."""
