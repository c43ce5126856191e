"""Who may do what with a bucket, and what they are told who may not."""

from collections.abc import Iterator
from typing import Any

import pytest

from kms_server.iam.principal import NOBODY, Principal
from kms_server.s3 import buckets
from kms_server.s3.authorization import ALL_BUCKETS, authorize, authorize_call, may
from kms_server.s3.call import Level, S3Call
from kms_server.s3.errors import AccessDenied
from kms_server.s3.public_access import BLOCKED
from tests.unit.operations.service import ACCOUNT
from tests.unit.s3.world import AWAY, BUCKET, World, operation

GET, PUT = "s3:GetObject", "s3:PutObject"
EVERYBODY: dict[str, Any] = {"Effect": "Allow", "Principal": "*", "Action": GET, "Resource": f"{BUCKET}/*"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("world"))
    yield made
    made.close()


@pytest.fixture
def world(whole: World) -> World:
    whole.configure(policy=None, public_access=None)
    return whole


@pytest.fixture(scope="module")
def ann(whole: World) -> Principal:
    """Whom identity policies allow to read."""
    return whole.user("ann", GET, "s3:ListAllMyBuckets")


@pytest.fixture(scope="module")
def zoe(whole: World) -> Principal:
    """The same of another account."""
    return whole.user("zoe", GET, account=AWAY)


def get(world: World, by: Principal, key: str = "a") -> S3Call:
    return world.call(operation(GET), by, key=key)


def refusal(call: S3Call) -> str:
    with pytest.raises(AccessDenied) as caught:
        authorize_call(call)
    return caught.value.message


def test_identity_policies_allow_in_the_account_of_the_bucket(world: World, ann: Principal) -> None:
    authorize_call(get(world, ann))
    assert refusal(world.call(operation(PUT), ann, key="k")) == (
        f"User: {ann.arn} is not authorized to perform: s3:PutObject on resource: "
        '"arn:aws:s3:::pictures/k" because no identity-based policy allows the s3:PutObject action'
    )


def test_the_bucket_policy_allows_in_its_account_as_well(world: World) -> None:
    bob = world.user("bob")
    world.policy(EVERYBODY | {"Principal": {"AWS": bob.unique_id}, "Resource": f"{BUCKET}/bob/*"})
    authorize_call(get(world, bob, "bob/a"))
    assert "no identity-based policy" in refusal(get(world, bob))


def test_across_accounts_both_must_allow(world: World, zoe: Principal) -> None:
    assert refusal(get(world, zoe)) == "Access Denied"
    world.policy(EVERYBODY | {"Principal": {"AWS": AWAY}})
    authorize_call(get(world, zoe))
    assert refusal(get(world, world.user("yan", account=AWAY))) == "Access Denied"
    authorize_call(get(world, world.stranger_root))


def test_a_deny_wins_and_is_told_in_the_account(world: World, ann: Principal, zoe: Principal) -> None:
    world.policy(EVERYBODY, EVERYBODY | {"Effect": "Deny", "Resource": f"{BUCKET}/secret/*"})
    authorize_call(get(world, ann))
    assert refusal(get(world, ann, "secret/a")).endswith("with an explicit deny in a resource-based policy")
    for other in (zoe, NOBODY):
        authorize_call(get(world, other))
        assert refusal(get(world, other, "secret/a")) == "Access Denied"


def test_nobody_has_only_what_everybody_has(world: World) -> None:
    assert refusal(get(world, NOBODY)) == "Access Denied"
    world.policy(EVERYBODY | {"Principal": {"AWS": AWAY}})
    assert refusal(get(world, NOBODY)) == "Access Denied"
    world.policy(EVERYBODY | {"Principal": {"AWS": "*"}})
    authorize_call(get(world, NOBODY))
    assert refusal(world.call(operation("s3:ListBucket", Level.BUCKET))) == "Access Denied"


def test_the_root_of_the_account_cannot_be_kept_from_the_policy(world: World) -> None:
    world.policy({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [BUCKET, f"{BUCKET}/*"]})
    assert "explicit deny" in refusal(get(world, world.root))
    admin = world.user("admin", "s3:*")
    for action in ("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"):
        row = operation(action, Level.BUCKET)
        authorize_call(world.call(row, world.root))
        assert "explicit deny" in refusal(world.call(row, admin))
        assert refusal(world.call(row, world.stranger_root)) == "Access Denied"


def test_a_bucket_that_restricts_public_access_is_open_at_home_alone(
    world: World, ann: Principal, zoe: Principal
) -> None:
    world.policy(EVERYBODY)
    world.configure(public_access=BLOCKED.kept())
    authorize_call(get(world, ann))
    assert refusal(get(world, zoe)) == refusal(get(world, NOBODY)) == "Access Denied"
    # A policy that is not public is not restricted.
    world.policy(EVERYBODY | {"Principal": {"AWS": AWAY}})
    authorize_call(get(world, zoe))


def test_what_is_about_no_bucket_is_for_identity_policies(world: World, ann: Principal) -> None:
    listing = operation("s3:ListAllMyBuckets", Level.SERVICE, needs_bucket=False)
    authorize_call(world.call(listing, ann, bucket=""))
    bob = world.user("ben")
    assert refusal(world.call(listing, bob, bucket="")) == (
        f"User: {bob.arn} is not authorized to perform: s3:ListAllMyBuckets because no identity-based policy allows "
        "the s3:ListAllMyBuckets action"
    )
    assert refusal(world.call(listing, bucket="")) == "Access Denied"
    assert may(world.call(listing, ann, bucket=""), "s3:ListAllMyBuckets", ALL_BUCKETS)


def test_a_bucket_that_is_to_be_made_has_no_say(world: World, zoe: Principal) -> None:
    world.policy(EVERYBODY | {"Action": "s3:*", "Resource": BUCKET})
    making = operation("s3:CreateBucket", Level.BUCKET, needs_bucket=False)
    assert "no identity-based policy" in refusal(world.call(making, zoe))


def test_a_version_has_an_action_of_its_own(world: World, ann: Principal) -> None:
    row = operation(GET, version_action="s3:GetObjectVersion")
    authorize_call(world.call(row, ann, key="a"))
    assert "s3:GetObjectVersion" in refusal(world.call(row, ann, key="a", query={"versionId": "v"}))


def test_an_operation_without_an_action_asks_by_itself(world: World) -> None:
    authorize_call(world.call(operation("", Level.BUCKET)))


def test_another_bucket_decides_for_itself(world: World, zoe: Principal) -> None:
    """As for the source of a copy."""
    world.policy(EVERYBODY | {"Principal": {"AWS": AWAY}})
    call = world.call(operation(PUT), zoe, bucket="elsewhere", key="k")
    assert call.found is None
    source = buckets.find(world.services, "pictures")
    authorize(call, GET, f"{BUCKET}/a", bucket=source)
    assert not may(call, PUT, f"{BUCKET}/a", bucket=source)


def test_a_change_of_the_policy_holds_at_once(world: World) -> None:
    for _ in range(2):
        world.policy(EVERYBODY)
        assert may(get(world, NOBODY), GET, f"{BUCKET}/a")
        world.policy()
        assert not may(get(world, NOBODY), GET, f"{BUCKET}/a")


def test_a_bucket_keeps_what_is_made_of_it(world: World) -> None:
    found = buckets.find(world.services, "pictures")
    assert found is not None
    assert found.once(_made) is found.once(_made)
    assert buckets.find(world.services, "nowhere") is None
    assert found.bucket.account == ACCOUNT


def _made(bucket: object) -> list[object]:
    return [bucket]
