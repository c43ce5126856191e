"""What must not be is found: the soak's own judgement, on calls that are made up."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from tests.soak.audit_check import Log, Recorded, compared
from tests.soak.calls import ROOT, SECOND
from tests.soak.checker import RECOVERY, Report, errors
from tests.soak.cluster import DATABASE, Window
from tests.soak.ledger import FAILED, OK, REFUSED, UNANSWERED, Called, Change, Violation
from tests.soak.model import Cell, Key, possible
from tests.soak.readings import ACTIVE, DISABLED, GIVEN, GONE, INACTIVE, LIVE, PENDING
from tests.soak.state_check import final_values

CALLED = Called(
    "soak/0-1", "DisableKey", 1, 9.8, 10.0, 10.1, OK, "", 200, "id", Change("state key", DISABLED)
)
DENIED = replace(CALLED, kind=REFUSED, code="AccessDeniedException", status=400)
ERROR = replace(CALLED, kind=FAILED, code="KMSInternalException", status=500)
LOST = replace(CALLED, kind=UNANSWERED, code="ConnectionClosedError", status=0, request_id="")
DONE, UNDONE = Recorded("id", failed=False), Recorded("id", failed=True)


def log_of(*found: Recorded) -> Log:
    log = Log()
    log.calls[CALLED.marker].extend(found)
    return log


def kinds(violations: Iterable[Violation]) -> list[str]:
    return [violation.kind for violation in violations]


@pytest.mark.parametrize(
    ("called", "found", "expected"),
    [
        (CALLED, [DONE], []),
        (CALLED, [], ["lost record"]),
        (CALLED, [UNDONE], ["wrong record"]),
        (CALLED, [Recorded("another", failed=False)], ["wrong record"]),
        (CALLED, [DONE, DONE], ["doubled record"]),
        (DENIED, [UNDONE], []),
        (DENIED, [DONE], ["wrong record"]),
        (DENIED, [], ["lost record"]),
        (replace(DENIED, code="UnrecognizedClientException"), [], []),
        (replace(DENIED, code="UnrecognizedClientException"), [UNDONE], ["wrong record"]),
        (ERROR, [], []),
        (ERROR, [DONE], []),
        (LOST, [UNDONE, DONE], ["doubled record"]),
    ],
)
def test_records(called: Called, found: list[Recorded], expected: list[str]) -> None:
    assert kinds(compared(log_of(*found), [called])) == expected


@pytest.mark.parametrize(
    ("called", "window", "expected"),
    [
        (ERROR, Window(DATABASE, 9.0, 9.5), []),
        (ERROR, Window(DATABASE, 10.05, 12.0), []),
        (ERROR, Window(DATABASE, 7.0, 9.9 - RECOVERY), ["error without cause"]),
        (ERROR, Window(DATABASE, 10.2, 12.0), ["error without cause"]),
        (ERROR, Window("1", 9.0, 9.5), ["error without cause"]),
        (replace(ERROR, code="Unknown"), Window(DATABASE, 9.0, 9.5), ["error not retriable"]),
        (LOST, Window("1", 9.0, 9.5), []),
        (LOST, Window("1", 8.0, 8.5), ["connection error without cause"]),
        (replace(LOST, linked=9.4), Window("1", 8.0, 8.5), []),
        (LOST, Window("0", 9.0, 9.5), ["connection error without cause"]),
        (LOST, Window(DATABASE, 9.0, 9.5), ["connection error without cause"]),
        (replace(DENIED, code="ThrottlingException"), Window("1", 9.0, 9.5), ["throttled without a limit"]),
        (replace(DENIED, code="ThrottlingException", limited=True), Window("1", 9.0, 9.5), []),
        (DENIED, Window("1", 9.0, 9.5), []),
    ],
)
def test_errors(called: Called, window: Window, expected: list[str]) -> None:
    assert kinds(errors([window], [called], Report())) == expected


@pytest.mark.parametrize(
    ("second", "found", "expected"),
    [
        (OK, [], "Enabled"),
        (LOST.kind, [DONE], "Enabled"),
        (LOST.kind, [UNDONE], DISABLED),
        (ERROR.kind, [], DISABLED),
    ],
)
def test_the_newest_change_that_happened_counts(second: str, found: list[Recorded], expected: str) -> None:
    changed = replace(CALLED, kind=second, change=Change("state key", "Enabled"))
    earlier = replace(CALLED, marker="soak/0-0")
    assert final_values(log_of(*found), [earlier, changed])["state key"].value == expected


def test_what_a_use_of_a_key_may_be_answered() -> None:
    key, access = Key("id", "arn"), Cell("access", ACTIVE)
    assert possible(key, access, ROOT) == {OK}
    assert possible(key, access, SECOND) == {"AccessDeniedException"}
    key.policy.uncertain(GIVEN)
    assert possible(key, access, SECOND) == {"AccessDeniedException", OK}
    key.grants["one"] = Cell("grant", LIVE)
    assert possible(key, access, SECOND) == {OK}
    key.grants["one"].acknowledged(GONE)
    key.policy.observed(GIVEN)
    key.state.acknowledged(DISABLED)
    assert possible(key, access, SECOND) == {"DisabledException"} == possible(key, access, ROOT)
    assert possible(key, access, ROOT, before=[key.state]) == {"DisabledException", OK}
    key.state.uncertain(PENDING)
    access.acknowledged(INACTIVE)
    assert possible(key, access, SECOND) == {"UnrecognizedClientException"}
    assert possible(key, access, ROOT) == {"DisabledException", "KMSInvalidStateException"}
