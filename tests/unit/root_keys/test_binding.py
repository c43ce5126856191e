"""Bindings: different things have different ones, whatever stands in their fields."""

from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from kms_server.root_keys.binding import access_key_binding, material_binding

TEXTS = st.text("ab/\0é", max_size=3)
MATERIALS = st.fixed_dictionaries(
    dict.fromkeys(("account", "region", "key_id", "material_id", "spec", "usage", "origin"), TEXTS)
)
ACCESS_KEYS = st.fixed_dictionaries({
    "account": TEXTS, "access_key_id": TEXTS, "user_name": st.none() | TEXTS | st.just("root"),
})  # fmt: skip
NEIGHBOURS = ("account", "region", "key_id", "material_id", "spec", "usage", "origin")


@given(MATERIALS, MATERIALS)
def test_materials_share_a_binding_only_if_they_are_the_same(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert (material_binding(**one) == material_binding(**other)) == (one == other)


@given(ACCESS_KEYS, ACCESS_KEYS)
def test_access_keys_share_a_binding_only_if_they_are_the_same(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert (access_key_binding(**one) == access_key_binding(**other)) == (one == other)


@given(MATERIALS, st.integers(0, len(NEIGHBOURS) - 2), st.integers(1, 3))
def test_what_moves_to_the_next_field_changes_the_binding(
    fields: dict[str, Any], at: int, length: int
) -> None:
    left, right = NEIGHBOURS[at : at + 2]
    assume(fields[left])
    kept, moved = fields[left][:-length], fields[left][-length:]
    shifted = fields | {left: kept, right: moved + fields[right]}
    assert material_binding(**fields) != material_binding(**shifted)


@given(MATERIALS, st.permutations(NEIGHBOURS))
def test_fields_that_change_places_change_the_binding(fields: dict[str, Any], order: list[str]) -> None:
    swapped = fields | {name: fields[other] for name, other in zip(NEIGHBOURS, order, strict=True)}
    assert (material_binding(**fields) == material_binding(**swapped)) == (fields == swapped)


@given(MATERIALS, ACCESS_KEYS)
def test_kinds_never_share_a_binding(material: dict[str, Any], access_key: dict[str, Any]) -> None:
    assert material_binding(**material) != access_key_binding(**access_key)


def test_a_material_is_bound_to_every_field() -> None:
    fields: dict[str, Any] = dict.fromkeys(NEIGHBOURS, "a")
    changed = [fields | {name: "b"} for name in NEIGHBOURS]
    assert len({material_binding(**one) for one in [fields, *changed]}) == len(fields) + 1
