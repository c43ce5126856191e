"""S3's errors: one class per code. The status is part of an error's shape here, as in botocore's model of S3."""

from collections.abc import Mapping
from typing import ClassVar

from kms_server.errors import ServiceError


class S3Error(ServiceError):
    """An answer that an S3 client understands as a failure; `details` become elements of its XML."""

    status: ClassVar[int] = 400
    text: ClassVar[str] = ""

    def __init__(self, message: str | None = None, /, **details: str) -> None:
        super().__init__(self.text if message is None else message)
        self.details: Mapping[str, str] = details


class AccessControlListNotSupported(S3Error):
    """The owner of a bucket owns all that is in it: there are no other access control lists."""

    text = "The bucket does not allow ACLs"


class AccessDenied(S3Error):
    """No policy allows the call, or one denies it."""

    status = 403
    text = "Access Denied"


class AuthorizationHeaderMalformed(S3Error):
    """The Authorization header is malformed, or scoped to another Region or service."""

    text = "The authorization header that you provided is not valid."


class AuthorizationQueryParametersError(S3Error):
    """The parameters of a presigned URL are malformed."""

    text = "Error parsing the query parameters of the signature."


class BadDigest(S3Error):
    """A declared digest is not the body's."""

    text = "The Content-MD5 or checksum value that you specified did not match what the server received."


class BucketAlreadyExists(S3Error):
    """Another account has a bucket of that name."""

    status = 409
    text = "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again."


class BucketAlreadyOwnedByYou(S3Error):
    """The caller's account has a bucket of that name."""

    status = 409
    text = "Your previous request to create the named bucket succeeded and you already own it."


class BucketNotEmpty(S3Error):
    """A bucket that holds versions or uploads cannot be deleted."""

    status = 409
    text = "The bucket you tried to delete is not empty"


class ConditionalRequestConflict(S3Error):
    """Another request changed the object at the same time."""

    status = 409
    text = "The conditional request cannot succeed due to a conflicting operation against this resource."


class EntityTooLarge(S3Error):
    """An object or part is larger than S3 takes."""

    text = "Your proposed upload exceeds the maximum allowed size"


class EntityTooSmall(S3Error):
    """A part that is not the last is too small."""

    text = "Your proposed upload is smaller than the minimum allowed size"


class ExpiredToken(S3Error):
    """The session token has expired."""

    text = "The provided token has expired."


class IllegalLocationConstraint(S3Error):
    """The location is not the Region the request was signed for."""

    code = "IllegalLocationConstraintException"
    text = "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to."


class IllegalVersioningConfiguration(S3Error):
    """The versioning configuration says nothing."""

    code = "IllegalVersioningConfigurationException"
    text = "The Versioning element must be specified"


class IncorrectNumberOfFiles(S3Error):
    """A POST form has exactly one file."""

    code = "IncorrectNumberOfFilesInPostRequest"
    text = "POST requires exactly one file upload per request."


class IncompleteBody(S3Error):
    """The body ended too soon."""

    text = "You did not provide the number of bytes specified by the Content-Length HTTP header"


class InternalError(S3Error):
    """A failure of the service, or data on disk that is not what was written."""

    status = 500
    text = "We encountered an internal error. Please try again."


class InvalidAccessKeyId(S3Error):
    """The access key is unknown."""

    status = 403
    text = "The AWS Access Key Id you provided does not exist in our records."


class InvalidArgument(S3Error):
    """A header or parameter has a value that cannot be."""

    text = "Invalid Argument"


class InvalidBucketName(S3Error):
    """The name breaks the rules for bucket names."""

    text = "The specified bucket is not valid."


class InvalidChunkSize(S3Error):
    """A signed chunk that is not the last is too small."""

    code = "InvalidChunkSizeError"
    status = 403
    text = "Only the last chunk is allowed to have a size less than 8192 bytes"


class InvalidDigest(S3Error):
    """A declared digest is malformed."""

    text = "The Content-MD5 or checksum value that you specified is not valid."


class InvalidEncryptionAlgorithm(S3Error):
    """SSE-C knows one algorithm."""

    code = "InvalidEncryptionAlgorithmError"
    text = "The Encryption request you specified is not valid. Supported value: AES256."


class InvalidLocationConstraint(S3Error):
    """There is no such Region."""

    text = "The specified location-constraint is not valid"


class InvalidObjectState(S3Error):
    """An archived object must be restored first."""

    status = 403
    text = "The operation is not valid for the object's storage class"


class InvalidPart(S3Error):
    """A part named at completion is not there."""

    text = "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."


class InvalidPartNumber(S3Error):
    """The object has no such part."""

    status = 416
    text = "The requested partnumber is not satisfiable"


class InvalidPartOrder(S3Error):
    """Parts are named out of order."""

    text = "The list of parts was not in ascending order. Parts must be ordered by part number."


class InvalidPolicyDocument(S3Error):
    """The policy of a POST form is malformed."""

    text = "The content of the form does not meet the conditions specified in the policy document."


class InvalidRange(S3Error):
    """The range begins behind the object's end."""

    status = 416
    text = "The requested range is not satisfiable"


class InvalidRequest(S3Error):
    """The request cannot be as it is."""

    text = "Invalid Request"


class InvalidStorageClass(S3Error):
    """There is no such storage class."""

    text = "The storage class you specified is not valid"


class InvalidTag(S3Error):
    """A tag is malformed, doubled or one too many."""

    text = "The tag provided was not a valid tag."


class InvalidToken(S3Error):
    """The session token was not issued here."""

    text = "The provided token is malformed or otherwise invalid."


class InvalidURI(S3Error):
    """The path is not a bucket and a key."""

    text = "Couldn't parse the specified URI."


class KeyTooLong(S3Error):
    """An object key has 1,024 bytes at most."""

    code = "KeyTooLongError"
    text = "Your key is too long"


class KmsDisabled(S3Error):
    """The KMS key is disabled."""

    code = "KMS.DisabledException"


class KmsInvalidState(S3Error):
    """The state of the KMS key does not permit its use."""

    code = "KMS.KMSInvalidStateException"


class KmsInvalidKeyUsage(S3Error):
    """The KMS key is not one for encryption."""

    code = "KMS.InvalidKeyUsageException"


class KmsKeyUnavailable(S3Error):
    """The key material could not be used just now."""

    code = "KMS.KeyUnavailableException"
    status = 503


class KmsNotFound(S3Error):
    """There is no such KMS key."""

    code = "KMS.NotFoundException"


class KmsInvalidCiphertext(S3Error):
    """The KMS does not open the data key."""

    code = "KMS.InvalidCiphertextException"


class MalformedACL(S3Error):
    """The access control list is malformed."""

    code = "MalformedACLError"
    text = "The XML you provided was not well-formed or did not validate against our published schema"


class MalformedPolicy(S3Error):
    """The bucket policy is not valid."""

    text = "Policies must be valid JSON and the first byte must be '{'"


class MalformedPOSTRequest(S3Error):
    """The form cannot be read."""

    text = "The body of your POST request is not well-formed multipart/form-data."


class MalformedTrailer(S3Error):
    """What follows the last chunk is not what was announced."""

    code = "MalformedTrailerError"
    text = "The request contained trailing data that was not well-formed or did not conform to our published schema."


class MalformedXML(S3Error):
    """The body is not the XML that the operation takes."""

    text = "The XML you provided was not well-formed or did not validate against our published schema"


class MaxPostPreDataLengthExceeded(S3Error):
    """The fields of a POST form before its file are too large."""

    code = "MaxPostPreDataLengthExceededError"
    text = "Your POST request fields preceding the upload file were too large."


class MaxMessageLengthExceeded(S3Error):
    """The body is longer than the operation reads."""

    text = "Your request was too big."


class MetadataTooLarge(S3Error):
    """User metadata has 2,048 bytes at most."""

    text = "Your metadata headers exceed the maximum allowed metadata size"


class MethodNotAllowed(S3Error):
    """The resource has no such method."""

    status = 405
    text = "The specified method is not allowed against this resource."


class MissingContentLength(S3Error):
    """The length of the body must be told beforehand."""

    status = 411
    text = "You must provide the Content-Length HTTP header."


class MissingSecurityHeader(S3Error):
    """A header that a signed request needs is missing."""

    text = "Your request was missing a required header"


class NoSuchBucket(S3Error):
    """There is no such bucket."""

    status = 404
    text = "The specified bucket does not exist"


class NoSuchBucketPolicy(S3Error):
    """The bucket has no policy."""

    status = 404
    text = "The bucket policy does not exist"


class NoSuchCORSConfiguration(S3Error):
    """The bucket has no CORS rules."""

    status = 404
    text = "The CORS configuration does not exist"


class NoSuchKey(S3Error):
    """There is no such object."""

    status = 404
    text = "The specified key does not exist."


class NoSuchLifecycleConfiguration(S3Error):
    """The bucket has no lifecycle rules."""

    status = 404
    text = "The lifecycle configuration does not exist"


class NoSuchPublicAccessBlockConfiguration(S3Error):
    """The bucket blocks no public access."""

    status = 404
    text = "The public access block configuration was not found"


class NoSuchTagSet(S3Error):
    """The bucket has no tags."""

    status = 404
    text = "The TagSet does not exist"


class NoSuchUpload(S3Error):
    """There is no such multipart upload."""

    status = 404
    text = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."


class NoSuchVersion(S3Error):
    """There is no such version of the object."""

    status = 404
    text = "The specified version does not exist."


class NoSuchWebsiteConfiguration(S3Error):
    """The bucket is no website."""

    status = 404
    text = "The specified bucket does not have a website configuration"


class NotBuilt(S3Error):
    """S3 has it, this service does not."""

    code = "NotImplemented"
    status = 501
    text = "A header you provided implies functionality that is not implemented"


class NotModified(S3Error):
    """The object is as the client knows it."""

    status = 304
    text = "Not Modified"


class ObjectLockConfigurationNotFound(S3Error):
    """The bucket has no object lock."""

    code = "ObjectLockConfigurationNotFoundError"
    status = 404
    text = "Object Lock configuration does not exist for this bucket"


class OwnershipControlsNotFound(S3Error):
    """The bucket has none set."""

    code = "OwnershipControlsNotFoundError"
    status = 404
    text = "The bucket ownership controls were not found"


class PreconditionFailed(S3Error):
    """An If-Match, If-None-Match or the like does not hold."""

    status = 412
    text = "At least one of the pre-conditions you specified did not hold"


class ReplicationConfigurationNotFound(S3Error):
    """The bucket is not replicated."""

    code = "ReplicationConfigurationNotFoundError"
    status = 404
    text = "The replication configuration was not found"


class RequestTimeTooSkewed(S3Error):
    """The clock of the client is off."""

    status = 403
    text = "The difference between the request time and the current time is too large."


class RequestTimeout(S3Error):
    """The client sent nothing for too long."""

    text = "Your socket connection to the server was not read from or written to within the timeout period."


class RestoreAlreadyInProgress(S3Error):
    """A restore of the object is under way."""

    status = 409
    text = "Object restore is already in progress"


class SignatureDoesNotMatch(S3Error):
    """The signature does not verify."""

    status = 403
    text = "The request signature we calculated does not match the signature you provided. Check your key and signing method."


class SlowDown(S3Error):
    """A rate limit refused the call."""

    status = 503
    text = "Please reduce your request rate."


class ServiceUnavailable(S3Error):
    """The service cannot answer just now."""

    status = 503
    text = "Reduce your request rate."


class TooManyBuckets(S3Error):
    """The account has as many buckets as it may."""

    text = "You have attempted to create more buckets than allowed"


class UserKeyMustBeSpecified(S3Error):
    """A POST form has no key."""

    text = "The bucket POST must contain the specified field name. If it is specified, check the order of the fields."


class XAmzContentSHA256Mismatch(S3Error):
    """The signed digest is not the body's."""

    text = "The provided 'x-amz-content-sha256' header does not match what was computed."
