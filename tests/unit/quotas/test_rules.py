"""Which limits hold for whom: by alias, by tag, by principal, and on a key itself."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from kms_server.iam.principal import Issuer, Principal, Session
from kms_server.quotas import subjects
from kms_server.storage.limits import SetLimit
from tests.unit.quotas.limited import MANY, Bench, Labels, Used, until_refused

ACCOUNT, REGION = "000000000000", "us-east-1"
SLOW = 1e-3
MIRA, OTTO = (f"arn:aws:iam::{ACCOUNT}:user/{name}" for name in ("mira", "otto"))
ROLE = f"arn:aws:iam::{ACCOUNT}:role/jobs/batch"


def limit(subject: str, burst: float) -> SetLimit:
    return SetLimit(subject, SLOW, burst)


def on_alias(pattern: str, burst: float = 3) -> SetLimit:
    return limit(subjects.of_alias(ACCOUNT, REGION, pattern), burst)


def on_tag(key: str, value: str, burst: float = 3) -> SetLimit:
    return limit(subjects.of_tag(ACCOUNT, REGION, key, value), burst)


def on_principal(pattern: str, burst: float = 3) -> SetLimit:
    return limit(subjects.of_principal(pattern), burst)


def session(name: str) -> Principal:
    """A session of the role."""
    issuer = Issuer("Role", "AROABATCH", ROLE, ACCOUNT, "batch")
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/batch/{name}"
    return Principal("AssumedRole", ACCOUNT, arn, f"AROABATCH:{name}", "ASIA", session=Session(0.0, issuer))


def user(arn: str) -> Principal:
    return Principal("IAMUser", ACCOUNT, arn, f"AIDA{arn[-4:]}", "AKIA", arn.rpartition("/")[2])


class Calls:
    """Calls under limits that were set."""

    def __init__(self, bench: Bench, *limits: SetLimit) -> None:
        self._limiter = bench.limiter
        self._limits = {one.subject: one for one in limits}

    def pass_with(self, *keys: Used, by: Principal | None = None) -> int:
        """How many pass before one is throttled."""
        arns = by.arns if by else ()
        return until_refused(lambda: self._limiter.take(self._limiter.plan(self._limits, (), keys, arns)))


def called(*aliases: str, key_id: str = "a", **tags: str) -> Used:
    return Used(key_id, labelled=Labels(tags, aliases))


def tagged(tags: Mapping[str, str]) -> Used:
    return Used("a", labelled=Labels(tags))


@pytest.mark.parametrize(
    ("pattern", "key", "holds"),
    [
        ("alias/app-*", called("alias/app-orders"), True),
        ("alias/app-*", called("alias/other", "alias/app-"), True),
        ("alias/app-*", called("alias/other"), False),
        ("alias/app-*", called(), False),
        ("alias/app-?", called("alias/app-12"), False),
        ("alias/app", called("alias/app"), True),
        ("alias/*/x", called("alias/a/b/x"), True),
        ("alias/app", called("alias/App"), False),
        ("alias/app", replace(called("alias/app"), region="eu-west-1"), False),
        ("alias/app", replace(called("alias/app"), account="111122223333"), False),
    ],
)
def test_a_limit_by_alias(bench: Bench, pattern: str, key: Used, holds: bool) -> None:
    assert Calls(bench, on_alias(pattern)).pass_with(key) == (3 if holds else MANY)


@pytest.mark.parametrize(
    ("name", "value", "tags", "holds"),
    [
        ("env", "prod*", {"env": "production"}, True),
        ("env", "prod*", {"env": "test", "stage": "prod"}, False),
        ("env", "*", {"env": ""}, True),
        ("env", "*", {}, False),
        ("env", "prod", {"Env": "prod"}, False),
        ("k*", "v", {"kx": "v"}, False),
        ("k*", "v", {"k*": "v"}, True),
        ("a:b=c%", "d=e:%3D", {"a:b=c%": "d=e:%3D"}, True),
        ("a:b=c%", "d=e:%3D", {"a:b=c%": "d=e:="}, False),
        ("a", "b=c", {"a=b": "c"}, False),
    ],
)
def test_a_limit_by_tag(bench: Bench, name: str, value: str, tags: Mapping[str, str], holds: bool) -> None:
    assert Calls(bench, on_tag(name, value)).pass_with(tagged(tags)) == (3 if holds else MANY)


def test_a_tag_counts_in_its_account_and_region_only(bench: Bench) -> None:
    calls, key = Calls(bench, on_tag("env", "*")), tagged({"env": "prod"})
    assert calls.pass_with(replace(key, region="eu-west-1")) == MANY
    assert calls.pass_with(replace(key, key_id="b", account="111122223333")) == MANY
    assert calls.pass_with(key) == 3


@pytest.mark.parametrize("wanted", [on_alias("alias/app-*"), on_tag("env", "prod")])
def test_each_key_has_tokens_of_its_own(bench: Bench, wanted: SetLimit) -> None:
    calls = Calls(bench, wanted)
    for key_id in ("a", "b"):
        key = called("alias/app-x", "alias/app-y", key_id=key_id, env="prod")
        assert calls.pass_with(key) == 3
        assert calls.pass_with(key) == 0


def test_a_keys_own_limit_holds_in_place_of_those_by_alias_and_tag(bench: Bench) -> None:
    own = limit(subjects.of_key("a"), 7)
    calls = Calls(bench, on_alias("alias/*"), on_tag("env", "*", 4), own)
    assert calls.pass_with(called("alias/x", env="prod")) == 7
    assert calls.pass_with(called("alias/x", key_id="b", env="prod")) == 3


def test_of_several_all_hold(bench: Bench) -> None:
    wide, narrow = on_alias("alias/*", 5), on_tag("env", "prod")
    calls = Calls(bench, wide, narrow)
    assert calls.pass_with(called("alias/x", env="prod")) == 3
    assert calls.pass_with(called("alias/x", env="test")) == 2


def test_two_patterns_for_one_key_take_from_two_buckets(bench: Bench) -> None:
    both = called("alias/app-x", "alias/x")
    calls = Calls(bench, on_alias("alias/app-*", 5), on_alias("alias/x", 2))
    assert calls.pass_with(both) == 2
    assert calls.pass_with(called("alias/app-x")) == 3


def test_a_call_with_two_keys_takes_from_both(bench: Bench) -> None:
    calls = Calls(bench, on_alias("alias/*"))
    a, b = (called("alias/x", key_id=key_id) for key_id in "ab")
    assert calls.pass_with(a, b) == 3
    assert (calls.pass_with(a), calls.pass_with(b)) == (0, 0)


def test_each_principal_has_tokens_of_its_own(bench: Bench) -> None:
    calls = Calls(bench, on_principal(f"arn:aws:iam::{ACCOUNT}:user/*"))
    assert calls.pass_with(by=user(MIRA)) == 3
    assert calls.pass_with(by=user(OTTO)) == 3
    assert calls.pass_with(by=user(MIRA)) == 0
    assert calls.pass_with(by=Principal.root(ACCOUNT, "AKIA")) == MANY
    assert calls.pass_with() == MANY


@pytest.mark.parametrize("pattern", [ROLE, "arn:aws:iam::*:role/*", "*", "arn:aws:*"])
def test_the_sessions_of_a_role_share_its_tokens(bench: Bench, pattern: str) -> None:
    calls = Calls(bench, on_principal(pattern))
    assert calls.pass_with(by=session("one")) == 3
    assert calls.pass_with(by=session("two")) == 0


def test_sessions_can_be_limited_one_by_one(bench: Bench) -> None:
    calls = Calls(bench, on_principal(f"arn:aws:sts::{ACCOUNT}:assumed-role/batch/*"))
    assert calls.pass_with(by=session("one")) == 3
    assert calls.pass_with(by=session("two")) == 3
    assert calls.pass_with(by=user(MIRA)) == MANY


def test_limits_on_key_and_principal_hold_together(bench: Bench) -> None:
    calls = Calls(bench, limit(subjects.of_key("a"), 5), on_principal("*/mira", 2))
    assert calls.pass_with(Used("a"), by=user(MIRA)) == 2
    assert calls.pass_with(Used("a"), by=user(OTTO)) == 3


def test_a_pattern_has_nothing_but_wildcards(bench: Bench) -> None:
    calls = Calls(bench, on_alias("alias/a[bc].d"))
    assert calls.pass_with(called("alias/ab.d")) == MANY
    assert calls.pass_with(called("alias/a[bc].d")) == 3


def test_a_quotas_limit_is_its_accounts_and_regions(bench: Bench) -> None:
    wanted = limit(subjects.of_quota(ACCOUNT, REGION, "CreateKey"), 3)
    set_limits = {wanted.subject: wanted}

    def passing(account: str, region: str, quota_id: str = "CreateKey") -> int:
        counted = ((account, region, quota_id, 1),)
        return until_refused(lambda: bench.limiter.take(bench.limiter.plan(set_limits, counted)))

    assert passing(ACCOUNT, REGION) == 3
    assert passing(ACCOUNT, "eu-west-1") == MANY
    assert passing("111122223333", REGION) == MANY
    assert passing(ACCOUNT, REGION, "ListKeys") == MANY
