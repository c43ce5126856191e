"""`/_kms/metrics`: what the workers of this host have counted, in the formats of Prometheus."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from kms_server.config import Network
from kms_server.keyring.cache import WouldBlock
from kms_server.keyring.keyring import Keyring
from kms_server.protocol.message import Request
from kms_server.quotas import meters
from kms_server.quotas.limiter import Limiter
from kms_server.quotas.rules import Rules
from kms_server.quotas.usage import Usage, usage
from kms_server.server.entrance import is_loopback, is_within
from kms_server.server.health import Health
from kms_server.server.samples import counter, gauge

_CALLS = "Calls that a limit let pass."
_THROTTLED = "Calls that needed a limit and were refused, by it or by another that they needed too."
_LIMIT = "Calls per second that a limit allows: each holder, where it is one on aliases, tags or principals."
_USED = "How much of a limit's burst is used now, 0 to 1."
_PROBLEMS = "What makes this worker unready."
_WARNINGS = "What will be wrong if nobody looks after it."
_SET = "Limits that were set apart from the profile."


class Metrics:
    """The page of numbers, and who may read it: clients in the networks `readers`."""

    def __init__(self, numbers: Collector, readers: tuple[Network, ...], *more: Collector) -> None:
        self._registry = CollectorRegistry()
        for collector in (numbers, *more):
            self._registry.register(collector)
        self._readers = readers

    def is_open_to(self, request: Request) -> bool:
        """Whether its client may read them.

        What a proxy on this machine passes on is no client of this machine, though its address says so.
        """
        if "x-forwarded-for" in request.headers and is_loopback(request.source_ip):
            return False
        return is_within(request.source_ip, self._readers)

    def page(self, accept: str) -> tuple[bytes, str]:
        """The numbers as they are now, in the format that an Accept header asks for, and its content type."""
        try:
            encode, content_type = choose_encoder(accept)
        except TypeError:  # the library compares versions, and cannot where one is no number
            encode, content_type = choose_encoder("")
        return encode(self._registry), content_type


class Numbers(Collector):
    """Reads the counts of all workers of the host in `directory`, and how full the buckets are that they share.

    It waits for the storage no longer than `health` does: where that has problems, limits may be left out.
    """

    def __init__(self, directory: Path, limiter: Limiter, keyring: Keyring, health: Health) -> None:
        self._directory = directory
        self._limiter = limiter
        self._keyring = keyring
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        health = self._health.report()
        problems = len(health.problems)
        yield gauge("kms_server_problems", _PROBLEMS, problems)
        yield gauge("kms_server_warnings", _WARNINGS, len(health.warnings))
        rules = self._rules(may_block=not problems)
        used = usage(meters.read(self._directory), rules)
        passed = ((one.labels, one.calls.passed) for one in used)
        refused = ((one.labels, one.calls.refused) for one in used)
        yield counter("kms_server_quota_calls", _CALLS, passed)
        yield counter("kms_server_quota_throttled", _THROTTLED, refused)
        if rules is not None:
            yield gauge("kms_server_set_limits", _SET, len(rules.set_limits))
            yield from self._limited(used)

    def _rules(self, *, may_block: bool) -> Rules | None:
        try:
            return Rules(self._keyring.limits(may_block=may_block), self._limiter.profile)
        except WouldBlock:
            return None

    def _limited(self, used: Iterable[Usage]) -> Iterator[Metric]:
        limit = Metric("kms_server_quota_limit", _LIMIT, "gauge")
        ratio = Metric("kms_server_quota_used_ratio", _USED, "gauge")
        held = [(one, one.held) for one in used if one.held is not None]
        levels = self._limiter.levels([holds for one, holds in held if one.is_one])
        for one, holds in held:
            limit.add_sample(limit.name, one.labels, holds.allowed.value)
            if holds.subject in levels:
                ratio.add_sample(ratio.name, one.labels, levels[holds.subject])
        yield limit
        yield ratio
