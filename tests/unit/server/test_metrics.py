"""The page of metrics, as Prometheus reads it."""

from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from kms_server.config import LOOPBACK, Settings
from kms_server.keyring.keyring import Keyring
from kms_server.protocol.message import Request
from kms_server.quotas import subjects
from kms_server.quotas.buckets import Bucket, Buckets
from kms_server.quotas.meters import Meters
from kms_server.server.health import Health
from kms_server.server.metrics import Metrics, Numbers
from kms_server.server.services import services_of
from kms_server.server.state import State, open_state
from kms_server.storage import limits
from kms_server.storage.limits import SetLimit
from tests.databases import prepared

ACCOUNT, REGION = "000000000000", "us-east-1"
CREATE = subjects.of_quota(ACCOUNT, REGION, "CreateKey")
ODD_TAG = ('a"b\\\n:=%', "x=*: %3D")
TAG = subjects.of_tag(ACCOUNT, REGION, *ODD_TAG)
ALIAS = subjects.of_alias(ACCOUNT, REGION, "alias/app-*")
PRINCIPAL = subjects.of_principal("arn:aws:iam::*:user/" + "\u00e9" * 200)
QUOTA_LABELS = {"account": ACCOUNT, "region": REGION, "quota": "CreateKey"}
READY = Health()

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    settings = Settings(tmp_path / "data", quota_profile="aws")
    prepared(settings)
    made = open_state(settings)
    yield made
    made.database.close()


def numbers(state: State, health: Health = READY, keyring: Keyring | None = None) -> Numbers:
    services = services_of(state)
    services.keyring.refresh(may_block=True)
    return Numbers(state.settings.usage_dir, services.limiter, keyring or services.keyring, health)


def read(collector: Numbers) -> Samples:
    body, _ = Metrics(collector, LOOPBACK).page("")
    samples = [
        sample for family in text_string_to_metric_families(body.decode()) for sample in family.samples
    ]
    found = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(found) == len(samples), "a sample came twice"
    return found


def sample(samples: Samples, name: str, /, **labels: str) -> float | None:
    return samples.get((f"kms_server_{name}", frozenset(labels.items())))


def count(state: State, subject: str, passed: int, refused: int = 0) -> None:
    """What another worker counts."""
    worker = Meters(state.settings.usage_dir)
    place = worker.place(subject)
    for column, calls in enumerate((passed, refused)):
        for _ in range(calls):
            worker.count((place,), column)
    worker.close()


def set_limit(state: State, subject: str, rate: float, burst: float | None = None) -> None:
    with state.database.write() as tx:
        limits.put(tx, SetLimit(subject, rate, burst))


def test_a_quota_of_the_profile(state: State) -> None:
    count(state, CREATE, 3, 2)
    samples = read(numbers(state))
    assert sample(samples, "quota_calls_total", **QUOTA_LABELS) == 3
    assert sample(samples, "quota_throttled_total", **QUOTA_LABELS) == 2
    assert sample(samples, "quota_limit", **QUOTA_LABELS) == 5
    assert sample(samples, "quota_used_ratio", **QUOTA_LABELS) == 0
    assert sample(samples, "set_limits") == 0


def test_all_kinds_of_limits(state: State) -> None:
    for rate, subject in enumerate((CREATE, "key:a", ALIAS, TAG, PRINCIPAL), 1):
        set_limit(state, subject, rate)
        count(state, subject, 10 * rate, rate)
    samples = read(numbers(state))
    place = {"account": ACCOUNT, "region": REGION}
    labels = [
        QUOTA_LABELS, {"kind": "key", "name": "a"}, {"kind": "alias", "name": "alias/app-*", **place},
        {"kind": "tag", "name": ODD_TAG[0], "value": ODD_TAG[1], **place},
        {"kind": "principal", "name": PRINCIPAL.partition(":")[2]},
    ]  # fmt: skip
    for rate, one in enumerate(labels, 1):
        assert sample(samples, "quota_limit", **one) == rate
        assert sample(samples, "quota_calls_total", **one) == 10 * rate
        assert sample(samples, "quota_throttled_total", **one) == rate
    assert len([name for name, _ in samples if name == "kms_server_quota_used_ratio"]) == 2
    assert sample(samples, "set_limits") == 5


def test_the_buckets_of_the_host_tell_what_is_used(state: State) -> None:
    set_limit(state, CREATE, 1e-6, 8)
    buckets = Buckets(state.settings.state_dir / "limits")
    for _ in range(2):
        assert buckets.take([Bucket.of(CREATE, 1e-6, 8)]) > 0
    buckets.close()
    for _ in range(2):
        ratio = sample(read(numbers(state)), "quota_used_ratio", **QUOTA_LABELS)
        assert ratio == pytest.approx(0.25, abs=1e-4)


def test_limits_without_a_record_of_their_own(state: State) -> None:
    count(state, "others", 4, 1)
    assert sample(read(numbers(state)), "quota_calls_total", kind="others") == 4


def test_health(state: State) -> None:
    health = Health({"a": lambda: "one", "b": lambda: None}, {"c": lambda: "two", "d": lambda: "three"})
    samples = read(numbers(state, health))
    assert (sample(samples, "problems"), sample(samples, "warnings")) == (1, 2)


def test_with_problems_counts_are_there_and_limits_are_not_asked_for(state: State) -> None:
    count(state, CREATE, 3)
    cold = Keyring(state.database, state.root_key, state.token_key, state.clock, 1)
    unready = numbers(state, Health({"database": lambda: "the database does not answer"}), cold)
    samples = read(unready)
    assert sample(samples, "quota_calls_total", **QUOTA_LABELS) == 3
    assert sample(samples, "problems") == 1
    assert not {name for name, _ in samples} & {"kms_server_quota_limit", "kms_server_set_limits"}


def test_the_newer_format(state: State) -> None:
    count(state, CREATE, 3)
    set_limit(state, TAG, 2)
    body, content_type = Metrics(numbers(state), LOOPBACK).page("application/openmetrics-text;version=1.0.0")
    assert content_type.startswith("application/openmetrics-text; version=1.0.0; charset=utf-8")
    parsed = openmetrics.text_string_to_metric_families(body.decode())  # type: ignore[no-untyped-call]  # the library's own
    assert {family.name: family.type for family in parsed} == {
        "kms_server_problems": "gauge", "kms_server_warnings": "gauge", "kms_server_set_limits": "gauge",
        "kms_server_quota_calls": "counter", "kms_server_quota_throttled": "counter",
        "kms_server_quota_limit": "gauge", "kms_server_quota_used_ratio": "gauge",
    }  # fmt: skip


@pytest.mark.parametrize(
    "accept",
    ["", "*/*", "text/plain;version=x", "application/openmetrics-text;version=\u00e9", ";", "text/html"],
)
def test_whatever_is_asked_for_gets_an_answer(state: State, accept: str) -> None:
    assert Metrics(numbers(state), LOOPBACK).page(accept)[1] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize(
    ("client", "open_"),
    [
        ("127.0.0.1", True), ("127.8.0.1", True), ("::1", True), ("::ffff:127.0.0.1", True), ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False), ("fd00::1", False), ("", False), ("localhost", False),
    ],
)  # fmt: skip
def test_by_default_only_this_machine_may_read(state: State, client: str, open_: bool) -> None:
    metrics = Metrics(numbers(state), state.settings.metrics_from)
    assert metrics.is_open_to(Request("GET", "/_kms/metrics", {}, b"", client)) is open_


def test_networks_may_be_named_instead(state: State) -> None:
    named = Metrics(numbers(state), (ip_network("10.0.0.0/8"), ip_network("fd00::/8")))
    nobody = Metrics(numbers(state), ())
    for client, open_ in (("10.1.2.3", True), ("fd00::1", True), ("127.0.0.1", False), ("11.0.0.1", False)):
        request = Request("GET", "/_kms/metrics", {"x-forwarded-for": client}, b"", client)
        assert named.is_open_to(request) is open_
        assert not nobody.is_open_to(request)


def test_what_a_proxy_on_this_machine_passes_on_is_refused(state: State) -> None:
    metrics = Metrics(numbers(state), LOOPBACK)
    for forwarded in ("203.0.113.9", "127.0.0.1", ""):
        request = Request("GET", "/_kms/metrics", {"x-forwarded-for": forwarded}, b"", "127.0.0.1")
        assert not metrics.is_open_to(request)
