"""Identifiers, states, rotation and tags."""

import dataclasses

import pytest

from kms_server import errors as e
from kms_server.clock import DAY
from kms_server.keys import identifiers, rotation, states, tags
from kms_server.keys.key import KmsKey
from kms_server.keys.states import KeyState

ACCOUNT, REGION = "111122223333", "eu-central-1"
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY = KmsKey(
    key_id=KEY_ID, account=ACCOUNT, region=REGION, spec="SYMMETRIC_DEFAULT", usage="ENCRYPT_DECRYPT",
    origin="AWS_KMS", manager="CUSTOMER", state=KeyState.ENABLED, description="", policy="{}", created_at=0.0,
    deletion_date=None, rotation_period_days=None, next_rotation_at=None, scheduled_rotation_at=None,
    on_demand_rotations=0,
)  # fmt: skip


def parse(text: str, *, aliases: bool = True) -> identifiers.KeyReference:
    return identifiers.parse_key_identifier(text, region=REGION, account=ACCOUNT, aliases_allowed=aliases)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (KEY_ID, identifiers.KeyReference(ACCOUNT, REGION, key_id=KEY_ID)),
        ("mrk-" + "0" * 32, identifiers.KeyReference(ACCOUNT, REGION, key_id="mrk-" + "0" * 32)),
        ("alias/x", identifiers.KeyReference(ACCOUNT, REGION, alias_name="alias/x")),
        (
            f"arn:aws:kms:{REGION}:999999999999:key/{KEY_ID}",
            identifiers.KeyReference("999999999999", REGION, key_id=KEY_ID),
        ),
        (
            f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/x",
            identifiers.KeyReference(ACCOUNT, REGION, alias_name="alias/x"),
        ),
    ],
)
def test_identifiers(text: str, expected: identifiers.KeyReference) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("fake-key-id", e.NotFoundException, "Invalid keyId 'fake-key-id'"),
        (KEY_ID.replace("-", ""), e.NotFoundException, f"Invalid keyId '{KEY_ID.replace('-', '')}'"),
        (KEY_ID.upper(), e.NotFoundException, f"Invalid keyId '{KEY_ID.upper()}'"),
        (f"arn:aws:kms:us-west-2:{ACCOUNT}:key/{KEY_ID}", e.NotFoundException, "Invalid arn us-west-2"),
        (f"arn:aws:kms:{REGION}:{ACCOUNT}:key/x", e.NotFoundException, "Invalid keyId x"),
        ("arn:aws:kms", e.InvalidArnException, "Invalid arn arn:aws:kms"),
    ],
)
def test_malformed_identifiers(text: str, error: type[e.ServiceError], message: str) -> None:
    with pytest.raises(error) as refused:
        parse(text)
    assert refused.value.message == message


@pytest.mark.parametrize("text", ["alias/x", f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/x"])
def test_aliases_where_none_are_taken(text: str) -> None:
    with pytest.raises(e.InvalidArnException, match="Key Aliases are not supported for this operation"):
        parse(text, aliases=False)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("x", e.ValidationException),
        ("alias/a:b", e.ValidationException),
        ("alias/", e.InvalidAliasNameException),
        ("alias/aws/s3", e.NotAuthorizedException),
        ("alias/awsome", e.NotAuthorizedException),
    ],
)
def test_alias_names(name: str, error: type[e.ServiceError]) -> None:
    with pytest.raises(error):
        identifiers.check_new_alias_name(name)


OK, D, P, N = None, "DisabledException", "KMSInvalidStateException", "KMSInvalidStateException"
STATE_MATRIX = [
    (states.USE, (OK, D, P)),
    (states.ROTATE, (OK, D, P)),
    (states.READ, (OK, OK, OK)),
    (states.CHANGE, (OK, OK, P)),
    (states.CANCEL_DELETION, (N, N, OK)),
]


@pytest.mark.parametrize(("rule", "row"), STATE_MATRIX)
@pytest.mark.parametrize("column", range(3))
def test_state_matrix(rule: states.StateRule, row: tuple[str | None, ...], column: int) -> None:
    state = (KeyState.ENABLED, KeyState.DISABLED, KeyState.PENDING_DELETION)[column]
    expected = row[column]
    if expected is None:
        rule.require(state, "arn")
    else:
        with pytest.raises(e.ServiceError) as refused:
            rule.require(state, "arn")
        assert refused.value.code == expected
        assert refused.value.message.startswith("arn is ")


def test_the_earliest_rotation_is_due_first() -> None:
    key = dataclasses.replace(KEY, scheduled_rotation_at=50.0, rotation_period_days=90, next_rotation_at=40.0)
    assert rotation.due_at(key, 39.0) is None
    assert rotation.due_at(key, 60.0) == (40.0, rotation.RotationType.AUTOMATIC)
    assert rotation.after_rotation(key, 40.0, rotation.RotationType.AUTOMATIC) == {
        "next_rotation_at": 40.0 + 90 * DAY
    }
    assert rotation.after_rotation(key, 50.0, rotation.RotationType.DATED) == {"scheduled_rotation_at": None}


@pytest.mark.parametrize("state", [KeyState.DISABLED, KeyState.PENDING_DELETION])
def test_only_enabled_keys_rotate(state: KeyState) -> None:
    assert rotation.due_at(dataclasses.replace(KEY, state=state, scheduled_rotation_at=1.0), 2.0) is None


@pytest.mark.parametrize("days", [89, 2561])
def test_periods(days: int) -> None:
    with pytest.raises(e.ValidationException):
        rotation.validate_period(days)


@pytest.mark.parametrize("date", [99.0, 100.0, float("inf")])
def test_dates(date: float) -> None:
    with pytest.raises(e.ValidationException):
        rotation.check_date(date, 100.0)


def test_tags() -> None:
    assert tags.checked([{"TagKey": "a", "TagValue": "b"}]) == {"a": "b"}
    for wrong, text in (
        ([{"TagKey": "a", "TagValue": "1"}, {"TagKey": "a", "TagValue": "2"}], "Duplicate tag keys"),
        ([{"TagKey": "AWS:x", "TagValue": "1"}], "Tags beginning with aws: are reserved"),
        ([{"TagKey": str(n), "TagValue": ""} for n in range(51)], "Too many tags"),
    ):
        with pytest.raises(e.TagException, match=text):
            tags.checked(wrong)
