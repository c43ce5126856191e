"""Judges a soak when all is up again: what clients were told, beside what is there."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.functional.limit_load import fullest_second
from tests.soak import audit_check, state_check
from tests.soak.cluster import DATABASE, Cluster, Window
from tests.soak.ledger import FAILED, OK, UNANSWERED, Called, Sealed, Violation, entries

RATE, BURST = 5, 5  # of the limited key: less than what clients ask for
RECOVERY = 0.5  # seconds after the database takes connections again; a call that is sent later must not fail
_CONNECTIONS = 1.0  # seconds after a server is ready again in which old connections may still fail
_RETRIABLE = {
    "KMSInternalException",
    "DependencyTimeoutException",
    "InternalFailure",
    "ServiceUnavailable",
    "InternalError",
}
_SEEN = 1e15  # microseconds: the store counts from 1970, a host by itself from its start


@dataclass
class Report:
    """What was found, and how much was looked at."""

    violations: list[Violation] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    looked_at: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    longest_failure_after: float = 0.0


def check(cluster: Cluster, ledgers: list[Path], limited: str, tell: Callable[[str], None]) -> Report:
    """Look at everything."""
    report = Report()
    server, *_ = cluster.servers
    noted = entries(ledgers)
    report.violations += [entry for entry in noted if isinstance(entry, Violation)]
    tell("reading the audit log")
    log = audit_check.read_log(server)
    report.looked_at += audit_check.outcomes(log)
    report.violations += audit_check.verified(server)
    calls = [entry for entry in entries(ledgers) if isinstance(entry, Called)]
    report.calls = Counter(called.kind for called in calls)
    report.violations += audit_check.compared(log, calls)
    tell("reading keys and what was changed")
    values = state_check.final_values(log, calls)
    report.looked_at["changed values"] = len(values)
    report.violations += state_check.keys(server, log, calls)
    report.violations += state_check.cells(server, values.values())
    report.violations += errors(cluster.windows, calls, report)
    report.violations += _limit(cluster, calls, limited, report)
    state_check.enable_all(server)
    sealed = (entry for entry in entries(ledgers) if isinstance(entry, Sealed))

    def count(done: int) -> None:
        report.looked_at["ciphertexts, MACs and signatures"] = done
        tell(f"opening ciphertexts: {done:,}")

    report.violations += state_check.opened(server, sealed, count)
    return report


def errors(windows: list[Window], calls: list[Called], report: Report) -> Iterator[Violation]:
    """Calls fail only while the database is down, and connections only while their server is."""
    outages = [window for window in windows if window.what == DATABASE]
    for called in calls:
        if called.kind == FAILED:
            report.failures[f"{called.code} while the database was down"] += 1
            if called.code not in _RETRIABLE:
                yield Violation("error not retriable", f"{called}")
            elif not _within(called.sent, called.ended, outages, RECOVERY):
                yield Violation("error without cause", f"{called}, {_after(called, windows)}")
            else:
                late = called.sent - max(window.end for window in outages if window.begin <= called.ended)
                report.longest_failure_after = max(report.longest_failure_after, late)
        elif called.kind == UNANSWERED:
            report.failures[f"{called.code} while the server was down"] += 1
            down = [window for window in windows if window.what == str(called.server)]
            if not _within(called.linked, called.ended, down, _CONNECTIONS):
                yield Violation("connection error without cause", f"{called}, {_after(called, windows)}")
        elif called.code == "ThrottlingException" and not called.limited:
            yield Violation("throttled without a limit", f"{called}")


def _within(begin: float, end: float, windows: list[Window], margin: float) -> bool:
    return any(window.touches(begin, end, margin) for window in windows)


def _after(called: Called, windows: list[Window]) -> str:
    """Where a call stands among what happened, for whoever looks for the cause."""
    before = [window for window in windows if window.begin <= called.ended]
    if not before:
        return "before anything happened"
    newest = max(before, key=lambda window: window.end)
    return f"sent {called.sent - newest.end:.3f} s after {newest.what} was back, which took {newest.end - newest.begin:.3f} s"


def _limit(cluster: Cluster, calls: list[Called], limited: str, report: Report) -> Iterator[Violation]:
    """All hosts together let no more pass than the limit, as long as the store that they share counts."""
    passed = cluster.admissions(limited)
    report.looked_at["calls that passed the limit"] = len(passed)
    report.looked_at["calls that the limit refused"] = sum(
        called.code == "ThrottlingException" for called in calls
    )
    acknowledged = sum(called.limited and called.kind == OK for called in calls)
    if acknowledged > len(passed):
        yield Violation("limit", f"{acknowledged} calls were let through, the log has {len(passed)}")
    for part in cluster.counted_together([moment for moment in passed if moment >= _SEEN]):
        most = fullest_second(part) if part else 0
        if most > RATE + BURST:
            yield Violation("limit", f"{most} calls passed in one second, {RATE + BURST} may")
