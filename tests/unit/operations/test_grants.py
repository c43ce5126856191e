"""What grants allow, whom, and that they allow it at once (AWS KMS "Grants in AWS KMS")."""

import json
from typing import Any

import pytest

from tests.unit.operations import query_service as query
from tests.unit.operations.granting import (
    ALLOWED,
    DENIED,
    OTHER,
    OTHER_ROOT,
    ROOT,
    delete,
    encrypts,
    grant,
    role,
    session,
    tried,
    user,
)
from tests.unit.operations.key_kinds import Keys
from tests.unit.operations.service import ACCOUNT, REPLICA_REGION, Service

CONTEXT, ANOTHER = {"tenant": "7", "app": "x"}, {"tenant": "8", "app": "x"}


@pytest.mark.covers("grants: operations", "allowed")
@pytest.mark.covers("grants: operations", "denied")
@pytest.mark.covers("evaluation: same account, grant", "allowed")
@pytest.mark.covers("evaluation: same account, grant", "denied")
@pytest.mark.covers("grants: content", "denied")
def test_the_grantee_does_what_was_granted_on_that_key(service: Service, keys: Keys) -> None:
    one, two, arn = user(service), user(service), keys.new("symmetric")
    assert not encrypts(service, one, arn)
    grant(service, arn, one.arn, "Encrypt", "DescribeKey")
    assert encrypts(service, one, arn)
    assert tried(service, one, "DescribeKey", KeyId=arn) == ALLOWED
    sealed = service.ok("Encrypt", KeyId=arn, Plaintext=b"p")["CiphertextBlob"]
    assert tried(service, one, "Decrypt", CiphertextBlob=sealed) == DENIED
    assert tried(service, one, "GetKeyPolicy", KeyId=arn) == DENIED
    assert not encrypts(service, one, keys.arn("symmetric"))
    assert not encrypts(service, two, arn)


@pytest.mark.parametrize(
    ("kind", "operation", "members"),
    [
        ("signing", "Sign", {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}),
        ("signing", "GetPublicKey", {}),
        ("mac", "GenerateMac", {"Message": b"m", "MacAlgorithm": "HMAC_SHA_224"}),
        ("ml-kem", "Encapsulate", {"EncapsulationAlgorithm": "ML_KEM"}),
        ("symmetric", "GenerateDataKey", {"KeySpec": "AES_256"}),
        ("symmetric", "GenerateDataKeyWithoutPlaintext", {"KeySpec": "AES_256"}),
        ("symmetric", "GenerateDataKeyPair", {"KeyPairSpec": "ECC_NIST_P256"}),
        ("symmetric", "GenerateDataKeyPairWithoutPlaintext", {"KeyPairSpec": "ECC_NIST_P256"}),
    ],
)
def test_each_operation_is_granted_by_its_name(
    service: Service, keys: Keys, kind: str, operation: str, members: dict[str, Any]
) -> None:
    caller, arn = user(service), keys.arn(kind)
    grant(service, arn, caller.arn, "DescribeKey")
    assert tried(service, caller, operation, KeyId=arn, **members) == DENIED
    grant(service, arn, caller.arn, operation)
    assert tried(service, caller, operation, KeyId=arn, **members) == ALLOWED


@pytest.mark.covers("grants: grantee principal", "allowed")
def test_sessions_of_a_role_and_a_single_one(service: Service, keys: Keys) -> None:
    all_of_it, arn = role(service), keys.new("symmetric")
    first, second = (session(service, all_of_it, name) for name in ("s-1", "s-2"))
    single = grant(service, arn, first.arn, "Encrypt")
    assert (encrypts(service, first, arn), encrypts(service, second, arn)) == (True, False)
    service.ok("RevokeGrant", KeyId=arn, GrantId=single["GrantId"])
    assert not encrypts(service, first, arn)
    grant(service, arn, all_of_it.arn, "Encrypt")
    assert (encrypts(service, first, arn), encrypts(service, second, arn)) == (True, True)
    assert not encrypts(service, session(service, role(service)), arn)


@pytest.mark.covers("grants: grantee principal", "allowed")
def test_a_federated_user(service: Service, keys: Keys) -> None:
    maker, arn = user(service, query.allow("sts:GetFederationToken", "kms:Encrypt")), keys.new("symmetric")
    # The identity policies of its maker reach no key whose policy leaves nothing to the account.
    name = f"arn:aws:sts::{ACCOUNT}:federated-user/bob"
    only_root_manages = query.document(
        {"Effect": "Allow", "Principal": {"AWS": ROOT}, "NotAction": "kms:Encrypt", "Resource": "*"}
    )
    service.ok("PutKeyPolicy", KeyId=arn, Policy=only_root_manages)
    told = query.ok(
        service, "sts", "GetFederationToken", by=maker.by, Name="bob", Policy=query.document(query.allow("kms:*"))
    )  # fmt: skip
    bob = maker._replace(by=query.credentials(told))
    assert not encrypts(service, bob, arn)
    grant(service, arn, name, "Encrypt")
    assert encrypts(service, bob, arn)
    assert not encrypts(service, maker, arn)


@pytest.mark.covers("grants: grantee principal", "allowed")
def test_an_account_leaves_it_to_its_policies(service: Service, keys: Keys) -> None:
    arn = keys.new("symmetric")
    only_root_manages = query.document(
        {"Effect": "Allow", "Principal": {"AWS": ROOT}, "NotAction": "kms:Encrypt", "Resource": "*"}
    )
    service.ok("PutKeyPolicy", KeyId=arn, Policy=only_root_manages)
    may, may_not = user(service, query.allow("kms:Encrypt")), user(service)
    assert not encrypts(service, may, arn)
    grant(service, arn, ROOT, "Encrypt")
    assert (encrypts(service, may, arn), encrypts(service, may_not, arn)) == (True, False)


@pytest.mark.covers("evaluation: cross account, grant", "allowed")
@pytest.mark.covers("evaluation: cross account, grant", "denied")
def test_another_account_needs_its_own_policy_too(service: Service, keys: Keys) -> None:
    service.account(OTHER)
    arn = keys.new("symmetric")
    may, may_not = user(service, query.allow("kms:*"), account=OTHER), user(service, account=OTHER)
    for caller in (may, may_not):
        grant(service, arn, caller.arn, "Encrypt")
    assert (encrypts(service, may, arn), encrypts(service, may_not, arn)) == (True, False)


@pytest.mark.covers("grants: grantee principal", "denied")
@pytest.mark.parametrize(
    "name",
    [
        f"arn:aws:iam::{ACCOUNT}:user/nobody", f"arn:aws:iam::{ACCOUNT}:role/nobody", f"arn:aws:iam::{ACCOUNT}:group/g",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/nobody/s-1", "arn:aws:iam::999900001111:root",
        "arn:aws:sts::999900001111:federated-user/bob", "s3.amazonaws.com", ACCOUNT,
    ],
)  # fmt: skip
def test_who_does_not_exist_gets_nothing(service: Service, keys: Keys, name: str) -> None:
    refusal = ("InvalidArnException", f"ARN does not refer to a valid principal: {name}")
    asked: Any = {"KeyId": keys.arn("symmetric"), "Operations": ["Encrypt"]}
    assert service.unchanged("CreateGrant", **asked, GranteePrincipal=name) == refusal
    assert service.unchanged("CreateGrant", **asked, GranteePrincipal=ROOT, RetiringPrincipal=name) == refusal


def test_a_path_is_part_of_a_name_and_a_unique_id_is_none(service: Service, keys: Keys) -> None:
    caller, arn = user(service), keys.arn("symmetric")
    for name in (caller.arn.replace("user/", "user/a/"), caller.arn.upper(), caller.unique_id):
        refusal = service.refused(
            "CreateGrant", KeyId=arn, GranteePrincipal=name, Operations=["Encrypt"]
        )  # fmt: skip
        assert refusal.code == "InvalidArnException"


def test_who_gets_the_name_of_somebody_deleted_gets_no_grant(service: Service, keys: Keys) -> None:
    arn = keys.new("symmetric")
    first = user(service, name="again")
    asked: Any = {"Name": "n", "RetiringPrincipal": first.arn}
    made = grant(service, arn, first.arn, "Encrypt", **asked)
    assert encrypts(service, first, arn)
    delete(service, first.unique_id)
    (entry,) = service.ok("ListGrants", KeyId=arn)["Grants"]
    assert (entry["GranteePrincipal"], entry["RetiringPrincipal"]) == (first.unique_id, first.unique_id)
    second = user(service, name="again")
    assert second.arn == first.arn
    assert not encrypts(service, second, arn)
    assert tried(service, second, "RetireGrant", KeyId=arn, GrantId=made["GrantId"]) == DENIED
    assert service.ok("ListGrants", KeyId=arn, GranteePrincipal=second.arn)["Grants"] == []
    # The same words from now on are about somebody else.
    assert grant(service, arn, second.arn, "Encrypt", **asked)["GrantId"] != made["GrantId"]
    assert encrypts(service, second, arn)


@pytest.mark.covers("grants: EncryptionContextEquals", "allowed")
@pytest.mark.covers("grants: EncryptionContextEquals", "denied")
@pytest.mark.covers("grants: EncryptionContextSubset", "allowed")
@pytest.mark.covers("grants: EncryptionContextSubset", "denied")
def test_a_grant_is_bound_to_its_encryption_context(service: Service, keys: Keys) -> None:
    exact, part, arn = user(service), user(service), keys.new("symmetric")
    grant(service, arn, exact.arn, "Encrypt", Constraints={"EncryptionContextEquals": CONTEXT})
    grant(service, arn, part.arn, "Encrypt", Constraints={"EncryptionContextSubset": {"tenant": "7"}})
    for context, by_exact, by_part in (
        (CONTEXT, True, True), (ANOTHER, False, False), ({}, False, False), ({"tenant": "7"}, False, True),
        (CONTEXT | {"more": "1"}, False, True), ({"Tenant": "7", "app": "x"}, False, False),
    ):  # fmt: skip
        told = [encrypts(service, caller, arn, EncryptionContext=context) for caller in (exact, part)]
        assert told == [by_exact, by_part], context


@pytest.mark.covers("grants: constraints on metadata", "allowed")
@pytest.mark.covers("grants: constraints on metadata", "denied")
def test_the_context_does_not_bind_what_is_not_about_data(service: Service, keys: Keys) -> None:
    caller, arn = user(service), keys.new("symmetric")
    bound = {"EncryptionContextEquals": CONTEXT}
    made = grant(service, arn, caller.arn, "DescribeKey", "RetireGrant", "GenerateDataKey", Constraints=bound)
    assert tried(service, caller, "DescribeKey", KeyId=arn) == ALLOWED
    assert tried(service, caller, "GenerateDataKey", KeyId=arn, KeySpec="AES_256") == DENIED
    assert tried(service, caller, "RetireGrant", KeyId=arn, GrantId=made["GrantId"]) == ALLOWED


@pytest.mark.covers("grants: SourceArn", "denied")
def test_a_grant_for_a_source_needs_one(service: Service, keys: Keys) -> None:
    caller, arn = user(service), keys.new("symmetric")
    source = {"SourceArn": "arn:aws:s3:us-east-1:000000000000:bucket"}
    made = grant(service, arn, caller.arn, "Encrypt", "DescribeKey", "RetireGrant", Constraints=source)
    assert not encrypts(service, caller, arn)
    assert tried(service, caller, "DescribeKey", KeyId=arn) == DENIED
    assert tried(service, caller, "RetireGrant", GrantToken=made["GrantToken"]) == ALLOWED


@pytest.mark.covers("evaluation: ReEncrypt", "allowed")
@pytest.mark.covers("evaluation: ReEncrypt", "denied")
def test_each_side_of_re_encrypt_has_its_own_context(service: Service, keys: Keys) -> None:
    caller, source, target = user(service), keys.new("symmetric"), keys.new("symmetric")
    sealed = service.ok("Encrypt", KeyId=source, Plaintext=b"p", EncryptionContext=CONTEXT)["CiphertextBlob"]
    asked: Any = {"CiphertextBlob": sealed, "SourceEncryptionContext": CONTEXT, "DestinationKeyId": target}

    def moved(context: dict[str, str]) -> str:
        return tried(service, caller, "ReEncrypt", **asked, DestinationEncryptionContext=context)

    grant(service, source, caller.arn, "ReEncryptFrom", Constraints={"EncryptionContextEquals": CONTEXT})
    assert moved(ANOTHER) == DENIED
    grant(service, target, caller.arn, "ReEncryptTo", Constraints={"EncryptionContextEquals": ANOTHER})
    assert (moved(ANOTHER), moved(CONTEXT)) == (ALLOWED, DENIED)
    back: Any = {"CiphertextBlob": sealed, "SourceEncryptionContext": CONTEXT, "DestinationKeyId": source}
    assert tried(service, caller, "ReEncrypt", **back) == DENIED


@pytest.mark.covers("grants: id and token", "allowed")
@pytest.mark.covers("grants: id and token", "denied")
@pytest.mark.covers("grants: tokens and consistency", "allowed")
@pytest.mark.covers("grants: tokens and consistency", "denied")
def test_tokens_add_nothing_and_must_be_some(service: Service, keys: Keys) -> None:
    caller, arn = user(service), keys.new("symmetric")
    made = grant(service, arn, caller.arn, "Encrypt")
    elsewhere = grant(service, keys.arn("symmetric"), caller.arn, "Decrypt")["GrantToken"]
    for tokens in ([], [made["GrantToken"]], [elsewhere], [elsewhere, made["GrantToken"]]):
        assert encrypts(service, caller, arn, GrantTokens=tokens)
    asked: Any = {"KeyId": arn, "Plaintext": b"p"}
    for wrong in ("x", made["GrantToken"][:-4], made["GrantId"]):
        assert tried(service, caller, "Encrypt", **asked, GrantTokens=[wrong]) == "InvalidGrantTokenException"
    service.ok("RevokeGrant", KeyId=arn, GrantId=made["GrantId"])
    assert not encrypts(service, caller, arn, GrantTokens=[made["GrantToken"]])


@pytest.mark.covers("evaluation: deny in the key policy", "denied")
def test_a_deny_beats_a_grant(service: Service, keys: Keys) -> None:
    arn = keys.new("symmetric")
    by_itself = user(service, query.allow("kms:Encrypt", effect="Deny"))
    by_key = user(service)
    for caller in (by_itself, by_key):
        grant(service, arn, caller.arn, "Encrypt")
    assert (encrypts(service, by_itself, arn), encrypts(service, by_key, arn)) == (False, True)
    policy = json.loads(service.ok("GetKeyPolicy", KeyId=arn)["Policy"])
    policy["Statement"].append(
        {"Effect": "Deny", "Principal": {"AWS": by_key.arn}, "Action": "kms:Encrypt", "Resource": "*"}
    )
    service.ok("PutKeyPolicy", KeyId=arn, Policy=json.dumps(policy))
    text = f"User: {by_key.arn} is not authorized to perform: kms:Encrypt on resource: {arn} "
    refusal = service.refused("Encrypt", by=by_key.by, KeyId=arn, Plaintext=b"p")
    assert refusal == (DENIED, f"{text}with an explicit deny in a resource-based policy")


def test_what_strangers_are_told_with_a_grant_in_play(service: Service, keys: Keys) -> None:
    """A grant for another caller, operation or context shows nothing of the key to its holder's account."""
    service.account(OTHER)
    stranger, friend = (user(service, query.allow("kms:*"), account=OTHER) for _ in range(2))
    arn = keys.new("symmetric")
    bound = {"EncryptionContextEquals": CONTEXT}
    grant(service, arn, friend.arn, "Encrypt", Constraints=bound)
    missing = arn[:-12] + "0" * 12
    for caller in (stranger, friend):
        hidden, absent = (
            service.refused("Encrypt", by=caller.by, KeyId=key, Plaintext=b"p") for key in (arn, missing)
        )
        assert hidden == absent
    assert encrypts(service, friend, arn, EncryptionContext=CONTEXT)
    sealed = service.ok("Encrypt", KeyId=arn, Plaintext=b"p")["CiphertextBlob"]
    told = service.refused("Decrypt", by=friend.by, CiphertextBlob=sealed)
    assert told.text.startswith("The ciphertext refers to a customer master key that does not exist")


@pytest.mark.covers("grants: key deletion", "allowed")
@pytest.mark.covers("grants: key deletion", "denied")
def test_grants_go_with_a_replica_and_do_not_come_back(service: Service, keys: Keys) -> None:
    caller, arn = user(service), keys.new("primary")
    key_id = arn.rpartition("/")[2]
    replicate: Any = {"KeyId": arn, "ReplicaRegion": REPLICA_REGION}
    grant(service, arn, caller.arn, "Encrypt")
    service.ok("ReplicateKey", **replicate)
    elsewhere: Any = {"region": REPLICA_REGION, "KeyId": key_id}
    encrypting: Any = elsewhere | {"Plaintext": b"p"}
    assert tried(service, caller, "Encrypt", **encrypting) == DENIED
    service.ok("CreateGrant", **elsewhere, GranteePrincipal=caller.arn, Operations=["Encrypt"])
    assert tried(service, caller, "Encrypt", **encrypting) == ALLOWED
    service.ok("DisableKey", **elsewhere)
    assert tried(service, caller, "Encrypt", **encrypting) == "DisabledException"
    service.ok("EnableKey", **elsewhere)
    assert tried(service, caller, "Encrypt", **encrypting) == ALLOWED
    service.ok("ScheduleKeyDeletion", **elsewhere, PendingWindowInDays=7)
    service.advance(8 * 86_400)
    service.ok("ReplicateKey", **replicate)
    assert tried(service, caller, "Encrypt", **encrypting) == DENIED
    assert service.ok("ListGrants", **elsewhere)["Grants"] == []
    assert encrypts(service, caller, arn)


@pytest.mark.covers("evaluation: retirable grants", "allowed")
@pytest.mark.covers("evaluation: retirable grants", "denied")
def test_who_may_list_what_can_be_retired(service: Service, keys: Keys) -> None:
    one, two = user(service), user(service)
    made = grant(service, keys.new("symmetric"), ROOT, "Encrypt", RetiringPrincipal=one.arn)
    lister = user(service, query.allow("kms:ListRetirableGrants", Resource=one.arn))
    (found,) = service.ok("ListRetirableGrants", by=lister.by, RetiringPrincipal=one.arn)["Grants"]
    assert found["GrantId"] == made["GrantId"]
    refusal = service.refused("ListRetirableGrants", by=lister.by, RetiringPrincipal=two.arn)
    assert refusal.code == DENIED
    assert f"on resource: {two.arn} because no identity-based policy" in refusal.text
    assert service.refused("ListRetirableGrants", by=one.by, RetiringPrincipal=one.arn).code == DENIED
    assert service.refused("ListRetirableGrants", RetiringPrincipal=OTHER_ROOT).code == "InvalidArnException"
