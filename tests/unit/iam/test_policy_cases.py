"""The policy cases reach every verdict about equally often, and every operator decides."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.unit.iam.naive import decide
from tests.unit.iam.policy_cases import Case, cases
from tests.unit.iam.policy_values import BASES

EXAMPLES = 3000


@pytest.fixture(scope="module", params=[False, True], ids=["clear", "unclear"])
def drawn(request: pytest.FixtureRequest) -> list[Case]:
    found: list[Case] = []

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(cases(unclear=request.param))
    def collect(case: Case) -> None:
        found.append(case)

    collect()
    return found


def test_every_verdict_is_frequent(drawn: list[Case]) -> None:
    counts = Counter(decide(case.asked) for case in drawn)
    assert len(drawn) >= EXAMPLES
    assert set(counts) == {"allow", "explicit deny", "implicit deny"}
    assert min(counts.values()) >= 0.2 * len(drawn), counts


def test_every_operator_decides_both_ways(drawn: list[Case]) -> None:
    outcomes: Counter[tuple[str, bool]] = Counter()
    for case in drawn:
        base = case.operator.split(":")[-1].removesuffix("IfExists")
        if case.decisive:
            outcomes[base, decide(case.asked) == decide(case.always)] += 1
    assert sum(outcomes.values()) >= 0.6 * len(drawn)
    for base in [*BASES, "grant"]:
        assert min(outcomes[base, True], outcomes[base, False]) >= 8, (base, outcomes)


def test_every_form_of_operator_decides(drawn: list[Case]) -> None:
    forms: Counter[str] = Counter()
    for case in drawn:
        if case.decisive:
            over = case.operator.split(":")[0] if ":" in case.operator else ""
            forms[over + ("IfExists" if case.operator.endswith("IfExists") else "")] += 1
    for over in ("", "ForAllValues", "ForAnyValue"):
        assert min(forms[over], forms[over + "IfExists"]) >= 0.03 * len(drawn), forms


@settings(max_examples=50)
@given(cases(shrinks=True))
def test_cases_may_be_drawn_choice_by_choice(case: Case) -> None:
    assert decide(case.asked) in ("allow", "explicit deny", "implicit deny")


def test_documents_hold_every_element(drawn: list[Case]) -> None:
    text = "".join(repr(case.asked) for case in drawn)
    members = ["Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal"]
    variables = [
        "${aws:username}",
        "${kms:CallerAccount}",
        "${*}",
        "${?}",
        "${$}",
        "${aws:PrincipalTag/thing}",
    ]
    for part in [f"'{member}'" for member in members] + variables:
        assert text.count(part) >= 15, part
    for place in ("identity_policies=[{", "boundary={", "session_policies=[{", "grants=[{", "key_policy={"):
        assert text.count(place) >= 100, place
