"""What buckets are told and tell of themselves."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore import loaders
from botocore.model import ServiceModel

from kms_server.s3 import errors as e
from kms_server.s3.call import Level
from kms_server.s3.operations.configuration import OPERATIONS
from kms_server.s3.public_access import BLOCKED
from tests.unit.operations.service import ACCOUNT, REGION
from tests.unit.s3.configuring import ROWS, do, texts, xml
from tests.unit.s3.world import AWAY, BUCKET, World

EVERYBODY: dict[str, Any] = {
    "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"{BUCKET}/*",
}  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("world"))
    yield made
    made.close()


@pytest.fixture
def world(whole: World) -> World:
    whole.configure(policy=None, public_access=None, ownership=None, tags=None, versioning="", region=REGION)
    return whole


def policy(*statements: Any) -> bytes:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}).encode()


def test_every_operation_is_one_of_the_model_with_its_way() -> None:
    model = ServiceModel(loaders.Loader().load_service_model("s3", "service-2"))
    for name, row in ROWS.items():
        http = model.operation_model(name).http
        path, _, query = http["requestUri"].partition("?")
        assert (row.method, row.queries) == (http["method"], (query,))
        assert (row.level is Level.OBJECT) == ("{Key" in path)
        assert row.writes == (row.method != "GET")


def test_the_location(world: World) -> None:
    assert xml(do(world, "GetBucketLocation"), "LocationConstraint").text is None
    world.configure(region="eu-west-1")
    assert xml(do(world, "GetBucketLocation"), "LocationConstraint").text == "eu-west-1"


def test_versioning(world: World) -> None:
    assert texts(xml(do(world, "GetBucketVersioning"), "VersioningConfiguration")) == {}
    for status in ("Enabled", "Suspended"):
        sent = f"<VersioningConfiguration><Status>{status}</Status><MfaDelete>Disabled</MfaDelete></VersioningConfiguration>"
        do(world, "PutBucketVersioning", sent.encode())
        seen = texts(xml(do(world, "GetBucketVersioning"), "VersioningConfiguration"))
        assert seen == {"Status": status}


@pytest.mark.parametrize(
    ("inner", "error"),
    [
        ("", e.IllegalVersioningConfiguration),
        ("<Status>On</Status>", e.MalformedXML),
        ("<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>", e.NotBuilt),
        ("<Status>Enabled</Status><MfaDelete>x</MfaDelete>", e.MalformedXML),
        ("<Status>Enabled</Status><Status>Enabled</Status>", e.MalformedXML),
    ],
)
def test_versioning_that_is_refused(world: World, inner: str, error: type[e.S3Error]) -> None:
    body = f"<VersioningConfiguration>{inner}</VersioningConfiguration>".encode()
    with pytest.raises(error):
        do(world, "PutBucketVersioning", body)


def test_a_policy_comes_back_as_it_was_sent(world: World) -> None:
    for name in ("GetBucketPolicy", "GetBucketPolicyStatus"):
        with pytest.raises(e.NoSuchBucketPolicy):
            do(world, name)
    ann = world.user("ann")
    sent = policy(EVERYBODY | {"Principal": {"AWS": ann.arn}})
    assert do(world, "PutBucketPolicy", sent).status == 204
    found = do(world, "GetBucketPolicy")
    assert found.headers == {"Content-Type": "application/json"}
    assert json.loads(found.body) == json.loads(sent)
    assert texts(xml(do(world, "GetBucketPolicyStatus"), "PolicyStatus")) == {"IsPublic": "false"}
    do(world, "PutBucketPolicy", policy(EVERYBODY))
    assert texts(xml(do(world, "GetBucketPolicyStatus"), "PolicyStatus")) == {"IsPublic": "true"}
    assert do(world, "DeleteBucketPolicy").status == 204
    with pytest.raises(e.NoSuchBucketPolicy):
        do(world, "GetBucketPolicy")
    assert do(world, "DeleteBucketPolicy").status == 204


def test_a_policy_that_is_malformed_changes_nothing(world: World) -> None:
    do(world, "PutBucketPolicy", policy(EVERYBODY))
    with pytest.raises(e.MalformedPolicy):
        do(world, "PutBucketPolicy", b"{}")
    assert b"s3:GetObject" in do(world, "GetBucketPolicy").body


def test_a_policy_is_for_the_account_of_the_bucket_alone(world: World) -> None:
    zoe = world.user("zoe", "s3:*", account=AWAY)
    everything = EVERYBODY | {"Action": "s3:*", "Resource": BUCKET, "Principal": {"AWS": AWAY}}
    do(world, "PutBucketPolicy", policy(everything))
    for name in ("GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"):
        with pytest.raises(e.MethodNotAllowed):
            do(world, name, b"{}", zoe)
    assert texts(xml(do(world, "GetBucketPolicyStatus", by=zoe), "PolicyStatus")) == {"IsPublic": "false"}


def test_public_policies_can_be_blocked(world: World) -> None:
    world.configure(public_access=BLOCKED.kept())
    with pytest.raises(e.AccessDenied, match="prevented by the BlockPublicPolicy setting"):
        do(world, "PutBucketPolicy", policy(EVERYBODY))
    do(world, "PutBucketPolicy", policy(EVERYBODY | {"Principal": {"AWS": AWAY}}))


def test_the_public_access_block(world: World) -> None:
    with pytest.raises(e.NoSuchPublicAccessBlockConfiguration):
        do(world, "GetPublicAccessBlock")
    root = "PublicAccessBlockConfiguration"
    sent = (
        f"<{root}><BlockPublicAcls>true</BlockPublicAcls><BlockPublicPolicy>TRUE</BlockPublicPolicy></{root}>"
    )
    do(world, "PutPublicAccessBlock", sent.encode())
    assert texts(xml(do(world, "GetPublicAccessBlock"), root)) == {
        "BlockPublicAcls": "true", "IgnorePublicAcls": "false", "BlockPublicPolicy": "true",
        "RestrictPublicBuckets": "false",
    }  # fmt: skip
    assert do(world, "DeletePublicAccessBlock").status == 204
    with pytest.raises(e.NoSuchPublicAccessBlockConfiguration):
        do(world, "GetPublicAccessBlock")
    with pytest.raises(e.MalformedXML):
        do(world, "PutPublicAccessBlock", sent.replace("true", "yes").encode())


def test_ownership_controls(world: World) -> None:
    with pytest.raises(e.OwnershipControlsNotFound):
        do(world, "GetBucketOwnershipControls")

    def put(*owners: str) -> None:
        rules = "".join(f"<Rule><ObjectOwnership>{owner}</ObjectOwnership></Rule>" for owner in owners)
        do(world, "PutBucketOwnershipControls", f"<OwnershipControls>{rules}</OwnershipControls>".encode())

    put("BucketOwnerEnforced")
    rule = xml(do(world, "GetBucketOwnershipControls"), "OwnershipControls").find("Rule")
    assert rule is not None
    assert texts(rule) == {"ObjectOwnership": "BucketOwnerEnforced"}
    for owner in ("ObjectWriter", "BucketOwnerPreferred"):
        with pytest.raises(e.NotBuilt):
            put(owner)
    for owners in ((), ("Me",), ("BucketOwnerEnforced", "BucketOwnerEnforced")):
        with pytest.raises(e.MalformedXML):
            put(*owners)
    assert do(world, "DeleteBucketOwnershipControls").status == 204
    with pytest.raises(e.OwnershipControlsNotFound):
        do(world, "GetBucketOwnershipControls")


def test_tags(world: World) -> None:
    with pytest.raises(e.NoSuchTagSet):
        do(world, "GetBucketTagging")

    def sent(count: int) -> bytes:
        tags = "".join(f"<Tag><Key>k{one}</Key><Value>v{one}</Value></Tag>" for one in range(count))
        return f"<Tagging><TagSet>{tags}</TagSet></Tagging>".encode()

    assert do(world, "PutBucketTagging", sent(50)).status == 204
    found = xml(do(world, "GetBucketTagging"), "Tagging").findall("TagSet/Tag")
    assert {one.findtext("Key"): one.findtext("Value") for one in found} == {
        f"k{n}": f"v{n}" for n in range(50)
    }
    with pytest.raises(e.InvalidTag):
        do(world, "PutBucketTagging", sent(51))
    assert do(world, "DeleteBucketTagging").status == 204
    with pytest.raises(e.NoSuchTagSet):
        do(world, "GetBucketTagging")


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("GetBucketCors", e.NoSuchCORSConfiguration),
        ("GetBucketLifecycleConfiguration", e.NoSuchLifecycleConfiguration),
        ("GetBucketWebsite", e.NoSuchWebsiteConfiguration),
        ("GetBucketReplication", e.ReplicationConfigurationNotFound),
        ("GetObjectLockConfiguration", e.ObjectLockConfigurationNotFound),
    ],
)
def test_what_was_never_set_is_not_found(world: World, name: str, error: type[e.S3Error]) -> None:
    with pytest.raises(error) as caught:
        do(world, name)
    assert caught.value.details == {"BucketName": "pictures"}


@pytest.mark.parametrize(
    ("name", "root", "content"),
    [
        ("GetBucketLogging", "BucketLoggingStatus", {}),
        ("GetBucketNotificationConfiguration", "NotificationConfiguration", {}),
        ("GetBucketRequestPayment", "RequestPaymentConfiguration", {"Payer": "BucketOwner"}),
        ("GetBucketAccelerateConfiguration", "AccelerateConfiguration", {}),
    ],
)
def test_what_is_empty(world: World, name: str, root: str, content: dict[str, str]) -> None:
    assert texts(xml(do(world, name), root)) == content


def test_each_operation_asks_for_its_action(world: World) -> None:
    bob = world.user("bob")
    for row in OPERATIONS:
        with pytest.raises(e.AccessDenied, match=f"not authorized to perform: {row.action} on resource"):
            do(world, row.name, by=bob, key="k" if row.level is Level.OBJECT else "")


def test_the_owner_that_is_expected(world: World) -> None:
    do(world, "GetBucketAcl", headers={"x-amz-expected-bucket-owner": ACCOUNT})
    with pytest.raises(e.AccessDenied, match="Access Denied"):
        do(world, "GetBucketAcl", headers={"x-amz-expected-bucket-owner": AWAY})


def test_there_is_no_bucket(world: World) -> None:
    call = world.call(ROWS["PutBucketPolicy"], world.root, bucket="nowhere", body=policy(EVERYBODY))
    with pytest.raises(e.NoSuchBucket):
        call.operation.handler(call)
