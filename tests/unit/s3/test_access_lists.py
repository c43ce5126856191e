"""The one access control list that there is, and what is said to any other."""

from collections.abc import Iterator

import pytest

from kms_server.s3 import errors as e
from kms_server.s3.operations.buckets import owner_id
from tests.unit.operations.service import ACCOUNT
from tests.unit.s3.configuring import do, xml
from tests.unit.s3.world import World

OWNER = owner_id(ACCOUNT)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("world"))
    yield made
    made.close()


def test_the_owner_has_full_control(world: World) -> None:
    found = do(world, "GetBucketAcl")
    listed = xml(found, "AccessControlPolicy")
    assert listed.findtext("Owner/ID") == OWNER
    assert listed.findtext("AccessControlList/Grant/Grantee/ID") == OWNER
    assert listed.findtext("AccessControlList/Grant/Permission") == "FULL_CONTROL"
    assert b'xsi:type="CanonicalUser"' in found.body
    # What was answered may be sent back.
    do(world, "PutBucketAcl", found.body)


@pytest.mark.parametrize("canned", ["private", "bucket-owner-full-control"])
def test_access_control_lists_that_change_nothing_are_taken(world: World, canned: str) -> None:
    assert do(world, "PutBucketAcl", headers={"x-amz-acl": canned}).status == 200


GRANT = (
    "<Grant><Grantee><ID>{}</ID></Grantee><Permission>{}</Permission></Grant>"
)  # fmt: skip
LISTS = "<AccessControlPolicy><AccessControlList>{}</AccessControlList></AccessControlPolicy>"


@pytest.mark.parametrize(
    ("headers", "body", "error"),
    [
        ({}, "", e.MissingSecurityHeader),
        ({"x-amz-acl": "public-read"}, "", e.AccessControlListNotSupported),
        ({"x-amz-acl": "mine"}, "", e.InvalidArgument),
        ({"x-amz-grant-read": "id=1"}, "", e.AccessControlListNotSupported),
        ({}, LISTS.format(""), e.AccessControlListNotSupported),
        ({}, LISTS.format(GRANT.format(OWNER, "READ")), e.AccessControlListNotSupported),
        ({}, LISTS.format(GRANT.format("0" * 64, "FULL_CONTROL") * 2), e.AccessControlListNotSupported),
        ({}, LISTS.format("<Grant/>"), e.MalformedACL),
        ({}, "<AccessControlPolicy/>", e.MalformedACL),
        ({}, "<Other/>", e.MalformedACL),
        ({}, "x", e.MalformedACL),
    ],
)
def test_access_control_lists_that_are_refused(
    world: World, headers: dict[str, str], body: str, error: type[e.S3Error]
) -> None:
    with pytest.raises(error):
        do(world, "PutBucketAcl", body.encode(), headers=headers)


def test_access_control_lists_of_objects_need_the_object(world: World) -> None:
    for name in ("GetObjectAcl", "PutObjectAcl"):
        with pytest.raises(e.NoSuchKey):
            do(world, name, key="nothing", headers={"x-amz-acl": "private"})
