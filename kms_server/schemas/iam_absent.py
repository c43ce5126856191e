"""Structures of IAM for what users have on AWS and cannot have here: MFA devices, certificates, passwords and the like."""

from kms_server.schemas.base import Shape
from kms_server.schemas.fields import Blob, Boolean, Structure, Text, Timestamp
from kms_server.schemas.iam import User, status, tags, user_name

_MOST_BYTES = 131_072


def _serial_number() -> Text:
    return Text(9, 256, r"[\w+=/:,.@-]+", required=True)


class MFADevice(Shape):
    """An MFA device."""

    UserName = user_name(required=True)
    SerialNumber = _serial_number()
    EnableDate = Timestamp(required=True)


class VirtualMFADevice(Shape):
    """An MFA device that is a program."""

    SerialNumber = _serial_number()
    Base32StringSeed = Blob(0, _MOST_BYTES)
    QRCodePNG = Blob(0, _MOST_BYTES)
    User = Structure(User)
    EnableDate = Timestamp()
    Tags = tags()


class SigningCertificate(Shape):
    """A certificate that signs requests."""

    UserName = user_name(required=True)
    CertificateId = Text(24, 128, r"[\w]+", required=True)
    CertificateBody = Text(1, 16_384, r"[\u0009\u000A\u000D\u0020-\u00FF]+", required=True)
    Status = status(required=True)
    UploadDate = Timestamp()


class SSHPublicKeyMetadata(Shape):
    """An SSH key."""

    UserName = user_name(required=True)
    SSHPublicKeyId = Text(20, 128, r"[\w]+", required=True)
    Status = status(required=True)
    UploadDate = Timestamp(required=True)


class ServiceSpecificCredentialMetadata(Shape):
    """A password for one service."""

    UserName = user_name(required=True)
    Status = status(required=True)
    ServiceUserName = Text(0, 200, r"[\w+=,.@-]*")
    ServiceCredentialAlias = Text(0, 200, r"[\w+=,.@-]+")
    CreateDate = Timestamp(required=True)
    ExpirationDate = Timestamp()
    ServiceSpecificCredentialId = Text(20, 128, r"[\w]+", required=True)
    ServiceName = Text(required=True)


class LoginProfile(Shape):
    """A password for AWS's console."""

    UserName = user_name(required=True)
    CreateDate = Timestamp(required=True)
    PasswordResetRequired = Boolean()
