"""What a story tells of every statement and grant agrees with its decision, in generated requests."""

from collections import Counter

from hypothesis import given, settings

from kms_server.iam.decision import Reason
from kms_server.iam.story import Place, Story
from kms_server.iam.telling import as_json, as_text
from tests.examples import examples
from tests.unit.iam.policy_cases import Case, cases
from tests.unit.iam.stories import told

_DENYING = {
    Reason.DENIED_BY_IDENTITY: Place.IDENTITY,
    Reason.DENIED_BY_RESOURCE_POLICY: Place.RESOURCE,
    Reason.DENIED_BY_BOUNDARY: Place.BOUNDARY,
    Reason.DENIED_BY_SESSION: Place.SESSION,
}
_LACKING = {
    Reason.NO_IDENTITY: Place.IDENTITY,
    Reason.NO_BOUNDARY: Place.BOUNDARY,
    Reason.NO_SESSION: Place.SESSION,
}


def _applying(story: Story, place: Place | None, *, allows: bool) -> set[str]:
    policies = story.policies if place is None else story.at(place)
    return {one.label for policy in policies for one in policy.matched(allows=allows)}


@settings(max_examples=examples(test=200, soak=1_500))
@given(cases(unclear=True))
def test_the_story_agrees_with_the_decision(case: Case) -> None:
    for asked in (case.asked, case.always, case.never):
        _check(told(asked))


def _check(story: Story) -> None:
    decision = story.decision
    denying = _applying(story, None, allows=False)
    assert (decision.reason in _DENYING) == bool(denying)
    if decision.reason in _DENYING:
        assert decision.statement in _applying(story, _DENYING[decision.reason], allows=False)
    if decision.reason in _LACKING:
        assert not _applying(story, _LACKING[decision.reason], allows=True)
    if decision.reason in (Reason.RESOURCE_POLICY, Reason.DELEGATED):
        assert decision.statement in _applying(story, Place.RESOURCE, allows=True)
    if decision.reason is Reason.NO_RESOURCE_POLICY:
        assert not _applying(story, Place.RESOURCE, allows=True)
        assert not any(grant.matched for grant in story.grants)
    if decision.reason is Reason.IDENTITY:
        assert decision.statement in _applying(story, Place.IDENTITY, allows=True)
    if decision.grant is not None:
        assert {grant.grant_id for grant in story.grants if grant.matched} >= {decision.grant}
    assert bool(story.advice) != decision.allowed


def test_stories_can_be_read() -> None:
    seen: Counter[Reason] = Counter()

    @settings(max_examples=300)
    @given(cases())
    def read(case: Case) -> None:
        story = told(case.asked)
        seen[story.decision.reason] += 1
        text = as_text(story)
        assert text.startswith("ALLOWED" if story.decision.allowed else "DENIED")
        too_long = [line for line in text.splitlines() if len(line) > 100 and len(line.split()) > 3]
        assert not too_long
        shown = as_json(story)
        assert shown["decision"]["allowed"] is story.decision.allowed
        assert len(shown["policies"]) == len(story.policies)

    read()
    assert len(seen) >= 9, seen
