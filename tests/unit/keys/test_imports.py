"""Imported material: what may be imported, as which version, and what a key lacks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server import errors as e
from kms_server.clock import DAY
from kms_server.keys import imports
from kms_server.keys.imports import EXISTING, EXPIRES, KEPT, NEW
from kms_server.keys.key import CURRENT, NON_CURRENT, PENDING_MULTI_REGION, PENDING_ROTATION, BackingKey
from kms_server.keys.states import KeyState
from tests.unit.keys.samples import key, version

NOW = 1_000.0
EXTERNAL = key(origin="EXTERNAL")
HMAC = key(origin="EXTERNAL", spec="HMAC_256", usage="GENERATE_VERIFY_MAC")


def test_the_origin_of_material() -> None:
    imports.require_origin(EXTERNAL, "EXTERNAL")
    with pytest.raises(e.UnsupportedOperationException) as refused:
        imports.require_origin(EXTERNAL, "AWS_KMS")
    assert (
        refused.value.message == f"{EXTERNAL.arn} origin is EXTERNAL which is not valid for this operation."
    )


def test_the_algorithms_that_wrap_it() -> None:
    imports.require_wrapping(EXTERNAL, "RSAES_OAEP_SHA_256", "RSA_2048")
    for spec, algorithm in (("RSA_2048", "RSAES_OAEP_SHA_256"), ("SYMMETRIC_DEFAULT", "SM2PKE")):
        with pytest.raises(e.UnsupportedOperationException) as refused:
            imports.require_wrapping(key(spec=spec), algorithm, "RSA_2048")
        assert (
            refused.value.message == f"Wrapping algorithm {algorithm} is not supported for key spec {spec}."
        )


@pytest.mark.parametrize("model", [None, EXPIRES])
@pytest.mark.parametrize("valid_to", [NOW + 0.001, NOW + 365 * DAY])
def test_material_that_expires(model: str | None, valid_to: float) -> None:
    assert imports.expiry(model, valid_to, NOW) == valid_to


def test_material_that_is_kept() -> None:
    assert imports.expiry(KEPT, None, NOW) is None


@pytest.mark.parametrize(
    ("model", "valid_to", "text"),
    [
        (KEPT, NOW + 1, f"ValidTo cannot be set if the ExpirationModel is {KEPT}"),
        (EXPIRES, None, f"A validTo date must be set if the ExpirationModel is {EXPIRES}"),
        (None, None, f"A validTo date must be set if the ExpirationModel is {EXPIRES}"),
        (EXPIRES, NOW, "ValidTo must be in the future"),
        (EXPIRES, NOW - 1, "ValidTo must be in the future"),
        (EXPIRES, NOW + 365 * DAY + 0.001, "ValidTo must be within 365 days"),
    ],
)
def test_dates_of_expiry_that_are_none(model: str | None, valid_to: float | None, text: str) -> None:
    with pytest.raises(e.ValidationException) as refused:
        imports.expiry(model, valid_to, NOW)
    assert refused.value.message == text


@pytest.mark.parametrize(
    "given_", [(NEW, None, "text"), (EXISTING, "id", None), (None, "id", "text"), (None,) * 3]
)
def test_members_of_symmetric_keys(given_: tuple[str | None, str | None, str | None]) -> None:
    imports.check_members(EXTERNAL, *given_)


@pytest.mark.parametrize(
    ("given_", "name"),
    [
        ((NEW, None, None), "ImportType"),
        ((None, "id", None), "KeyMaterialId"),
        ((None, None, ""), "KeyMaterialDescription"),
        ((EXISTING, "id", "text"), "ImportType"),
    ],
)
def test_members_that_other_keys_do_not_have(
    given_: tuple[str | None, str | None, str | None], name: str
) -> None:
    imports.check_members(HMAC, None, None, None)
    with pytest.raises(e.ValidationException) as refused:
        imports.check_members(HMAC, *given_)
    assert refused.value.message == f"{name} is only supported for symmetric encryption keys."


def test_new_material_has_no_id_yet() -> None:
    with pytest.raises(e.ValidationException) as refused:
        imports.match([], [], None, "id")
    assert refused.value.message == f"KeyMaterialId cannot be specified when ImportType is {NEW}."


OLD, NOW_USED, PENDING = version(1, NON_CURRENT), version(2, CURRENT), version(3, PENDING_ROTATION)
ALL = [OLD, NOW_USED, PENDING]


@pytest.mark.parametrize(
    ("versions", "equal", "import_type", "material_id", "expected"),
    [
        ([], None, None, None, None),
        ([], None, NEW, None, None),
        (ALL, None, NEW, None, None),
        (ALL, PENDING, NEW, None, PENDING),
        (ALL, PENDING, None, None, PENDING),
        (ALL, OLD, None, None, OLD),
        (ALL, NOW_USED, EXISTING, None, NOW_USED),
        (ALL, OLD, None, OLD.material_id, OLD),
        (ALL, NOW_USED, EXISTING, NOW_USED.material_id, NOW_USED),
    ],
)
def test_the_version_that_material_fills(
    versions: list[BackingKey],
    equal: BackingKey | None,
    import_type: str | None,
    material_id: str | None,
    expected: BackingKey | None,
) -> None:
    same = [one is equal for one in versions]
    assert imports.match(versions, same, import_type, material_id) is expected


@pytest.mark.parametrize(
    ("versions", "equal", "import_type", "material_id"),
    [
        ([], None, EXISTING, None),
        (ALL, None, None, None),
        (ALL, None, EXISTING, OLD.material_id),
        (ALL, OLD, EXISTING, NOW_USED.material_id),
        (ALL, OLD, NEW, None),
        (ALL, NOW_USED, NEW, None),
    ],
)
def test_material_that_is_not_what_was_imported(
    versions: list[BackingKey], equal: BackingKey | None, import_type: str | None, material_id: str | None
) -> None:
    with pytest.raises(e.IncorrectKeyMaterialException) as refused:
        imports.match(versions, [one is equal for one in versions], import_type, material_id)
    assert refused.value.message == ""


@pytest.mark.parametrize("status", [PENDING_ROTATION, PENDING_MULTI_REGION])
def test_one_new_material_waits_at_a_time(status: str) -> None:
    imports.require_no_pending(EXTERNAL, [OLD, NOW_USED], "new")
    with pytest.raises(e.KMSInvalidStateException) as refused:
        imports.require_no_pending(EXTERNAL, [OLD, NOW_USED, version(3, status)], "new")
    assert refused.value.message == (
        f"New key material (id: new) cannot be imported into KMS key {EXTERNAL.arn}, because another key material "
        f"(id: {3:064x}) is pending rotation."
    )


def test_what_a_rotation_makes_current() -> None:
    assert imports.require_rotatable(EXTERNAL, ALL) is PENDING
    for versions in (
        [OLD, NOW_USED],
        [NOW_USED, version(3, PENDING_MULTI_REGION)],
        [NOW_USED, version(3, PENDING_ROTATION, None)],
        [],
    ):
        with pytest.raises(e.KMSInvalidStateException) as refused:
            imports.require_rotatable(EXTERNAL, versions)
        assert (
            refused.value.message
            == f"No available key material pending rotation for the key: {EXTERNAL.arn}."
        )


@given(
    st.lists(
        st.tuples(
            st.sampled_from([CURRENT, NON_CURRENT, PENDING_ROTATION, PENDING_MULTI_REGION]), st.booleans()
        )
    )
)
def test_a_key_is_complete_with_all_that_ciphertexts_may_need(made: list[tuple[str, bool]]) -> None:
    versions = [version(n, status, b"" if there else None) for n, (status, there) in enumerate(made)]
    needed = [there for status, there in made if status in {CURRENT, NON_CURRENT}]
    expected = KeyState.DISABLED if needed and all(needed) else KeyState.PENDING_IMPORT
    assert imports.state_of(EXTERNAL, versions, KeyState.DISABLED) is expected
    assert imports.state_of(key(), versions, KeyState.DISABLED) is KeyState.DISABLED
