"""Key identifiers, operation by operation: what each form names, and AWS's words for the ones that name nothing."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.unit.operations import model_check
from tests.unit.operations.identified import ALIAS, CIPHERTEXT, IDENTIFIED, OTHER_KEY, Identified
from tests.unit.operations.service import ACCOUNT, REGION, Refusal, Service
from tests.unit.operations.state_matrix import WITHOUT_KEY

HERE = f"arn:aws:kms:{REGION}:{ACCOUNT}"
OTHER_ACCOUNT = "111122223333"
UNKNOWN = "1234abcd-12ab-34cd-56ef-1234567890ab"
UNKNOWN_MRK = "mrk-1234abcd12ab34cd56ef1234567890ab"
NOT_FOUND, INVALID_ARN = "NotFoundException", "InvalidArnException"
NO_ALIASES = Refusal(INVALID_ARN, "Key Aliases are not supported for this operation.")
TARGETS_ARE_KEYS = Refusal("ValidationException", "Aliases must refer to keys. Not aliases")
NOT_VISIBLE = (
    "because the resource does not exist in this Region, no resource-based policies allow access, or a "
    "resource-based policy explicitly denies access"
)

Ask = Callable[[Identified, str], dict[str, Any] | Refusal]
each = pytest.mark.parametrize("one", IDENTIFIED, ids=lambda one: f"{one.operation}-{one.member}")


@pytest.fixture(scope="module")
def ask(service: Service) -> Ask:
    """Sends the request of an operation with an identifier."""
    key_id = service.key()["KeyId"]
    service.ok("CreateAlias", AliasName="alias/present", TargetKeyId=key_id)
    ciphertext = service.ok("Encrypt", KeyId=key_id, Plaintext=b"p")["CiphertextBlob"]
    known = {CIPHERTEXT: ciphertext, OTHER_KEY: key_id, ALIAS: "alias/present"}

    def send(one: Identified, identifier: str) -> dict[str, Any] | Refusal:
        others: dict[str, Any] = {
            name: known[value] if value in (CIPHERTEXT, OTHER_KEY, ALIAS) else value
            for name, value in one.others.items()
        }
        return service.call(one.operation, **others | {one.member: identifier})

    return send


def test_every_operation_that_names_a_key_is_here() -> None:
    named = {one.operation for one in IDENTIFIED} | WITHOUT_KEY | {"DeleteAlias"}
    assert named == set(model_check.MODEL.operation_names)


@each
@pytest.mark.parametrize(
    ("identifier", "text"),
    [
        ("fake-key-id", "Invalid keyId 'fake-key-id'"),
        (UNKNOWN.replace("-", ""), f"Invalid keyId '{UNKNOWN.replace('-', '')}'"),
        ("mrk-xyz", "Invalid keyId 'mrk-xyz'"),
        (UNKNOWN, f"Key '{HERE}:key/{UNKNOWN}' does not exist"),
        (UNKNOWN_MRK, f"Key '{HERE}:key/{UNKNOWN_MRK}' does not exist"),
        (f"{HERE}:key/{UNKNOWN}", f"Key '{HERE}:key/{UNKNOWN}' does not exist"),
        (f"arn:aws:kms:eu-west-3:{ACCOUNT}:key/{UNKNOWN}", "Invalid arn eu-west-3"),
        (f"{HERE}:key/fake-key-id", "Invalid keyId fake-key-id"),
    ],
    ids=["malformed", "undashed", "multi-region-malformed", "unknown", "multi-region-unknown", "arn-unknown",
         "other-region", "arn-malformed-id"],
)  # fmt: skip
def test_what_names_no_key_is_not_found(ask: Ask, one: Identified, identifier: str, text: str) -> None:
    assert ask(one, identifier) == (NOT_FOUND, text)


@each
@pytest.mark.parametrize("prefix", ["", f"{HERE}:"], ids=["name", "arn"])
def test_an_alias_is_found_or_refused(ask: Ask, one: Identified, prefix: str) -> None:
    expected = TARGETS_ARE_KEYS if one.member == "TargetKeyId" else NO_ALIASES
    if one.takes_aliases:
        expected = Refusal(NOT_FOUND, f"Alias {HERE}:alias/absent is not found.")
    assert ask(one, f"{prefix}alias/absent") == expected
    if not one.takes_aliases:
        assert ask(one, f"{prefix}alias/present") == expected


@each
@pytest.mark.parametrize(
    "identifier", ["arn:aws:kms", f"{HERE}:cmk/{UNKNOWN}", f"arn:aws:s3:::{UNKNOWN}"], ids=["cut", "kind", "service"]
)  # fmt: skip
def test_what_is_no_key_arn_is_refused(ask: Ask, one: Identified, identifier: str) -> None:
    errors = {shape.name for shape in model_check.MODEL.operation_model(one.operation).error_shapes}
    code = INVALID_ARN if INVALID_ARN in errors else NOT_FOUND
    assert ask(one, identifier) == (code, f"Invalid arn {identifier}")


@each
def test_a_stranger_does_not_learn_whether_a_key_exists(ask: Ask, one: Identified) -> None:
    arn = f"arn:aws:kms:{REGION}:{OTHER_ACCOUNT}:key/{UNKNOWN}"
    caller = f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: {one.action} on this resource"
    assert ask(one, arn) == ("AccessDeniedException", f"{caller} {NOT_VISIBLE}")


@pytest.fixture(scope="module")
def foreign_key(service: Service) -> str:
    """The ARN of a key of another account that allows everything to this one."""
    principals = f'"arn:aws:iam::{OTHER_ACCOUNT}:root","arn:aws:iam::{ACCOUNT}:root"'
    policy = (
        f'{{"Statement":{{"Effect":"Allow","Principal":{{"AWS":[{principals}]}},'
        '"Action":"kms:*","Resource":"*"}}'
    )
    made = service.ok("CreateKey", by=service.account(OTHER_ACCOUNT), Policy=policy)
    arn: str = made["KeyMetadata"]["Arn"]
    return arn


@each
def test_another_accounts_key_is_for_the_operations_that_aws_documents(
    ask: Ask, one: Identified, foreign_key: str
) -> None:
    answer = ask(one, foreign_key)
    denied = isinstance(answer, Refusal) and answer.code == "AccessDeniedException"
    assert denied != one.cross_account


@pytest.mark.parametrize("one", [one for one in IDENTIFIED if one.takes_aliases and one.operation in
    {"Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair",
     "GenerateDataKeyPairWithoutPlaintext", "DescribeKey"}], ids=lambda one: f"{one.operation}-{one.member}")  # fmt: skip
def test_answers_name_the_key_by_its_arn(service: Service, one: Identified) -> None:
    key = service.key()
    alias = f"alias/{uuid4()}"
    service.ok("CreateAlias", AliasName=alias, TargetKeyId=key["KeyId"])
    sealed = service.ok("Encrypt", KeyId=alias, Plaintext=b"p")["CiphertextBlob"]
    known = {CIPHERTEXT: sealed, OTHER_KEY: key["KeyId"]}
    others = {n: known[v] if v in (CIPHERTEXT, OTHER_KEY) else v for n, v in one.others.items()}
    for identifier in (key["KeyId"], key["Arn"], alias, f"{HERE}:{alias}"):
        answer = service.ok(one.operation, **{one.member: identifier}, **others)
        shown = (
            answer.get("KeyMetadata", {}).get("Arn")
            or answer["SourceKeyId" if one.member == "SourceKeyId" else "KeyId"]
        )
        assert shown == key["Arn"]
