"""What a key says of itself, and when it is deleted and rotates."""

import pytest

from kms_server import errors as e
from kms_server.clock import DAY
from kms_server.keys import deletion, rotation
from kms_server.keys.key import NON_CURRENT, PENDING_ROTATION
from kms_server.keys.rotation import RotationType
from kms_server.keys.states import KeyState
from tests.unit.keys.samples import ACCOUNT, KEY_ID, OTHER_REGION, REGION, key, version

ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{KEY_ID}"
OTHER_ARN = f"arn:aws:kms:{OTHER_REGION}:{ACCOUNT}:key/{KEY_ID}"
PLAIN = {
    "AWSAccountId": ACCOUNT, "KeyId": KEY_ID, "Arn": ARN, "CreationDate": 1.5, "Enabled": True, "Description": "",
    "KeyUsage": "ENCRYPT_DECRYPT", "KeyState": "Enabled", "Origin": "AWS_KMS", "KeyManager": "CUSTOMER",
    "KeySpec": "SYMMETRIC_DEFAULT", "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
    "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"], "MultiRegion": False,
}  # fmt: skip


def test_the_metadata_of_a_symmetric_key() -> None:
    versions = [version(1, NON_CURRENT), version(2), version(3, PENDING_ROTATION)]
    assert key().metadata(versions, []) == PLAIN | {"CurrentKeyMaterialId": f"{2:064x}"}
    assert key().metadata([], []) == PLAIN


@pytest.mark.parametrize(
    ("spec", "usage", "member", "algorithms", "older"),
    [
        ("HMAC_256", "GENERATE_VERIFY_MAC", "MacAlgorithms", ["HMAC_SHA_256"], True),
        ("ECC_NIST_P256", "KEY_AGREEMENT", "KeyAgreementAlgorithms", ["ECDH"], True),
        ("ECC_NIST_P256", "SIGN_VERIFY", "SigningAlgorithms", ["ECDSA_SHA_256"], True),
        ("ML_DSA_65", "SIGN_VERIFY", "SigningAlgorithms", ["ML_DSA_SHAKE_256"], False),
        ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE", "EncapsulationAlgorithms", ["ML_KEM"], False),
    ],
)
def test_the_metadata_of_other_keys(
    spec: str, usage: str, member: str, algorithms: list[str], *, older: bool
) -> None:
    metadata = key(spec=spec, usage=usage).metadata([version()], [])
    assert metadata[member] == algorithms
    assert [name for name in metadata if name.endswith("Algorithms")] == [member]
    assert metadata.get("CustomerMasterKeySpec") == (spec if older else None)
    assert "CurrentKeyMaterialId" not in metadata


@pytest.mark.parametrize("state", KeyState)
def test_only_an_enabled_key_is_enabled(state: KeyState) -> None:
    metadata = key(state=state).metadata([], [])
    assert (metadata["Enabled"], metadata["KeyState"]) == (state == "Enabled", state.value)


def test_dates_of_deletion_are_shown() -> None:
    assert key(deletion_date=9.0).metadata([], []) == PLAIN | {"DeletionDate": 9.0}
    assert key(pending_window_days=7).metadata([], []) == PLAIN | {"PendingDeletionWindowInDays": 7}


@pytest.mark.parametrize(
    ("valid_to", "wrapped", "shown"),
    [
        (None, b"", {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}),
        (5.0, b"", {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": 5.0}),
        (5.0, None, {}),
    ],
)
def test_how_long_imported_material_is_kept(
    valid_to: float | None, wrapped: bytes | None, shown: dict[str, object]
) -> None:
    versions = [version(valid_to=valid_to, wrapped=wrapped)]
    expected = PLAIN | {"CurrentKeyMaterialId": f"{1:064x}"}
    assert key(origin="EXTERNAL").metadata(versions, []) == expected | {"Origin": "EXTERNAL"} | shown
    assert key().metadata(versions, []) == expected


@pytest.mark.parametrize("primary", [REGION, OTHER_REGION])
def test_the_members_of_a_multi_region_key(primary: str) -> None:
    metadata = key(primary_region=primary).metadata([], [REGION, OTHER_REGION, "ap-south-1"])
    arns = {
        region: f"arn:aws:kms:{region}:{ACCOUNT}:key/{KEY_ID}"
        for region in ("ap-south-1", REGION, OTHER_REGION)
    }
    assert metadata["MultiRegion"] is True
    assert metadata["MultiRegionConfiguration"] == {
        "MultiRegionKeyType": "PRIMARY" if primary == REGION else "REPLICA",
        "PrimaryKey": {"Arn": arns[primary], "Region": primary},
        "ReplicaKeys": [{"Arn": arn, "Region": region} for region, arn in arns.items() if region != primary],
    }
    assert key(primary_region=primary).is_replica == (primary != REGION)
    assert not key().is_replica


def test_material_is_not_shown_by_accident() -> None:
    assert "secret" not in repr(version(wrapped=b"secret", fingerprint=b"secret"))


@pytest.mark.parametrize(
    ("primary", "regions"),
    [(None, []), (REGION, [REGION]), (OTHER_REGION, [REGION, OTHER_REGION])],
    ids=["single-Region", "primary alone", "replica"],
)
def test_deletion_begins_at_once(primary: str | None, regions: list[str]) -> None:
    assert deletion.scheduled(key(primary_region=primary), regions, 10.0004, 7) == {
        "state": KeyState.PENDING_DELETION,
        "deletion_date": 10.0 + 7 * DAY,
    }


def test_a_primary_waits_for_its_replicas() -> None:
    primary = key(primary_region=REGION)
    waiting = deletion.scheduled(primary, [REGION, OTHER_REGION], 10.0, 7)
    assert waiting == {"state": KeyState.PENDING_REPLICA_DELETION, "pending_window_days": 7}
    assert deletion.after_last_replica(key(primary_region=REGION, pending_window_days=7), 100.0) == {
        "state": KeyState.PENDING_DELETION,
        "pending_window_days": None,
        "deletion_date": 100.0 + 7 * DAY,
    }


def test_replicas_rotate_with_their_primary() -> None:
    planned = key(next_rotation_at=1.0, scheduled_rotation_at=1.0)
    replica = key(next_rotation_at=1.0, scheduled_rotation_at=1.0, primary_region=OTHER_REGION)
    assert rotation.due_at(planned, 2.0) is not None
    assert rotation.due_at(replica, 2.0) is None
    assert rotation.overdue(replica, 2.0) == {}


def test_what_passed_while_a_key_was_disabled_is_due_now() -> None:
    assert rotation.overdue(key(next_rotation_at=1.0, scheduled_rotation_at=3.0), 2.0) == {
        "next_rotation_at": 2.0
    }
    assert rotation.overdue(key(next_rotation_at=2.0, scheduled_rotation_at=1.0), 2.0) == {
        "scheduled_rotation_at": 2.0
    }
    assert rotation.overdue(key(), 2.0) == {}


@pytest.mark.parametrize("days", [90, 365, 2_560])
def test_periods_that_are_taken(days: int) -> None:
    rotation.validate_period(days)
    assert rotation.next_after(10.00049, days) == 10.0 + days * DAY


@pytest.mark.parametrize("date", [100.001, 253_402_300_799.0])
def test_dates_that_are_taken(date: float) -> None:
    rotation.check_date(date, 100.0)


def test_a_key_rotates_on_demand_25_times() -> None:
    rotation.check_on_demand(key(on_demand_rotations=24), 1.0, 25)
    with pytest.raises(e.LimitExceededException) as refused:
        rotation.check_on_demand(key(on_demand_rotations=25), 1.0, 25)
    assert refused.value.message == (
        "The on-demand rotations limit has been reached for the given keyId. "
        f"No more on-demand rotations can be performed for this key: {ARN}"
    )
    assert rotation.after_rotation(key(on_demand_rotations=3), 1.0, RotationType.ON_DEMAND) == {
        "on_demand_rotations": 4
    }


def test_a_key_that_is_about_to_rotate_does_not_rotate_on_demand() -> None:
    rotation.check_on_demand(key(next_rotation_at=1_200.001), 0.0, 25)
    for when in (1_200.0, 1.0, -1.0):
        with pytest.raises(e.ConflictException) as refused:
            rotation.check_on_demand(key(next_rotation_at=when), 0.0, 25)
        assert refused.value.message == f"{ARN} is about to be rotated automatically."
