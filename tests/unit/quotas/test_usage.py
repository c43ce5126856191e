"""What was counted, beside the limits as they are now."""

from kms_server.quotas import meters, profiles, subjects
from kms_server.quotas.meters import OTHERS, Count
from kms_server.quotas.profiles import Allowed
from kms_server.quotas.rules import Rules
from kms_server.quotas.usage import Usage, usage
from kms_server.storage.limits import SetLimit

PLACE = ("000000000000", "us-east-1")
CREATE = subjects.of_quota(*PLACE, "CreateKey")
LONG = subjects.of_principal("arn:aws:iam::*:user/" + "x" * 300)


def used(counts: dict[str, Count], *limits: SetLimit) -> dict[str, Usage]:
    """The usage under the profile `aws`, each by its labels."""
    rules = Rules({one.subject: one for one in limits}, profiles.find("aws"))
    found = usage(counts, rules)
    by_labels = {" ".join(one.labels.values()): one for one in found}
    assert len(by_labels) == len(found)
    return by_labels


def test_a_quota_has_the_profiles_limit_or_its_own() -> None:
    name = " ".join((*PLACE, "CreateKey"))
    profile = used({CREATE: Count(3, 1)})[name]
    assert profile.calls == (3, 1)
    assert profile.held
    assert profile.held.allowed == Allowed(5)
    own = used({CREATE: Count(3, 1)}, SetLimit(CREATE, 7, 8))[name]
    assert own.held
    assert own.held.allowed == Allowed(7, 8)
    assert own.is_one


def test_a_limit_that_is_gone_keeps_its_counts() -> None:
    assert used({"key:a": Count(3, 1)})["key a"] == (subjects.parse("key:a"), Count(3, 1), None)


def test_a_limit_of_another_version_is_left_out() -> None:
    assert used({}, SetLimit("quota:000000000000:us-east-1", 1, 1)) == {}


def test_a_limit_that_nobody_has_used() -> None:
    assert used({}, SetLimit("key:a", 7, None))["key a"].calls == Count(0, 0)


def test_what_counts_no_calls_is_left_out() -> None:
    keys = subjects.of_quota(*PLACE, "KeysPerRegion")
    old = subjects.of_quota(*PLACE, "OfAnOlderVersion")
    assert used({}, SetLimit(keys, 7, None), SetLimit(old, 7, None)) == {}
    assert used({old: Count(1, 0)})[" ".join((*PLACE, "OfAnOlderVersion"))].held is None


def test_long_limits_are_shown_whole() -> None:
    assert used({meters.named(LONG): Count(1, 0)}, SetLimit(LONG, 7, None)).keys() == {
        LONG.replace(":", " ", 1)
    }
    assert used({meters.named(LONG): Count(1, 0)}).keys() == {meters.named(LONG).replace(":", " ", 1)}


def test_what_is_counted_together_has_no_limit() -> None:
    assert used({OTHERS: Count(1, 2)}) == {OTHERS: Usage(None, Count(1, 2), None)}


def test_limits_may_be_unknown() -> None:
    assert usage({CREATE: Count(1, 2)}, None) == [Usage(subjects.parse(CREATE), Count(1, 2), None)]


def test_only_quotas_and_keys_have_one_bucket() -> None:
    limits = [
        CREATE, "key:a", LONG, subjects.of_alias(*PLACE, "alias/*"), subjects.of_tag(*PLACE, "env", "*"),
    ]  # fmt: skip
    found = used({}, *(SetLimit(subject, 7, None) for subject in limits)).values()
    assert {one.about.kind: one.is_one for one in found if one.about} == {
        "quota": True, "key": True, "principal": False, "alias": False, "tag": False,
    }  # fmt: skip
