"""Named tables of limits: what holds where nothing was set."""

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from kms_server.arn import is_region
from kms_server.config import DEFAULT_PROFILE
from kms_server.errors import OperatorError
from kms_server.files import write_private
from kms_server.quotas.table import QUOTAS, UNLIMITED, Kind, Quota, default_burst
from kms_server.storage.limits import SetLimit

NAMES = ("relaxed", "aws", "aws-REGION", "unlimited", "FILE.toml")
_NOTE = "quota-profile"
_RELAXED_RATE = 1_000.0
_SECTIONS = {"base", "quotas", "regions"}


class Allowed(NamedTuple):
    """Calls per second, or how many there may be; the burst derives from the rate where it is None."""

    value: float
    burst: float | None = None

    @property
    def at_once(self) -> float:
        """The calls that may come at once."""
        return default_burst(self.value) if self.burst is None else self.burst


@dataclass(frozen=True, slots=True)
class Profile:
    """What every quota allows in every Region; None is without limit."""

    name: str
    _of: Callable[[Quota, str], Allowed | None]

    def of(self, quota_id: str, region: str) -> Allowed | None:
        """What a quota allows in a Region."""
        return self._of(QUOTAS[quota_id], region)

    def value(self, quota_id: str, region: str, set_limit: SetLimit | None) -> float:
        """Calls per second, or how many there may be, where a limit may have been set; UNLIMITED where there is none."""
        if set_limit is not None:
            return set_limit.rate
        allowed = self.of(quota_id, region)
        return UNLIMITED if allowed is None else allowed.value


def find(name: str) -> Profile:
    """The profile called `name`, or the one that a TOML file describes.

    Raises:
        OperatorError: there is none of that name, or the file is no profile.
    """
    if name.endswith(".toml"):
        return _read(Path(name))
    if name in _NAMED:
        return Profile(name, _NAMED[name])
    region = name.removeprefix("aws-")
    if name.startswith("aws-") and is_region(region):
        return Profile(name, lambda quota, _: Allowed(quota.default(region)))
    raise OperatorError(f"there is no quota profile {name}: they are {', '.join(NAMES)}")


def note(state_dir: Path, name: str) -> None:
    """Write down which profile the server of this host has, for the commands beside it."""
    write_private(state_dir / _NOTE, os.fsencode(name))


def noted(state_dir: Path) -> str:
    """The name of the profile that the server of this host had when it started last."""
    try:
        return os.fsdecode((state_dir / _NOTE).read_bytes())
    except FileNotFoundError:
        return DEFAULT_PROFILE


def _relaxed(quota: Quota, region: str) -> Allowed | None:
    """AWS's figures for cryptographic operations and resources, 1,000 for the rest; lookups and pairs are unlimited."""
    if quota.kind in {Kind.CRYPTOGRAPHIC, Kind.RESOURCE}:
        return Allowed(quota.default(region))
    return None if quota.kind is Kind.PAIR or quota.id == "LookupEvents" else Allowed(_RELAXED_RATE)


def _aws(quota: Quota, region: str) -> Allowed:
    return Allowed(quota.default(region))


def _unlimited(quota: Quota, region: str) -> Allowed | None:
    """No rate is limited; what exists is, as on AWS."""
    return None if quota.is_rate else Allowed(quota.default(region))


_NAMED: dict[str, Callable[[Quota, str], Allowed | None]] = {
    "relaxed": _relaxed, "aws": _aws, "unlimited": _unlimited,
}  # fmt: skip


def _read(path: Path) -> Profile:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise OperatorError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise OperatorError(f"{path} is not TOML: {error}") from None
    if unknown := document.keys() - _SECTIONS:
        raise OperatorError(
            f"{path}: {', '.join(map(repr, sorted(unknown)))} is no section: base, [quotas], [regions.NAME]"
        )
    base = document.get("base", DEFAULT_PROFILE)
    if not isinstance(base, str) or base.endswith(".toml"):
        raise OperatorError(f"{path}: base must be the name of a profile, such as aws")
    beneath = find(base)
    everywhere = _table(path, document.get("quotas", {}))
    regions = _mapping(path, document.get("regions", {}))
    if strange := [region for region in regions if not is_region(region)]:
        raise OperatorError(f"{path}: {', '.join(map(repr, strange))} is no Region, such as eu-central-1")
    regional = {region: _table(path, values) for region, values in regions.items()}

    def of(quota: Quota, region: str) -> Allowed | None:
        for table in (regional.get(region, {}), everywhere):
            if quota.id in table:
                return table[quota.id]
        return beneath.of(quota.id, region)

    return Profile(str(path), of)


def _mapping(path: Path, value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise OperatorError(f"{path}: quotas and regions must be tables")
    return value


def _table(path: Path, values: object) -> dict[str, Allowed | None]:
    table = _mapping(path, values)
    if unknown := table.keys() - QUOTAS.keys():
        raise OperatorError(
            f"{path}: there is no quota {', '.join(map(repr, sorted(unknown)))}: see `kms-server quota list`"
        )
    return {name: _allowed(f"{path}: {name}", value) for name, value in table.items()}


def _allowed(where: str, value: object) -> Allowed | None:
    if value == "unlimited":
        return None
    if isinstance(value, dict) and value.keys() <= {"rate", "burst"} and "rate" in value:
        burst = value.get("burst")
        return Allowed(
            _number(where, value["rate"]), None if burst is None else max(1.0, _number(where, burst))
        )
    return Allowed(_number(where, value))


def _number(where: str, value: object) -> float:
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not plain or not 0 < value <= UNLIMITED:  # type: ignore[operator]  # it is plain
        raise OperatorError(f'{where} must be a number above 0, "unlimited", or {{ rate = N, burst = N }}')
    return float(value)  # type: ignore[arg-type]  # it is plain
