"""What users have on AWS and cannot have here, as tools ask for it before they delete a user: always nothing."""

from collections.abc import Mapping

from sqlalchemy import Connection

from kms_server import errors as e
from kms_server.operations.call import Answer, Call, Operation, Plane
from kms_server.operations.iam import common
from kms_server.schemas import iam as schemas
from kms_server.schemas import iam_absent as absent
from kms_server.schemas.base import Shape
from kms_server.schemas.fields import Boolean, Choice, ListOf, Member, Structure, Text


def no_login_profile(call: Call, connection: Connection) -> Answer:
    """Nobody has a password (AWS GetLoginProfile, DeleteLoginProfile)."""
    user = common.find_user_or_caller(call, connection)
    name = user.name if user else "root"
    raise e.NoSuchEntityException(f"Login Profile for User {name} cannot be found.")


def list_virtual_mfa_devices(call: Call, connection: Connection) -> Answer:
    """None (AWS ListVirtualMFADevices)."""
    common.allow(call, connection, "*")
    return {"VirtualMFADevices": [], "IsTruncated": False}


def _none_of_a_user(
    name: str, member: str, shape: type[Shape], whose: Mapping[str, Member], *, required: bool, summary: str
) -> Operation:
    def run(call: Call, connection: Connection) -> Answer:
        common.find_user_or_caller(call, connection)
        return {member: [], "IsTruncated": False}

    listed = {member: ListOf(Structure(shape), required=required), **schemas.rest()}
    return common.operation(name, run, Plane.READ, summary, {**whose, **schemas.place()}, listed)


_OLDER, _YOUNGER = {"UserName": schemas.existing_user_name()}, {"UserName": schemas.user_name()}

OPERATIONS = (
    _none_of_a_user(
        "ListMFADevices", "MFADevices", absent.MFADevice, _OLDER, required=True,
        summary="Lists the MFA devices of a user: there are none.",
    ),
    _none_of_a_user(
        "ListSigningCertificates", "Certificates", absent.SigningCertificate, _OLDER, required=True,
        summary="Lists the signing certificates of a user: there are none.",
    ),
    _none_of_a_user(
        "ListSSHPublicKeys", "SSHPublicKeys", absent.SSHPublicKeyMetadata, _YOUNGER, required=False,
        summary="Lists the SSH keys of a user: there are none.",
    ),
    _none_of_a_user(
        "ListServiceSpecificCredentials", "ServiceSpecificCredentials", absent.ServiceSpecificCredentialMetadata,
        {**_YOUNGER, "ServiceName": Text(), "AllUsers": Boolean()}, required=False,
        summary="Lists the service-specific credentials of a user: there are none.",
    ),
    common.operation(
        "ListVirtualMFADevices", list_virtual_mfa_devices, Plane.READ, "Lists virtual MFA devices: there are none.",
        {"AssignmentStatus": Choice("Assigned", "Unassigned", "Any"), **schemas.place()},
        {"VirtualMFADevices": ListOf(Structure(absent.VirtualMFADevice), required=True), **schemas.rest()}, errors=(),
    ),
    common.operation(
        "GetLoginProfile", no_login_profile, Plane.READ, "Describes the password of a user: there is none.", _YOUNGER,
        {"LoginProfile": Structure(absent.LoginProfile, required=True)},
    ),
    common.operation(
        "DeleteLoginProfile", no_login_profile, Plane.WRITE, "Deletes the password of a user: there is none.", _YOUNGER,
    ),
)  # fmt: skip
