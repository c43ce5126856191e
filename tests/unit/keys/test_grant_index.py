"""The grants of a grantee: what is found is what going through all of them finds."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.keys.grant_index import NONE, Bounds, GrantIndex, Held, Use

SOURCE, ELSEWHERE = "arn:aws:s3:us-east-1:000000000000:a", "arn:aws:s3:us-east-1:000000000000:b"


def held(name: str, operations: Sequence[str] = ("Encrypt",), **constraints: Any) -> Held:
    return Held(name, frozenset(operations), Bounds.of(constraints))


def equals(**pairs: str) -> dict[str, Any]:
    return {"EncryptionContextEquals": pairs}


def subset(**pairs: str) -> dict[str, Any]:
    return {"EncryptionContextSubset": pairs}


def find(
    *grants: Held, operation: str = "Encrypt", context: dict[str, str] | None = None, sources: Sequence[str] = ()
) -> str | None:  # fmt: skip
    return GrantIndex(grants).find(Use(operation, context or {}, sources))


def test_operations() -> None:
    grants = held("g", ["Encrypt", "Decrypt"]), held("h", ["Sign"])
    found = [find(*grants, operation=one) for one in ("Encrypt", "Decrypt", "Sign", "Verify", "DescribeKey")]
    assert found == ["g", "g", "h", None, None]
    assert NONE.find(Use("Encrypt", {}, ())) is None


@pytest.mark.covers("grants: EncryptionContextEquals", "allowed")
@pytest.mark.covers("grants: EncryptionContextEquals", "denied")
def test_the_whole_context() -> None:
    grants = held("g", **equals(a="1", b="2")), held("empty", ["Decrypt"], **equals())
    assert find(*grants, context={"b": "2", "a": "1"}) == "g"
    for other in ({}, {"a": "1"}, {"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "X"}, {"A": "1", "b": "2"}):
        assert find(*grants, context=other) is None
    assert find(*grants, operation="Decrypt") == "empty"
    assert find(*grants, operation="Decrypt", context={"a": "1"}) is None


@pytest.mark.covers("grants: EncryptionContextSubset", "allowed")
@pytest.mark.covers("grants: EncryptionContextSubset", "denied")
def test_a_part_of_the_context() -> None:
    grants = held("g", **subset(a="1", b="2")), held("h", **subset(a="1", c="3"))
    assert find(*grants, context={"a": "1", "b": "2", "z": "9"}) == "g"
    assert find(*grants, context={"c": "3", "a": "1"}) == "h"
    for other in ({}, {"a": "1"}, {"b": "2"}, {"a": "1", "b": "x"}, {"a": "1", "B": "2"}):
        assert find(*grants, context=other) is None
    assert find(held("all", **subset())) == "all"


def test_both_of_them() -> None:
    both = held("g", **equals(a="1", b="2"), **subset(a="1"))
    assert find(both, context={"a": "1", "b": "2"}) == "g"
    assert find(held("never", **equals(a="1"), **subset(b="2")), context={"a": "1"}) is None


@pytest.mark.covers("grants: constraints on metadata", "allowed")
def test_describing_needs_no_context() -> None:
    grant = held("g", ["DescribeKey", "Encrypt"], **equals(a="1"))
    assert find(grant, operation="DescribeKey") == "g"
    assert find(grant) is None
    assert find(held("g", ["DescribeKey"], SourceArn=SOURCE), operation="DescribeKey") is None


@pytest.mark.covers("grants: SourceArn", "allowed")
@pytest.mark.covers("grants: SourceArn", "denied")
def test_the_source() -> None:
    grants = held("g", SourceArn=SOURCE), held("h", ["Decrypt"], SourceArn=SOURCE, **equals(a="1"))
    assert find(*grants, sources=[SOURCE]) == "g"
    assert find(*grants, sources=[ELSEWHERE]) is None
    assert find(*grants) is None
    assert find(*grants, operation="Decrypt", context={"a": "1"}, sources=[SOURCE]) == "h"
    assert find(*grants, operation="Decrypt", sources=[SOURCE]) is None
    assert find(held("free"), sources=[ELSEWHERE]) == "free"


_CONTEXTS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"), max_size=3)
_OPERATIONS = st.frozensets(
    st.sampled_from(["Encrypt", "Decrypt", "DescribeKey", "CreateGrant", "RetireGrant"]), min_size=1
)
_CONSTRAINTS = st.fixed_dictionaries(
    {},
    optional={
        "EncryptionContextEquals": _CONTEXTS,
        "EncryptionContextSubset": _CONTEXTS,
        "SourceArn": st.sampled_from([SOURCE, ELSEWHERE]),
    },
)


def allows(grant: tuple[frozenset[str], dict[str, Any]], use: Use) -> bool:
    """The rules in plain words, for one grant."""
    operations, constraints = grant
    if use.operation not in operations:
        return False
    if "SourceArn" in constraints and constraints["SourceArn"] not in use.sources:
        return False
    if use.operation == "DescribeKey":
        return True
    if constraints.get("EncryptionContextEquals", use.context) != use.context:
        return False
    wanted = constraints.get("EncryptionContextSubset", {})
    return all(use.context.get(name) == value for name, value in wanted.items())


@given(
    st.lists(st.tuples(_OPERATIONS, _CONSTRAINTS), max_size=6),
    st.sampled_from(["Encrypt", "Decrypt", "DescribeKey"]), _CONTEXTS, st.lists(st.sampled_from([SOURCE, ELSEWHERE]), max_size=1),
)  # fmt: skip
def test_what_is_found_allows_and_nothing_is_missed(
    grants: list[tuple[frozenset[str], dict[str, Any]]], operation: str, context: dict[str, str], sources: list[str]
) -> None:  # fmt: skip
    use = Use(operation, context, sources)
    index = GrantIndex(
        Held(str(number), operations, Bounds.of(constraints))
        for number, (operations, constraints) in enumerate(grants)
    )
    found = index.find(use)
    fitting = [str(number) for number, grant in enumerate(grants) if allows(grant, use)]
    assert found in fitting if fitting else found is None


CHILDREN: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({}, {}, True), ({}, equals(a="1"), True), ({}, subset(a="1"), True), ({}, {"SourceArn": SOURCE}, True),
    (equals(a="1"), equals(a="1"), True), (equals(a="1"), {}, False), (equals(a="1"), subset(a="1"), False),
    (equals(a="1"), equals(a="1", b="2"), False), (equals(a="1"), equals(a="2"), False), (equals(), {}, False),
    (subset(a="1"), subset(a="1"), True), (subset(a="1"), subset(a="1", b="2"), True),
    (subset(a="1"), equals(a="1", b="2"), True), (subset(a="1"), equals(b="2"), False),
    (subset(a="1", b="2"), subset(a="1"), False), (subset(a="1"), {}, False), (subset(a="1"), subset(a="2"), False),
    (subset(a="1"), subset(A="1"), False),
    ({"SourceArn": SOURCE}, {"SourceArn": SOURCE}, True), ({"SourceArn": SOURCE}, {}, False),
    ({"SourceArn": SOURCE}, {"SourceArn": ELSEWHERE}, False),
]  # fmt: skip


@pytest.mark.covers("grants: child grants", "allowed")
@pytest.mark.covers("grants: child grants", "denied")
@pytest.mark.parametrize(("parent", "child", "allowed"), CHILDREN)
def test_a_child_is_at_least_as_bound(parent: dict[str, Any], child: dict[str, Any], allowed: bool) -> None:
    grant = held("g", ["CreateGrant", "Encrypt"], **parent)
    asked = frozenset({"Encrypt"}), Bounds.of(child), [SOURCE]
    assert grant.allows_child(*asked) is allowed


@given(_CONSTRAINTS, _CONSTRAINTS, _CONTEXTS, st.sampled_from([SOURCE, ELSEWHERE]))
def test_what_a_child_lets_through_its_parent_does_too(
    parent: dict[str, Any], child: dict[str, Any], context: dict[str, str], source: str
) -> None:
    use, encrypts = Use("Encrypt", context, [source]), frozenset({"Encrypt"})
    if Bounds.of(parent).include(Bounds.of(child)) and allows((encrypts, child), use):
        assert allows((encrypts, parent), use)


def test_a_child_can_do_no_more() -> None:
    parent, nothing = held("g", ["CreateGrant", "Encrypt"]), Bounds.of({})
    for operations, allowed in (
        ({"Encrypt"}, True), ({"CreateGrant"}, True), ({"CreateGrant", "Encrypt"}, True), ({"Decrypt"}, False),
        ({"Encrypt", "Decrypt"}, False),
    ):  # fmt: skip
        assert parent.allows_child(frozenset(operations), nothing, ()) is allowed
    assert not held("g", ["Encrypt"]).allows_child(frozenset({"Encrypt"}), nothing, ())
    assert not held("g", ["CreateGrant"], SourceArn=SOURCE).allows_child(
        frozenset({"CreateGrant"}), Bounds.of({"SourceArn": SOURCE}), ()
    )
