"""Metrics of calls, commits and workers, from what the workers of this host have counted."""

from collections.abc import Iterator
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.registry import Collector

from kms_server.server import tally
from kms_server.server.samples import counter, gauge, histogram

_CALLS = "Answered calls; those that nobody is known to have made are unauthenticated."
_SECONDS = "From the arrival of a call to its answer, its audit record on disk; S3: until the answer begins."
_COLD = "Calls that went on in a thread, since something was not cached, or had to be queried or written."
_COMMIT = "How long it took to put a batch of audit records on disk."
_COMMITTED = "Calls whose audit records were written in batches."
_UNWRITTEN = "Batches of audit records that could not be written; their calls have failed."


class CallNumbers(Collector):
    """Reads the files in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        totals = tally.read(self._directory)
        calls = (
            (
                {"service": kind.service, "operation": kind.operation, "result": kind.result.name.lower()},
                count,
            )
            for kind, count in totals.calls.items()
            if count
        )
        yield counter("kms_server_calls", _CALLS, calls)
        yield histogram("kms_server_call_seconds", _SECONDS, "family", totals.times)
        yield counter("kms_server_cold_calls", _COLD, [({}, totals.cold)])
        yield counter(
            "kms_server_cache_misses", "Values that were loaded into a cache.", [({}, totals.misses)]
        )
        yield gauge("kms_server_cache_entries", "Values in the caches of all workers.", totals.cached)
        yield gauge("kms_server_workers", "Worker processes of this host that are alive.", totals.workers)
        yield gauge("kms_server_connections", "Open connections of clients.", totals.connections)
        commits = totals.commits
        yield histogram(
            "kms_server_commit_seconds", _COMMIT, "log", {log: one.times for log, one in commits.items()}
        )
        records = (({"log": log}, one.records) for log, one in commits.items())
        yield counter("kms_server_committed_calls", _COMMITTED, records)
        failures = (({"log": log}, one.failed) for log, one in commits.items())
        yield counter("kms_server_commit_failures", _UNWRITTEN, failures)
