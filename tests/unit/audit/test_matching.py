"""Filters that read the record: what fits, and what only looks as if it did."""

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import orjson
import pytest

from kms_server.audit import event_id
from kms_server.audit.lookup import stream
from kms_server.audit.matching import Filter, selector, uses_key_pending_deletion
from kms_server.audit.places import sources
from kms_server.audit.record import Row, to_row
from kms_server.storage.database import Database
from tests.unit.audit.audit_rows import put
from tests.unit.audit.test_record import KEY, event

REGIONS = "arn:aws:kms:us-east-1:111122223333"
MIRA, ROLE = "arn:aws:iam::111122223333:user/mira", "arn:aws:iam::111122223333:role/shift"
SESSION: dict[str, Any] = {
    "type": "AssumedRole",
    "arn": "arn:aws:sts::111122223333:assumed-role/shift/one",
    "sessionContext": {"sessionIssuer": {"type": "Role", "arn": ROLE}},
}
DYING = {
    "error_code": "KMSInvalidStateException",
    "error_message": f"{KEY} is pending deletion.",
}


def context(**pairs: str) -> dict[str, Any]:
    return {
        "request_parameters": {"encryptionContext": {name.replace("_", ":"): pairs[name] for name in pairs}}
    }


CHANGES: list[dict[str, Any]] = [
    {},
    {"identity": {"type": "IAMUser", "arn": MIRA}},
    {"identity": {"type": "IAMUser", "arn": f"{MIRA}m"}},
    {"identity": SESSION},
    context(aws_s3_arn="arn:aws:s3:::b/a_1"),
    context(aws_s3_arn="arn:aws:s3:::b/a%1"),
    context(aws_s3_arn="arn:aws:s3:::b/A_1"),
    context(aws_s3_arn='arn:aws:s3:::b/a_"\\ü'),
    DYING,
    DYING | {"error_message": f"{KEY} is pending import."},
    DYING | {"error_code": "KMS.KMSInvalidStateException", "source": "s3.amazonaws.com"},
    {"error_code": "ValidationException", "error_message": "x is pending deletion."},
    {"source_ip": "::ffff:10.1.2.3"},
    {"source_ip": "2001:db8::7"},
    {"source_ip": "fas.s3.amazonaws.com", "identity": {"invokedBy": "fas.s3.amazonaws.com"}},
    {"request_parameters": {"grantId": "g1"}},
    {"response_elements": {"grantId": "g1"}},
    {"response_elements": {"grantId": "g12"}},
    {"resources": (("AWS::KMS::Key", f"{REGIONS}:key/AB"), ("AWS::KMS::Key", f"{REGIONS}:key/ab"))},
    {"resources": (("AWS::KMS::Key", f"{REGIONS}:key/AB"),)},
    {"event_type": "AwsServiceEvent"},
    {"request_id": "a_c"},
    {"request_id": "abc"},
]  # fmt: skip
ROWS: list[Row] = [
    to_row(event(event_id=event_id.new(1_790_000_000 + number), **change))
    for number, change in enumerate(CHANGES)
]

FILTERS: list[tuple[Filter, list[int]]] = [
    (Filter(principal=MIRA), [1]),
    (Filter(principal=f"{MIRA}*"), [1, 2]),
    (Filter(principal=ROLE), [3]),
    (Filter(principal=SESSION["arn"]), [3]),
    (Filter(principal="arn:aws:sts::111122223333:assumed-role/shift/*"), [3]),
    (Filter(object_arn="arn:aws:s3:::b/a_1"), [4]),
    (Filter(object_arn="arn:aws:s3:::b/a_*"), [4, 7]),
    (Filter(object_arn="arn:aws:s3:::b/a%*"), [5]),
    (Filter(object_arn='arn:aws:s3:::b/a_"\\ü'), [7]),
    (Filter(object_arn="arn:aws:s3:::b"), []),
    (Filter(pending_deletion=True), [8, 10]),
    (Filter(network=ip_network("10.0.0.0/8")), [12]),
    (Filter(network=ip_network("2001:db8::/32")), [13]),
    (Filter(network=ip_network("192.0.2.1")), [*range(12), *range(15, 23)]),
    (Filter(invoked_by="fas.s3.amazonaws.com"), [14]),
    (Filter(invoked_by="s3.amazonaws.com"), []),
    (Filter(grant_id="g1"), [15, 16]),
    (Filter(resource_end=":key/ab"), [18]),
    (Filter(resources=(f"{REGIONS}:key/AB", f"{REGIONS}:key/ab")), [18, 19]),
    (Filter(resources=(f"{REGIONS}:key/ab", "arn:none"), failed=False, event_names=("Encrypt",)), [18]),
    (Filter(service_events=True), [20]),
    (Filter(request_id="a_c"), [21]),
    (Filter(request_id="a*"), []),
    (Filter(event_id=ROWS[5].event_id), [5]),
    (Filter(event_id=ROWS[5].event_id, failed=True), []),
    (Filter(failed=True), [8, 9, 10, 11]),
    (Filter(event_source="s3.amazonaws.com"), [10]),
    (Filter(event_names=("Encrypt", "Decrypt"), pending_deletion=True), [8, 10]),
    (Filter(event_names=("Decrypt",)), []),
    (Filter(read_only=False), []),
]


@pytest.fixture
def kept(database: Database) -> Database:
    with database.write() as tx:
        for one in ROWS:
            put(tx.connection, one)
    return database


def test_filters(kept: Database) -> None:
    places = sources(kept.engine, None)
    for wanted, numbers in FILTERS:
        expected = [ROWS[number] for number in numbers]
        assert list(stream(places, wanted)) == expected, wanted
        assert list(stream(places, replace(wanted, newest_first=True))) == expected[::-1], wanted
        assert list(filter(selector(wanted), ROWS)) == expected, wanted
        assert list(stream(places, replace(wanted, limit=1))) == expected[:1], wanted


def test_a_text_longer_than_what_is_looked_for(kept: Database) -> None:
    long = "k" * 60_000
    assert list(stream(sources(kept.engine, None), Filter(object_arn=f"arn:aws:s3:::b/{long}"))) == []


@pytest.mark.parametrize(
    ("phrase", "is_use"),
    [
        ("is pending deletion.", True), ("is pending replica deletion.", True), ("is not pending deletion.", False),
        ("is pending import.", False),
    ],
)  # fmt: skip
def test_a_use_of_a_key_that_is_pending_deletion(phrase: str, is_use: bool) -> None:
    made = to_row(event(**DYING | {"error_message": f"{KEY} {phrase}"}))
    assert uses_key_pending_deletion(orjson.loads(made.record)) is is_use
    assert not uses_key_pending_deletion(orjson.loads(to_row(event()).record))
