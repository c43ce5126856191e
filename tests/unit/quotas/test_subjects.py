"""What a limit is set on survives as a line of text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.quotas import subjects
from kms_server.quotas.subjects import Place, Subject
from kms_server.quotas.table import QUOTAS

ACCOUNTS = st.from_regex(r"[0-9]{12}", fullmatch=True)
REGIONS = st.sampled_from(["us-east-1", "eu-central-1", "us-gov-west-1"])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(":=%*?/ "), max_size=12)


@given(ACCOUNTS, REGIONS, st.sampled_from(sorted(QUOTAS)))
def test_quotas(account: str, region: str, quota_id: str) -> None:
    line = subjects.of_quota(account, region, quota_id)
    assert subjects.parse(line) == Subject("quota", quota_id, Place(account, region))


@given(ACCOUNTS, REGIONS, TEXTS)
def test_aliases(account: str, region: str, pattern: str) -> None:
    line = subjects.of_alias(account, region, pattern)
    assert subjects.parse(line) == Subject("alias", pattern, Place(account, region))


@given(ACCOUNTS, REGIONS, TEXTS, TEXTS)
def test_tags(account: str, region: str, key: str, value: str) -> None:
    line = subjects.of_tag(account, region, key, value)
    assert subjects.parse(line) == Subject("tag", key, Place(account, region), value)
    assert line.isprintable()


@given(TEXTS)
def test_keys_and_principals(name: str) -> None:
    assert subjects.parse(subjects.of_key(name)) == Subject("key", name)
    assert subjects.parse(subjects.of_principal(name)) == Subject("principal", name)


@pytest.mark.parametrize(
    ("one", "other"), [(("a=b", "c"), ("a", "b=c")), (("%3D", ""), ("=", "")), (("a", "%2A"), ("a", "*"))]
)
def test_tags_that_look_alike_are_apart(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert subjects.of_tag("0", "r", *one) != subjects.of_tag("0", "r", *other)
