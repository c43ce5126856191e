"""Grants: made, listed, retired and revoked, and what they allow."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.functional.server_process import ServerProcess
from tests.functional.test_boundaries import OTHER, refusal, shared_key, text

ROOT = "arn:aws:iam::000000000000:root"
ALICE = "arn:aws:iam::000000000000:user/alice"
NOTHING = {"Statement": {"Effect": "Allow", "Action": "none:*", "Resource": "*"}}
SERVICE = {"GranteeServicePrincipal": "backup.eu-west-1.amazonaws.com", "RetiringPrincipal": ROOT}
SOURCE = {"SourceArn": "arn:aws:backup:eu-west-1:000000000000:vault:v"}


@pytest.fixture(scope="module", autouse=True)
def alice(server: ServerProcess) -> Any:
    """The client of a user who may do nothing of her own."""
    return server.user_client("kms", "alice", NOTHING)


class Somebody(NamedTuple):
    """A user whom no policy allows anything, and a client."""

    arn: str
    kms: Any


def somebody(server: ServerProcess) -> Somebody:
    name = f"u{uuid4().hex[:8]}"
    return Somebody(ALICE.replace("alice", name), server.user_client("kms", name, NOTHING))


def granted(kms: Any, key_id: str, **members: Any) -> dict[str, Any]:
    made: dict[str, Any] = kms.create_grant(
        **{"KeyId": key_id, "GranteePrincipal": ALICE, "Operations": ["Encrypt", "Decrypt"]} | members
    )
    return made


def ids(kms: Any, key_id: str, **filters: Any) -> set[str]:
    return {one["GrantId"] for one in kms.list_grants(KeyId=key_id, **filters)["Grants"]}


@pytest.mark.covers("grants: content", "allowed")
@pytest.mark.covers("grants: ListGrants entry", "allowed")
@pytest.mark.covers("grants: ListGrants entry", "denied")
def test_a_grant_is_listed_as_it_was_asked_for(server: ServerProcess) -> None:
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]
    constraints = {"EncryptionContextSubset": {"a": "b"}}
    made = granted(kms, key["KeyId"], Name="n", RetiringPrincipal=ROOT, Constraints=constraints)
    assert len(made["GrantId"]) == 64
    (listed,) = kms.list_grants(KeyId=key["Arn"])["Grants"]
    listed.pop("CreationDate")
    assert listed == {
        "KeyId": key["Arn"], "GrantId": made["GrantId"], "Name": "n", "GranteePrincipal": ALICE,
        "RetiringPrincipal": ROOT, "IssuingAccount": ROOT, "Operations": ["Encrypt", "Decrypt"],
        "Constraints": constraints,
    }  # fmt: skip
    bare = granted(kms, key["KeyId"])
    (other,) = kms.list_grants(KeyId=key["KeyId"], GrantId=bare["GrantId"])["Grants"]
    assert other["Name"] == ""
    assert "Constraints" not in other
    assert ids(kms, key["KeyId"], GranteePrincipal=ROOT) == set()


@pytest.mark.covers("grants: idempotency", "allowed")
@pytest.mark.covers("grants: idempotency", "denied")
def test_the_same_named_request_gives_the_same_grant(server: ServerProcess) -> None:
    kms = server.client("kms")
    one, other = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    first, again = granted(kms, one, Name="n"), granted(kms, one, Name="n")
    assert first["GrantId"] == again["GrantId"]
    assert first["GrantToken"] != again["GrantToken"]
    different = [
        granted(kms, one, Name="n", Operations=["Encrypt"]),
        granted(kms, one),
        granted(kms, one),
        granted(kms, other, Name="n"),
    ]
    assert len({made["GrantId"] for made in (first, *different)}) == 5


def test_grants_are_retired_by_token_and_by_id(server: ServerProcess) -> None:
    kms = server.client("kms")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    first, second = granted(kms, key_id), granted(kms, key_id)
    with pytest.raises(ClientError, match="DryRunOperationException"):
        kms.retire_grant(GrantToken=first["GrantToken"], DryRun=True)
    kms.retire_grant(GrantToken=first["GrantToken"])
    assert refusal(kms.retire_grant, GrantToken=first["GrantToken"]) == "NotFoundException"
    assert ids(kms, key_id) == {second["GrantId"]}
    kms.retire_grant(KeyId=key_id, GrantId=second["GrantId"])
    assert ids(kms, key_id) == set()
    for token in ("x", first["GrantToken"][:-4], first["GrantToken"][::-1]):
        assert refusal(kms.retire_grant, GrantToken=token) == "InvalidGrantTokenException"
    assert refusal(kms.retire_grant) == "ValidationException"
    assert refusal(kms.retire_grant, KeyId=key_id) == "ValidationException"


def test_grants_are_revoked_by_who_may(server: ServerProcess) -> None:
    kms = server.client("kms")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    grant_id = granted(kms, key_id)["GrantId"]
    reader = server.user_client(
        "kms", f"reader{uuid4().hex[:8]}",
        {"Statement": {"Effect": "Allow", "Action": "kms:ListGrants", "Resource": "*"}},
    )  # fmt: skip
    assert ids(reader, key_id) == {grant_id}
    assert refusal(reader.revoke_grant, KeyId=key_id, GrantId=grant_id) == "AccessDeniedException"
    assert refusal(reader.retire_grant, KeyId=key_id, GrantId=grant_id) == "AccessDeniedException"
    stranger = server.account_client("kms", OTHER)
    arn = kms.describe_key(KeyId=key_id)["KeyMetadata"]["Arn"]
    for one in (grant_id, "0" * 64):
        assert refusal(stranger.retire_grant, KeyId=arn, GrantId=one) == "AccessDeniedException"
        assert refusal(reader.retire_grant, KeyId=arn, GrantId=one) == "AccessDeniedException"
    told = [
        one for one in server.audit_records("--account", OTHER, "--event", "RetireGrant")
        if one.get("resources") or one.get("additionalEventData")
    ]  # fmt: skip
    assert told == []
    assert refusal(kms.revoke_grant, KeyId=key_id, GrantId="x") == "InvalidGrantIdException"
    assert refusal(kms.revoke_grant, KeyId=key_id, GrantId="0" * 64) == "NotFoundException"
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    assert refusal(kms.revoke_grant, KeyId=other, GrantId=grant_id) == "NotFoundException"
    kms.revoke_grant(KeyId=key_id, GrantId=grant_id)
    assert ids(kms, key_id) == set()


def test_the_retiring_principal_finds_its_grants(server: ServerProcess) -> None:
    kms = server.client("kms", region_name="ca-central-1")
    key = kms.create_key()["KeyMetadata"]
    made = granted(kms, key["KeyId"], RetiringPrincipal=ALICE)
    granted(kms, key["KeyId"])
    (found,) = kms.list_retirable_grants(RetiringPrincipal=ALICE)["Grants"]
    assert (found["GrantId"], found["KeyId"]) == (made["GrantId"], key["Arn"])
    assert refusal(kms.list_retirable_grants, RetiringPrincipal=ALICE.replace("0" * 12, OTHER)) == (
        "InvalidArnException"
    )


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"Operations": ["Sign"]}, "ValidationException"),
        ({"Operations": ["GenerateMac", "Encrypt"]}, "ValidationException"),
        ({"Operations": []}, "ValidationException"),
        ({"GranteePrincipal": "alice"}, "InvalidArnException"),
        ({"GranteePrincipal": "arn:aws:iam::000000000000:group/g"}, "InvalidArnException"),
        ({"RetiringPrincipal": "arn:aws:s3:::bucket"}, "InvalidArnException"),
        ({"GranteePrincipal": "arn:aws:iam::000000000000:user/nobody"}, "InvalidArnException"),
        ({"RetiringPrincipal": "arn:aws:iam::999900001111:root"}, "InvalidArnException"),
        ({"GranteeServicePrincipal": "s3.amazonaws.com"}, "ValidationException"),
        (
            {"Constraints": {"EncryptionContextEquals": {str(n): "v" for n in range(9)}}},
            "ValidationException",
        ),
        ({"Constraints": {"EncryptionContextEquals": {"a": "v" * 385}}}, "ValidationException"),
        ({"GrantTokens": ["x"]}, "InvalidGrantTokenException"),
        ({"DryRun": True}, "DryRunOperationException"),
    ],
)
def test_what_cannot_be_granted_is_refused(server: ServerProcess, members: dict[str, Any], code: str) -> None:
    kms = server.client("kms")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    with pytest.raises(ClientError, match=code):
        granted(kms, key_id, **members)
    assert ids(kms, key_id) == set()


@pytest.mark.covers("grants: service grantee", "allowed")
@pytest.mark.covers("grants: service grantee", "denied")
def test_services_get_grants_that_are_bound_to_a_source(server: ServerProcess) -> None:
    kms = server.client("kms")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    asked: dict[str, Any] = {"KeyId": key_id, "Operations": ["Decrypt"]}
    assert refusal(kms.create_grant, **asked, **SERVICE) == "ValidationException"
    made = kms.create_grant(**asked, **SERVICE, Constraints=SOURCE)
    (listed,) = kms.list_grants(KeyId=key_id)["Grants"]
    assert (listed["GrantId"], listed["GranteeServicePrincipal"]) == (
        made["GrantId"], SERVICE["GranteeServicePrincipal"],
    )  # fmt: skip
    assert "GranteePrincipal" not in listed


def test_grants_go_with_their_key_and_bad_tokens_are_refused(server: ServerProcess) -> None:
    kms = server.client("kms")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    token = granted(kms, key_id)["GrantToken"]
    assert kms.encrypt(KeyId=key_id, Plaintext=b"x", GrantTokens=[token])["KeyId"].endswith(key_id)
    assert (
        refusal(kms.encrypt, KeyId=key_id, Plaintext=b"x", GrantTokens=["x"]) == "InvalidGrantTokenException"
    )
    kms.disable_key(KeyId=key_id)
    assert text(granted, kms=kms, key_id=key_id).endswith("is disabled.")
    assert len(ids(kms, key_id)) == 1


def test_accounts_do_not_share_grants(server: ServerProcess) -> None:
    kms, partner = server.client("kms"), server.account_client("kms", OTHER)
    arn = shared_key(kms)
    assert granted(kms, arn, Name="n")["GrantId"] != granted(partner, arn, Name="n")["GrantId"]


@pytest.mark.covers("grants: EncryptionContextSubset", "allowed")
@pytest.mark.covers("grants: EncryptionContextSubset", "denied")
def test_a_constrained_grant_allows_its_context_alone(server: ServerProcess) -> None:
    kms, user = server.client("kms"), somebody(server)
    key_id = kms.create_key()["KeyMetadata"]["Arn"]
    granted(
        kms, key_id, GranteePrincipal=user.arn, Constraints={"EncryptionContextSubset": {"tenant": "7"}}
    )  # fmt: skip
    mine, other = {"tenant": "7", "more": "1"}, {"tenant": "8"}
    sealed = user.kms.encrypt(KeyId=key_id, Plaintext=b"x", EncryptionContext=mine)["CiphertextBlob"]
    assert user.kms.decrypt(CiphertextBlob=sealed, EncryptionContext=mine)["Plaintext"] == b"x"
    foreign = kms.encrypt(KeyId=key_id, Plaintext=b"x", EncryptionContext=other)["CiphertextBlob"]
    assert (
        refusal(user.kms.decrypt, CiphertextBlob=foreign, EncryptionContext=other) == "AccessDeniedException"
    )
    assert refusal(user.kms.encrypt, KeyId=key_id, Plaintext=b"x") == "AccessDeniedException"


@pytest.mark.covers("grants: tokens and consistency", "allowed")
def test_a_grant_can_be_used_at_once_by_every_worker(server: ServerProcess) -> None:
    kms, user = server.client("kms"), somebody(server)
    key_id = kms.create_key()["KeyMetadata"]["Arn"]

    def encrypts(token: str | None) -> bool:
        # A connection of its own, so that any worker may get it.
        client = server.client("kms", **_credentials(user.kms))
        tokens = [] if token is None else [token]
        try:
            client.encrypt(KeyId=key_id, Plaintext=b"x", GrantTokens=tokens)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDeniedException"
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        for end in ("retire_grant", "revoke_grant", "retire_grant"):
            made = granted(kms, key_id, GranteePrincipal=user.arn)
            assert all(pool.map(encrypts, [made["GrantToken"], None] * 2))
            getattr(kms, end)(KeyId=key_id, GrantId=made["GrantId"])
            assert not any(pool.map(encrypts, [made["GrantToken"], None] * 2))


def test_a_deny_beats_a_grant(server: ServerProcess) -> None:
    kms, user = server.client("kms"), somebody(server)
    key_id = kms.create_key()["KeyMetadata"]["Arn"]
    granted(kms, key_id, GranteePrincipal=user.arn)
    user.kms.encrypt(KeyId=key_id, Plaintext=b"x")
    policy = json.loads(kms.get_key_policy(KeyId=key_id)["Policy"])
    policy["Statement"].append(
        {"Effect": "Deny", "Principal": {"AWS": user.arn}, "Action": "kms:Encrypt", "Resource": "*"}
    )
    kms.put_key_policy(KeyId=key_id, Policy=json.dumps(policy))
    told = text(user.kms.encrypt, KeyId=key_id, Plaintext=b"x")
    assert told.endswith("with an explicit deny in a resource-based policy")
    assert json.loads(kms.get_key_policy(KeyId=key_id)["Policy"]) == policy


@pytest.mark.covers("grants: child grants", "allowed")
@pytest.mark.covers("grants: child grants", "denied")
def test_a_grantee_passes_on_what_it_has(server: ServerProcess) -> None:
    kms, parent, child = server.client("kms"), somebody(server), somebody(server)
    key_id = kms.create_key()["KeyMetadata"]["Arn"]
    operations, bound = ["CreateGrant", "Encrypt"], {"EncryptionContextSubset": {"tenant": "7"}}
    granted(kms, key_id, GranteePrincipal=parent.arn, Operations=operations, Constraints=bound)
    asked: dict[str, Any] = {"kms": parent.kms, "key_id": key_id, "GranteePrincipal": child.arn}
    for wrong in ({"Operations": ["Encrypt"]}, {"Operations": ["Decrypt"], "Constraints": bound}):
        assert refusal(granted, **asked, **wrong) == "AccessDeniedException"
    granted(**asked, Operations=["Encrypt"], Constraints=bound)
    child.kms.encrypt(KeyId=key_id, Plaintext=b"x", EncryptionContext={"tenant": "7"})
    assert refusal(child.kms.encrypt, KeyId=key_id, Plaintext=b"x") == "AccessDeniedException"


def test_racing_calls_make_and_end_a_grant_once(server: ServerProcess) -> None:
    kms, user = server.client("kms"), somebody(server)
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    clients = [server.client("kms") for _ in range(4)]

    def make(client: Any) -> str:
        return str(granted(client, key_id, GranteePrincipal=user.arn, Name="once")["GrantId"])

    def end(client: Any) -> str:
        try:
            client.retire_grant(KeyId=key_id, GrantId=grant_id)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "ended"

    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            (grant_id,) = set(pool.map(make, clients * 2))
            assert ids(kms, key_id) == {grant_id}
            told = list(pool.map(end, clients * 2))
            assert sorted(told) == ["NotFoundException"] * 7 + ["ended"]
    assert ids(kms, key_id) == set()


def _credentials(client: Any) -> dict[str, str]:
    given = client._request_signer._credentials
    return {"aws_access_key_id": given.access_key, "aws_secret_access_key": given.secret_key}
