"""No secret reaches a record: not what is sent, not what is answered, however the call ends and wherever it stands."""

import base64
import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from marshmallow import fields

from kms_server.operations.call import Operation
from kms_server.operations.registry import OPERATIONS, find
from kms_server.schemas.fields import Blob, ListOf, Member, Structure
from tests.examples import examples
from tests.unit.operations import query_service as query
from tests.unit.operations.record_calls import TARGETS, Done, ask, body_of, exhausted
from tests.unit.operations.record_requests import of_iam, of_kms
from tests.unit.operations.service import Service
from tests.unit.operations.state_matrix import MATRIX, WITHOUT_KEY

Fields = Mapping[str, fields.Field[Any]]
ROWS = [*(row for row in MATRIX if " of " not in row), *sorted(WITHOUT_KEY)]
OTHERS = [one for one in OPERATIONS if one.service != "kms"]
MARKERS = st.binary(min_size=12, max_size=32)
ENDS = ("as it is", "too long", "mistyped", "denied", "throttled")
# What the schemas declare to be secret, at the least.
KNOWN = {
    "Plaintext", "CiphertextBlob", "Message", "Signature", "Mac", "PublicKey", "PrivateKeyPlaintext", "SharedSecret",
    "PrivateKeyCiphertextBlob", "SharedSecretCiphertextBlob", "ImportToken", "EncryptedKeyMaterial", "GrantTokens",
    "GrantToken", "KeyStorePassword", "RawSecretAccessKey", "SecretAccessKey", "SessionToken", "WebIdentityToken",
    "TokenCode", "AttestationDocument", "CiphertextForRecipient",
}  # fmt: skip


def inner(member: fields.Field[Any]) -> fields.Field[Any]:
    return member.inner if isinstance(member, ListOf) else member


def secrets(members: Fields) -> Iterator[tuple[str, Member]]:
    """Every secret member, nested ones too."""
    for name, member in members.items():
        one = inner(member)
        if isinstance(one, Structure):
            yield from secrets(one.schema_class().fields)
        elif isinstance(one, Member) and one.sensitive:
            yield name, one


def planted(members: Fields, value: Callable[[Member], str]) -> dict[str, Any]:
    """A document with a value at every secret member, and nothing else."""
    document: dict[str, Any] = {}
    for name, member in members.items():
        one = inner(member)
        found: Any = None
        if isinstance(one, Structure):
            found = planted(one.schema_class().fields, value)
        elif isinstance(one, Member) and one.sensitive:
            found = value(one)
        if found:
            document[name] = [found] if isinstance(member, ListOf) else found
    return document


def forms_of(secret: bytes) -> list[str]:
    """A secret as it may be written down."""
    plain = base64.b64encode(secret).decode()
    return [plain, plain.rstrip("="), base64.urlsafe_b64encode(secret).decode().rstrip("="), secret.hex(), secret.hex().upper(),
            base64.b64encode(secret.hex().encode()).decode().rstrip("="), *([secret.decode()] if secret.isascii() else [])]  # fmt: skip


def answered(members: Fields, document: Mapping[str, Any]) -> Iterator[bytes]:
    """The secrets of an answer in JSON."""
    for name, member in members.items():
        one, value = inner(member), document.get(name)
        if value is None:
            continue
        for item in value if isinstance(member, ListOf) else [value]:
            if isinstance(one, Structure):
                yield from answered(one.schema_class().fields, item)
            elif isinstance(one, Blob):
                yield base64.b64decode(item)
            elif isinstance(one, Member) and one.sensitive:
                yield item.encode()


@pytest.fixture(scope="module")
def user(service: Service) -> Credentials:
    return query.user(service, "all", query.allow("*"))[1]


@pytest.fixture(scope="module")
def nobody(service: Service) -> Credentials:
    return query.user(service, "nobody")[1]


def test_the_schemas_know_what_is_secret() -> None:
    declared = {
        name
        for operation in OPERATIONS
        for schema in (operation.request, operation.response)
        if schema is not None
        for name, _ in secrets(schema().fields)
    }
    assert declared >= KNOWN


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.service}-{one.name}")
def test_nothing_secret_is_listed(operation: Operation) -> None:
    """Neither at the top nor below what is listed."""
    for schema, names in ((operation.request, operation.logged), (operation.response, operation.answers)):
        members = schema().fields if schema else {}
        assert list(secrets({name: members[name] for name in names})) == []


def check(done: Done, marker: bytes, operation: Operation) -> None:
    assert done.records
    told = {}
    if operation.service in TARGETS and done.status == 200 and done.body and operation.response:
        told = json.loads(done.body)
    found = [marker, *(answered(operation.response().fields, told) if told and operation.response else ())]
    text = json.dumps(done.records, ensure_ascii=False)
    for secret in found:
        assert len(secret) < 4 or not [form for form in forms_of(secret) if form in text]


def sent(operation: Operation, base: Mapping[str, Any], marker: bytes, end: str) -> bytes:
    """A request with the marker at every place that could hold a secret."""
    times = 700 if end == "too long" else 1

    def value(member: Member) -> str:
        return base64.b64encode(marker * times).decode() if isinstance(member, Blob) else marker.hex() * times

    members = dict(base) | planted(operation.request().fields, value) | {"Unlisted": marker.hex()}
    if end == "mistyped":
        members |= {
            name: {"Plaintext": marker.hex(), "a": [{"b": marker.hex()}]} for name in operation.logged[:1]
        }
    if operation.service in TARGETS:
        return body_of(operation, members)
    wrong = {f"{name}.x.y": marker.hex() for name in operation.logged[:1] if end == "mistyped"}
    flat = {name: one for name, one in members.items() if isinstance(one, str) and name not in base}
    known = {name: one for name, one in base.items() if not wrong or name not in operation.logged[:1]}
    return body_of(operation, known) + b"&" + urlencode(flat | wrong).encode()


@pytest.mark.parametrize("row", ROWS)
@settings(max_examples=examples(test=1, soak=5), deadline=None, suppress_health_check=list(HealthCheck))
@given(marker=MARKERS)
def test_nothing_of_kms(
    service: Service, user: Credentials, nobody: Credentials, row: str, marker: bytes
) -> None:
    random.seed()  # Hypothesis lets the ids of requests begin anew
    operation = find("kms", row.partition(" ")[0])
    base = of_kms(service, row)
    for end in ENDS:
        by = nobody if end == "denied" else user
        with exhausted(service, operation) if end == "throttled" else nullcontext():
            check(ask(service, operation, sent(operation, base, marker, end), by=by), marker, operation)
    beside = {name: marker for name in ("Plaintext", "Message") if name in base}
    check(ask(service, operation, body_of(operation, base | beside), by=user), marker, operation)


@pytest.mark.parametrize("operation", OTHERS, ids=lambda one: f"{one.service}-{one.name}")
@settings(max_examples=examples(test=1, soak=5), deadline=None, suppress_health_check=list(HealthCheck))
@given(marker=MARKERS)
def test_nothing_of_the_others(
    service: Service, user: Credentials, nobody: Credentials, operation: Operation, marker: bytes
) -> None:
    random.seed()  # as above
    base = dict(of_iam()).get(operation.name, {})
    for end in ENDS:
        by = nobody if end == "denied" else user
        with exhausted(service, operation) if end == "throttled" else nullcontext():
            done = ask(
                service, operation, sent(operation, base, marker, end), by=by, signed=not operation.unsigned
            )
        if operation.unsigned:
            assert done.records == []  # nobody is known to have called
        else:
            check(done, marker, operation)


def test_what_is_issued(service: Service, user: Credentials) -> None:
    trusting = query.role(service, "assumed", query.trusting({"AWS": "arn:aws:iam::000000000000:root"}))
    query.user(service, "owner")
    for service_name, name, members in (
        ("iam", "CreateAccessKey", {"UserName": "owner"}), ("sts", "GetSessionToken", {}),
        ("sts", "GetFederationToken", {"Name": "fed"}),
        ("sts", "AssumeRole", {"RoleArn": trusting.arn, "RoleSessionName": "s-1"}),
    ):  # fmt: skip
        operation = find(service_name, name)
        done = ask(service, operation, body_of(operation, members), by=user)
        assert done.status == 200, done.body
        issued = re.findall(b"<(?:SecretAccessKey|SessionToken)>([^<]+)<", done.body)
        assert issued
        for secret in issued:
            assert not [form for form in forms_of(secret) if form in json.dumps(done.records)]
