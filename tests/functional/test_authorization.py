"""Who may do what, as boto3 sets it up and meets it: policies, grants and sessions in strict mode on two workers."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.functional.server_process import Access, ServerProcess
from tests.functional.test_boundaries import ACCOUNT, OTHER, refusal, text
from tests.functional.test_sts import document, temporary, trust

ROOT = f"arn:aws:iam::{ACCOUNT}:root"
CLIENTS = 6


class User(NamedTuple):
    """A user and its access key."""

    name: str
    arn: str
    access: Access

    @property
    def kms(self) -> Any:
        return self.access.client("kms")


def allow(*actions: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": "*"} | more


def of(arn: str, *actions: str, **more: Any) -> dict[str, Any]:
    return allow(*actions, Principal={"AWS": arn}, **more)


def key_of(server: ServerProcess, *statements: dict[str, Any]) -> str:
    """A new key's ARN; the root may manage it, and no more."""
    managing = of(ROOT, "kms:PutKeyPolicy", "kms:GetKeyPolicy", "kms:CreateGrant")
    made = server.client("kms").create_key(Policy=document(managing, *statements))
    return str(made["KeyMetadata"]["Arn"])


def signing(root: Access, name: str, arn: str) -> User:
    key = root.client("iam").create_access_key(UserName=name)["AccessKey"]
    return User(name, arn, Access(root.url, key["AccessKeyId"], key["SecretAccessKey"]))


def user(root: Access, *statements: dict[str, Any], name: str | None = None) -> User:
    """A new user with an access key and, where there are statements, an inline policy."""
    iam, name = root.client("iam"), name or f"u{uuid4().hex[:8]}"
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(*statements))
    return signing(root, name, arn)


def role(server: ServerProcess, *statements: dict[str, Any]) -> str:
    """The ARN of a new role of the account's own."""
    iam, name = server.client("iam"), f"r{uuid4().hex[:8]}"
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(ROOT))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))
    return str(arn)


def session(server: ServerProcess, arn: str, name: str, **members: Any) -> Any:
    """A client of a new session of a role."""
    sts = user(server.access, allow("sts:AssumeRole")).access.client("sts")
    return temporary(
        server.access, "kms", sts.assume_role(RoleArn=arn, RoleSessionName=name, **members)
    )  # fmt: skip


def everywhere(one: User, call: Callable[[Any], Any]) -> set[str]:
    """How a call ends over connections of their own, so that each worker gets some."""

    def outcome(client: Any) -> str:
        try:
            call(client)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "allowed"

    with ThreadPoolExecutor(CLIENTS) as pool:
        return set(pool.map(outcome, [one.kms for _ in range(CLIENTS)]))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("server"), env={"KMS_SERVER_CLOCK_CONTROL": "1"})
    yield process
    assert process.stop() == 0
    assert "Traceback" not in process.log.read_text()


@pytest.fixture(scope="module")
def partner(server: ServerProcess) -> Access:
    """The root of another account."""
    return server.new_access_key(OTHER)


def test_an_identity_policy_counts_where_the_key_policy_leaves_it_to_the_account(
    server: ServerProcess,
) -> None:
    keeper, mira = user(server.access, allow("kms:*")), user(server.access, allow("kms:Encrypt"))
    alone = of(keeper.arn, "kms:*")
    key = keeper.kms.create_key(Policy=document(alone))["KeyMetadata"]["Arn"]

    def encrypt(kms: Any) -> Any:
        return kms.encrypt(KeyId=key, Plaintext=b"x")

    assert text(encrypt, kms=mira.kms) == (
        f"User: {mira.arn} is not authorized to perform: kms:Encrypt on resource: {key} "
        "because no resource-based policy allows the kms:Encrypt action"
    )
    assert refusal(encrypt, kms=server.client("kms")) == "AccessDeniedException"
    for _ in range(3):
        keeper.kms.put_key_policy(KeyId=key, Policy=document(alone, of(ROOT, "kms:*")))
        assert everywhere(mira, encrypt) == {"allowed"}
        keeper.kms.put_key_policy(KeyId=key, Policy=document(alone))
        assert everywhere(mira, encrypt) == {"AccessDeniedException"}


def test_a_users_own_deny_beats_a_grant_whose_token_works_at_once(server: ServerProcess) -> None:
    mira = user(server.access, allow("kms:Encrypt", Effect="Deny"))
    key, context = key_of(server), {"tenant": "7"}
    made = server.client("kms").create_grant(
        KeyId=key, GranteePrincipal=mira.arn, Operations=["Encrypt", "GenerateDataKey"],
        Constraints={"EncryptionContextEquals": context},
    )  # fmt: skip
    asked = {"KeyId": key, "EncryptionContext": context, "GrantTokens": [made["GrantToken"]]}
    assert everywhere(mira, lambda kms: kms.generate_data_key(**asked, KeySpec="AES_256")) == {"allowed"}
    more = asked | {"EncryptionContext": context | {"more": "1"}}
    assert refusal(mira.kms.generate_data_key, **more, KeySpec="AES_256") == "AccessDeniedException"
    told = text(mira.kms.encrypt, **asked, Plaintext=b"x")
    assert told.endswith("with an explicit deny in an identity-based policy")


def test_another_accounts_user_needs_both_sides(server: ServerProcess, partner: Access) -> None:
    key = key_of(server, of(f"arn:aws:iam::{OTHER}:root", "kms:Encrypt"))
    bare, allowed = user(partner), user(partner, allow("kms:*"))
    assert refusal(bare.kms.encrypt, KeyId=key, Plaintext=b"x") == "AccessDeniedException"
    assert everywhere(allowed, lambda kms: kms.encrypt(KeyId=key, Plaintext=b"x")) == {"allowed"}
    assert refusal(allowed.kms.generate_data_key, KeyId=key, KeySpec="AES_256") == "AccessDeniedException"
    partner.client("iam").put_user_policy(
        UserName=bare.name, PolicyName="p", PolicyDocument=document(allow("kms:Encrypt"))
    )
    assert everywhere(bare, lambda kms: kms.encrypt(KeyId=key, Plaintext=b"x")) == {"allowed"}


def test_a_session_has_no_more_than_its_policy_and_its_role(server: ServerProcess) -> None:
    arn = role(server, allow("kms:Encrypt", "kms:Decrypt"))
    key = key_of(server, of(ROOT, "kms:*"))
    own = document(allow("kms:Encrypt", "kms:DescribeKey"))
    kms, whole = session(server, arn, "s-1", Policy=own), session(server, arn, "s-2")
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert "no session policy allows" in text(kms.decrypt, CiphertextBlob=blob)
    assert "no identity-based policy allows" in text(kms.describe_key, KeyId=key)
    assert whole.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_a_session_ends(server: ServerProcess) -> None:
    key, arn = key_of(server, of(ROOT, "kms:*")), role(server, allow("kms:Encrypt"))
    short, longer = (session(server, arn, "s-1", DurationSeconds=seconds) for seconds in (900, 3_600))
    short.encrypt(KeyId=key, Plaintext=b"x")
    server.cli("clock", "advance", "901s")
    assert refusal(short.encrypt, KeyId=key, Plaintext=b"x") == "ExpiredTokenException"
    longer.encrypt(KeyId=key, Plaintext=b"x")


def test_a_key_for_a_service_refuses_direct_calls(server: ServerProcess) -> None:
    mira = user(server.access, allow("kms:*"))
    via = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    key = key_of(server, of(mira.arn, "kms:Encrypt", Condition=via))
    assert "no resource-based policy allows" in text(mira.kms.encrypt, KeyId=key, Plaintext=b"x")
    direct = {"Null": {"kms:ViaService": "true"}}
    server.client("kms").put_key_policy(
        KeyId=key, Policy=document(of(ROOT, "kms:*"), of(mira.arn, "kms:*", Effect="Deny", Condition=direct))
    )
    told = text(mira.kms.encrypt, KeyId=key, Plaintext=b"x")
    assert told.endswith("with an explicit deny in a resource-based policy")


def test_a_group_lends_its_policy_to_its_members(server: ServerProcess) -> None:
    iam, mira, group = server.client("iam"), user(server.access), f"g{uuid4().hex[:8]}"
    iam.create_group(GroupName=group)
    iam.put_group_policy(GroupName=group, PolicyName="p", PolicyDocument=document(allow("kms:ListKeys")))
    for _ in range(3):
        assert everywhere(mira, lambda kms: kms.list_keys()) == {"AccessDeniedException"}
        iam.add_user_to_group(GroupName=group, UserName=mira.name)
        assert everywhere(mira, lambda kms: kms.list_keys()) == {"allowed"}
        iam.remove_user_from_group(GroupName=group, UserName=mira.name)


def test_a_boundary_limits_what_policies_allow(server: ServerProcess) -> None:
    iam, mira = server.client("iam"), user(server.access, allow("kms:*"))
    policy = iam.create_policy(
        PolicyName=f"b{uuid4().hex[:8]}", PolicyDocument=document(allow("kms:ListKeys", "kms:ListAliases"))
    )["Policy"]["Arn"]
    for _ in range(3):
        iam.put_user_permissions_boundary(UserName=mira.name, PermissionsBoundary=policy)
        mira.kms.list_keys()
        assert "no permissions boundary allows" in text(mira.kms.create_key)
        assert everywhere(mira, lambda kms: kms.create_key()) == {"AccessDeniedException"}
        iam.delete_user_permissions_boundary(UserName=mira.name)
        assert everywhere(mira, lambda kms: kms.generate_random(NumberOfBytes=8)) == {"allowed"}


def test_a_user_of_the_same_name_gets_nothing_of_the_former(server: ServerProcess) -> None:
    iam, former = server.client("iam"), user(server.access)
    key = key_of(server, of(former.arn, "kms:Encrypt"))
    token = server.client("kms").create_grant(
        KeyId=key, GranteePrincipal=former.arn, Operations=["GenerateDataKey"]
    )["GrantToken"]
    calls: tuple[Callable[[Any], Any], ...] = (
        lambda kms: kms.encrypt(KeyId=key, Plaintext=b"x"),
        lambda kms: kms.generate_data_key(KeyId=key, KeySpec="AES_256", GrantTokens=[token]),
    )
    unique_id = iam.get_user(UserName=former.name)["User"]["UserId"]
    for call in calls:
        assert everywhere(former, call) == {"allowed"}
    iam.delete_access_key(UserName=former.name, AccessKeyId=former.access.access_key_id)
    iam.delete_user(UserName=former.name)
    later = user(server.access, name=former.name)
    assert later.arn == former.arn
    for call in calls:
        assert everywhere(later, call) == {"AccessDeniedException"}
        assert everywhere(former, call) == {"UnrecognizedClientException"}
    shown = server.client("kms").get_key_policy(KeyId=key)["Policy"]
    assert unique_id in shown
    assert former.arn not in shown


def test_denied_calls_are_recorded_with_who_made_them(server: ServerProcess, partner: Access) -> None:
    key, arn = key_of(server), role(server, allow("kms:Encrypt"))
    mira, stranger = user(server.access, allow("kms:*")), user(partner, allow("kms:*"))
    assumed = f"arn:aws:sts::{ACCOUNT}:assumed-role/{arn.rpartition('/')[2]}/s-1"
    for kms, trail, kind, caller in (
        (mira.kms, server.access, "IAMUser", mira.arn),
        (session(server, arn, "s-1"), server.access, "AssumedRole", assumed),
        (stranger.kms, partner, "IAMUser", stranger.arn),
    ):
        with pytest.raises(ClientError) as denied:
            kms.encrypt(KeyId=key, Plaintext=b"x")
        request = denied.value.response["ResponseMetadata"]["RequestId"]
        recorded = (
            json.loads(event["CloudTrailEvent"])
            for event in trail.client("cloudtrail").lookup_events(
                LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "Encrypt"}]
            )["Events"]
        )
        (record,) = (one for one in recorded if one["requestID"] == request)
        assert record["errorCode"] == "AccessDenied"
        assert record["errorMessage"] == denied.value.response["Error"]["Message"]
        assert (record["userIdentity"]["type"], record["userIdentity"]["arn"]) == (kind, caller)
        if kind == "AssumedRole":
            assert record["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"] == arn
