"""STS (2011-06-15)."""

from kms_server.schemas.base import RequestSchema, ResponseSchema, Shape
from kms_server.schemas.fields import Integer, ListOf, Structure, Text, Timestamp

_ARN = "[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u0085\\u00A0-\\uD7FF\\uE000-\\uFFFD\\u10000-\\u10FFFF]+"
_POLICY = "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"
_NAME = r"[\w+=,.@-]*"
_TAG = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]"


def _arn(*, required: bool = False) -> Text:
    return Text(20, 2048, _ARN, required=required)


def _access_key_id(*, required: bool = False) -> Text:
    return Text(16, 128, r"[\w]*", required=required)


def _role_session_name() -> Text:
    return Text(2, 64, _NAME, required=True)


def _role_duration() -> Integer:
    return Integer(900, 43_200)


def _duration() -> Integer:
    return Integer(900, 129_600)


def _session_policy() -> Text:
    return Text(1, 2048, _POLICY)


def _size() -> Integer:
    return Integer(0, 2**31 - 1)


def _minimum_size() -> Integer:
    return Integer(0, 4096)


def _serial_number() -> Text:
    return Text(9, 256, r"[\w+=/:,.@-]*")


def _token_code() -> Text:
    return Text(6, 6, r"[\d]*", sensitive=True)


def _tag_key(*, required: bool = False) -> Text:
    return Text(1, 128, f"{_TAG}+", required=required)


def _source_identity() -> Text:
    return Text(2, 64, _NAME)


class PolicyDescriptorType(Shape):
    """A managed policy."""

    arn = _arn()


class Tag(Shape):
    """A session tag."""

    Key = _tag_key(required=True)
    Value = Text(0, 256, f"{_TAG}*", required=True)


class ProvidedContext(Shape):
    """What a context provider says of the caller."""

    ProviderArn = _arn()
    ContextAssertion = Text(4, 2048)


class Credentials(Shape):
    """Temporary credentials."""

    AccessKeyId = _access_key_id(required=True)
    SecretAccessKey = Text(required=True, sensitive=True)
    SessionToken = Text(required=True, sensitive=True)
    Expiration = Timestamp(required=True)


class AssumedRoleUser(Shape):
    """The session of a role."""

    AssumedRoleId = Text(2, 193, r"[\w+=,.@:-]*", required=True)
    Arn = _arn(required=True)


class FederatedUser(Shape):
    """A federated user."""

    FederatedUserId = Text(2, 193, r"[\w+=,.@\:-]*", required=True)
    Arn = _arn(required=True)


class GetCallerIdentityRequest(RequestSchema):
    """Input of GetCallerIdentity."""


class GetCallerIdentityResponse(ResponseSchema):
    """Output of GetCallerIdentity."""

    UserId = Text()
    Account = Text()
    Arn = _arn()


class GetAccessKeyInfoRequest(RequestSchema):
    """Input of GetAccessKeyInfo."""

    AccessKeyId = _access_key_id(required=True)


class GetAccessKeyInfoResponse(ResponseSchema):
    """Output of GetAccessKeyInfo."""

    Account = Text()


class GetSessionTokenRequest(RequestSchema):
    """Input of GetSessionToken."""

    DurationSeconds = _duration()
    SerialNumber = _serial_number()
    TokenCode = _token_code()
    MinimumSessionTokenSize = _minimum_size()


class GetSessionTokenResponse(ResponseSchema):
    """Output of GetSessionToken."""

    Credentials = Structure(Credentials)
    SessionTokenUtilization = _size()
    SessionTokenSize = _size()


class GetFederationTokenRequest(RequestSchema):
    """Input of GetFederationToken."""

    Name = Text(2, 32, _NAME, required=True)
    Policy = _session_policy()
    PolicyArns = ListOf(Structure(PolicyDescriptorType))
    DurationSeconds = _duration()
    Tags = ListOf(Structure(Tag), 0, 50)
    MinimumSessionTokenSize = _minimum_size()


class GetFederationTokenResponse(ResponseSchema):
    """Output of GetFederationToken."""

    Credentials = Structure(Credentials)
    FederatedUser = Structure(FederatedUser)
    PackedPolicySize = _size()
    SessionTokenUtilization = _size()
    SessionTokenSize = _size()


class AssumeRoleRequest(RequestSchema):
    """Input of AssumeRole."""

    RoleArn = _arn(required=True)
    RoleSessionName = _role_session_name()
    PolicyArns = ListOf(Structure(PolicyDescriptorType))
    Policy = Text(1, None, _POLICY)
    DurationSeconds = _role_duration()
    Tags = ListOf(Structure(Tag), 0, 50)
    TransitiveTagKeys = ListOf(_tag_key(), 0, 50)
    ExternalId = Text(2, 1224, r"[\w+=,.@:\/-]*")
    SerialNumber = _serial_number()
    TokenCode = _token_code()
    SourceIdentity = _source_identity()
    ProvidedContexts = ListOf(Structure(ProvidedContext), 1, 5)
    MinimumSessionTokenSize = _minimum_size()


class AssumeRoleResponse(ResponseSchema):
    """Output of AssumeRole."""

    Credentials = Structure(Credentials)
    AssumedRoleUser = Structure(AssumedRoleUser)
    PackedPolicySize = _size()
    SourceIdentity = _source_identity()
    SessionTokenUtilization = _size()
    SessionTokenSize = _size()


class AssumeRoleWithWebIdentityRequest(RequestSchema):
    """Input of AssumeRoleWithWebIdentity."""

    RoleArn = _arn(required=True)
    RoleSessionName = _role_session_name()
    WebIdentityToken = Text(4, 20_000, required=True, sensitive=True)
    ProviderId = Text(4, 2048)
    PolicyArns = ListOf(Structure(PolicyDescriptorType))
    Policy = _session_policy()
    DurationSeconds = _role_duration()
    MinimumSessionTokenSize = _minimum_size()


class AssumeRoleWithWebIdentityResponse(ResponseSchema):
    """Output of AssumeRoleWithWebIdentity."""

    Credentials = Structure(Credentials)
    SubjectFromWebIdentityToken = Text(6, 255)
    AssumedRoleUser = Structure(AssumedRoleUser)
    PackedPolicySize = _size()
    Provider = Text()
    Audience = Text()
    SourceIdentity = _source_identity()
    SessionTokenUtilization = _size()
    SessionTokenSize = _size()
