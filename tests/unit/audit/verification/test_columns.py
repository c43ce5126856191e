"""The columns of a row follow from its record, whoever calls; and ids that occur twice are found."""

from uuid import UUID, uuid4

import pytest

from kms_server.audit.record import service_event, to_row
from kms_server.audit.verification.columns import differing
from kms_server.audit.verification.duplicates import Duplicates
from kms_server.iam.principal import Issuer, Principal, Session
from tests.unit.audit.test_record import KEY, event

_ROLE = Issuer("Role", "AROA", "arn:aws:iam::111122223333:role/auditor", "111122223333", "auditor")
_SESSION = "arn:aws:sts::111122223333:assumed-role/auditor/night"
CALLERS = {
    "root": Principal.root("111122223333", "AKIA"),
    "operator": Principal.operator("111122223333"),
    "user": Principal(
        "IAMUser", "111122223333", "arn:aws:iam::111122223333:user/a/mira", "AIDA", "AKIA", "mira"
    ),
    "role": Principal(
        "AssumedRole", "111122223333", _SESSION, "AROA:night", "ASIA", session=Session(1.0, _ROLE)
    ),
    "own session": Principal(
        "IAMUser", "111122223333", "arn:x", "AIDA", "ASIA", "mira", session=Session(1.0)
    ),
    "service": Principal.service("cloudtrail.amazonaws.com", "111122223333", "arn:t"),
    "web identity": Principal.web_identity("111122223333", "arn:p", "p:aud:sub", "s" * 200),
}


@pytest.mark.parametrize("name", list(CALLERS))
def test_callers(name: str) -> None:
    caller = CALLERS[name]
    row = to_row(
        event(
            identity=caller.identity,
            username=caller.name if caller.has_identity else None,
            access_key_id=caller.access_key_id,
        )
    )
    assert differing(row, is_data=False) == []
    assert differing(row._replace(username="x"), is_data=False) == ["username"]
    assert differing(row._replace(access_key_id="x"), is_data=False) == ["access_key_id"]


@pytest.mark.parametrize("resources", [
    (), (("AWS::KMS::Key", KEY),), (("A", "arn:a:b:c:d:1"), ("B", "arn:a:b:c:d:2"), ("C", "arn:a:b:c:d:3")),
    (("A", "arn:aws:s3:::b/\0" + "k" * 2_000),),
], ids=["none", "one", "three", "long"])  # fmt: skip
@pytest.mark.parametrize("is_data", [False, True])
def test_resources(resources: tuple[tuple[str, str], ...], is_data: bool) -> None:
    caller = CALLERS["root"]
    row = to_row(event(
        identity=caller.identity, access_key_id="AKIA", resources=resources, is_data=is_data,
        error_code="AccessDeniedException",
    ))  # fmt: skip
    assert differing(row, is_data=is_data) == []


def test_events_of_the_service() -> None:
    row = to_row(service_event("RotateKey", "111122223333", "us-east-1", KEY, 1_790_000_000.0, {}))
    assert differing(row, is_data=False) == []


@pytest.mark.parametrize("record", ["", "[]", "{}", "null", '{"resources": 5}', '{"resources": [{}]}'])
def test_what_is_no_record(record: str) -> None:
    row = to_row(event())._replace(record=record)
    assert differing(row, is_data=False) == ["record"]


def test_ids_that_occur_twice() -> None:
    ids = [str(uuid4()) for _ in range(1_000)]
    with Duplicates() as duplicates:
        for one in (*ids, "no id", "no id", ids[7].upper(), ids[300], ids[300]):
            duplicates.add(one)
        assert sorted(duplicates.found()) == sorted(str(UUID(ids[at])) for at in (7, 300))
