"""What the check of its limits costs a call, after many keys have been seen: `make bench-limits`.

Of calls that the account's quota alone limits, and of those that use a key with a limit of its own. Beside it stands what the
same host pays for a lock of a file, taken and released, which is the least that a check over several processes can cost.
"""

import argparse
import fcntl
import os
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from kms_server.errors import ThrottlingException
from kms_server.quotas import profiles, subjects
from kms_server.quotas.buckets import Buckets
from kms_server.quotas.limiter import Limiter
from kms_server.quotas.meters import Meters
from kms_server.quotas.rules import Labels, Named
from kms_server.storage.limits import SetLimit

_ACCOUNT, _REGION, _QUOTA = "000000000000", "us-east-1", "CryptographicOperationsSymmetric"
_CALLS = 20_000
_ENOUGH = 1e8  # calls per second that no measurement reaches


@dataclass(frozen=True, slots=True)
class Key:
    """Which key it is."""

    key_id: str
    account: str = _ACCOUNT
    region: str = _REGION


@dataclass(frozen=True, slots=True)
class Used:
    """A key that a call uses."""

    key: Named

    def labels(self) -> Labels:
        raise AssertionError("no limit is on an alias or a tag")


def microseconds(work: Callable[[], object]) -> float:
    """What one piece of work takes, by many."""
    begin = time.perf_counter()
    for _ in range(_CALLS):
        work()
    return (time.perf_counter() - begin) / _CALLS * 1e6


def see(limiter: Limiter, limits: dict[str, SetLimit], count: int) -> None:
    """Use so many keys, every second one with a limit of its own."""
    for number in range(count):
        try:
            limiter.take(
                limiter.plan(
                    limits, ((f"{number % 500:012}", _REGION, _QUOTA, 1),), (Used(Key(f"key-{number}")),)
                )
            )
        except ThrottlingException:
            continue  # the buckets of so many keys at once are all taken


def measure(directory: Path, keys: int, rounds: int) -> str:
    """One line of figures."""
    limiter = Limiter(Buckets(directory / "limits"), profiles.find("relaxed"), Meters(directory / "usage"))
    ample = SetLimit("", _ENOUGH, _ENOUGH)
    limits = {subjects.of_quota(_ACCOUNT, _REGION, _QUOTA): ample, subjects.of_key("hot"): ample}
    limits |= {subjects.of_key(f"key-{number}"): SetLimit("", 1_000.0, None) for number in range(0, keys, 2)}
    counts = ((_ACCOUNT, _REGION, _QUOTA, 1),)
    hot, free = (Used(Key("hot")),), (Used(Key("free")),)
    limiter.take(limiter.plan(limits, counts, hot))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    see(limiter, limits, keys)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1_024
    time.sleep(0.2)  # the buckets of those keys are full again
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)

    def one() -> None:
        limiter.take(limiter.plan(limits, counts, free))

    def two() -> None:
        limiter.take(limiter.plan(limits, counts, hot))

    def least() -> None:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fcntl.flock(lock, fcntl.LOCK_UN)

    taken = [(microseconds(one), microseconds(two), microseconds(least)) for _ in range(rounds)]
    ones, twos, locks = zip(*taken, strict=True)
    return (
        f"{keys:>8,} keys seen: {_figures(ones, locks)} of one limit, {_figures(twos, locks)} of two; "
        f"{median(locks):.2f} us a file lock; {grown:.1f} MiB more"
    )


def _figures(checks: Sequence[float], locks: Sequence[float]) -> str:
    ratio = median(check / lock for check, lock in zip(checks, locks, strict=True))
    return f"{median(checks):.2f} us a check (best {min(checks):.2f}, {ratio:.1f} file locks)"


def main() -> None:
    """Measure with few keys and with many."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    for keys in (10, arguments.keys):
        with tempfile.TemporaryDirectory() as directory:
            print(measure(Path(directory), keys, arguments.rounds), flush=True)


if __name__ == "__main__":
    main()
