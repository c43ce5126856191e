"""Access control lists, of which there is one: the owner of a bucket has full control of all that is in it.

That is S3 with the ownership BucketOwnerEnforced, as every new bucket of AWS has it; policies do the rest.
"""

from collections.abc import Mapping
from xml.etree.ElementTree import Element

from kms_server.s3.errors import AccessControlListNotSupported, InvalidArgument, MalformedACL, MalformedXML
from kms_server.s3.wire import xml_reader
from kms_server.s3.wire.xml_writer import Content

CANNED = "x-amz-acl"
_FULL = "FULL_CONTROL"
_TAKEN = ("private", "bucket-owner-full-control")
_OTHERS = (
    "public-read", "public-read-write", "authenticated-read", "aws-exec-read", "bucket-owner-read", "log-delivery-write",
)  # fmt: skip
_GRANTS = "x-amz-grant-"


def require_owner_alone(headers: Mapping[str, str]) -> None:
    """Check that the headers of a request, or the fields of a form, let nobody in but the owner.

    Raises:
        AccessControlListNotSupported: they do.
        InvalidArgument: there is no such canned list.
    """
    wanted = headers.get(CANNED)
    if wanted in _OTHERS or any(name.startswith(_GRANTS) for name in headers):
        raise AccessControlListNotSupported
    if wanted is not None and wanted not in _TAKEN:
        raise InvalidArgument(ArgumentName=CANNED, ArgumentValue=wanted)


def require_owner_in(body: bytes, owner: str) -> None:
    """Check that an access control list as XML gives full control to the owner, by its canonical id, and no more.

    Raises:
        MalformedACL: it is no such list.
        AccessControlListNotSupported: it lets somebody else in.
    """
    try:
        document = xml_reader.parse(body, "AccessControlPolicy")
        lists = document.findall("AccessControlList")
        granted = [_grant(one) for listed in lists for one in listed.findall("Grant")]
    except MalformedXML:
        raise MalformedACL from None
    if len(lists) != 1:
        raise MalformedACL
    if granted != [(owner, _FULL)]:
        raise AccessControlListNotSupported


def of_owner(owner: str) -> Mapping[str, Content]:
    """What there is, as the content of an answer."""
    grantee = 'Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"'
    grant: Content = {grantee: {"ID": owner}, "Permission": _FULL}
    return {"Owner": {"ID": owner}, "AccessControlList": {"Grant": [grant]}}


def _grant(grant: Element) -> tuple[str | None, str | None]:
    grantee = grant.find("Grantee")
    if grantee is None:
        raise MalformedXML
    return xml_reader.text_of(grantee, "ID"), xml_reader.text_of(grant, "Permission")
