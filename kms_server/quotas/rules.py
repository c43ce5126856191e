"""Which limits hold for whom: those that were set, and the profile's where none was."""

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from kms_server.iam.patterns import fits, wild
from kms_server.quotas import subjects
from kms_server.quotas.buckets import Bucket
from kms_server.quotas.profiles import Allowed, Profile
from kms_server.quotas.subjects import Subject
from kms_server.quotas.table import QUOTAS
from kms_server.storage.limits import SetLimit

_LOG = logging.getLogger(__name__)


class Named(Protocol):
    """Which key it is."""

    @property
    def key_id(self) -> str: ...  # noqa: D102 - its name says it
    @property
    def account(self) -> str: ...  # noqa: D102
    @property
    def region(self) -> str: ...  # noqa: D102


class Labels(Protocol):
    """What people call a key."""

    @property
    def tags(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def aliases(self) -> tuple[str, ...]: ...  # noqa: D102


class LimitedKey(Protocol):
    """What limits ask of a key."""

    @property
    def key(self) -> Named: ...  # noqa: D102
    @property
    def labels(self) -> Callable[[], Labels]: ...  # noqa: D102


class Held(NamedTuple):
    """A limit as it holds for one holder, such as one of the keys that have an alias; each holder has its own tokens."""

    subject: str
    holder: str
    allowed: Allowed

    def bucket(self, tokens: int = 1) -> Bucket:
        """Where a call takes its tokens."""
        return Bucket.of(self.holder, self.allowed.value, self.allowed.at_once, tokens)


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A limit on all whose name, or tag, is like a pattern."""

    subject: str
    name: str
    value: str
    place: subjects.Place | None
    allowed: Allowed

    def names(self, key: Named) -> bool:
        """Whether the limit is one of the key's account and Region."""
        return self.place == (key.account, key.region)


class Rules:
    """One state of the limits.

    A limit on a key itself holds in place of those on its aliases and tags; of these all hold together.
    """

    def __init__(self, set_limits: Mapping[str, SetLimit], profile: Profile) -> None:
        self.set_limits: dict[str, SetLimit] = {}
        self._profile = profile
        self._exact: dict[str, Allowed] = {}
        self._patterns: dict[str, list[_Pattern]] = {
            subjects.ALIAS: [],
            subjects.TAG: [],
            subjects.PRINCIPAL: [],
        }
        for subject, limit in set_limits.items():
            parsed, allowed = _parsed(subject, limit), Allowed(limit.rate, limit.burst)
            if parsed is None:
                _LOG.warning("a limit is not enforced, since this version cannot read it: %r", subject)
                continue
            self.set_limits[subject] = limit
            if parsed.kind in self._patterns:
                made = _Pattern(subject, wild(parsed.name), wild(parsed.value), parsed.place, allowed)
                self._patterns[parsed.kind].append(made)
            else:
                self._exact[subject] = allowed
        self.limited_keys = frozenset(
            parsed.name for parsed in map(subjects.parse, self._exact) if parsed.kind == subjects.KEY
        )
        self.by_principal = bool(self._patterns[subjects.PRINCIPAL])
        self._by_label = bool(self._patterns[subjects.ALIAS] or self._patterns[subjects.TAG])
        # Whether nothing but the keys' ids decides which limits hold for calls of one account.
        self.are_plain = not (self.by_principal or self._by_label)

    def allowed(self, account: str, region: str, quota_id: str) -> Allowed | None:
        """What a quota allows; None is without limit."""
        found = self._exact.get(subjects.of_quota(account, region, quota_id))
        return self._profile.of(quota_id, region) if found is None else found

    def on(self, subject: str) -> Held | None:
        """The limit on a subject; None where there is none, or none any more, and for what counts no calls."""
        parsed = subjects.parse(subject)
        if parsed.kind == subjects.QUOTA and parsed.place is not None:
            known = parsed.name in QUOTAS
            return next(self.of_quota(*parsed.place, parsed.name), None) if known else None
        limit = self.set_limits.get(subject)
        return Held(subject, subject, Allowed(limit.rate, limit.burst)) if limit else None

    def marks(self, key: LimitedKey) -> tuple[object, ...]:
        """What tells keys of the same id apart here; nothing, where no limit is on an alias or a tag."""
        if not self._by_label:
            return ()
        labels = key.labels()
        return key.key.region, labels.aliases, tuple(labels.tags.items())

    def of_quota(self, account: str, region: str, quota_id: str) -> Iterator[Held]:
        """The limit of a quota, if it has one."""
        allowed = self.allowed(account, region, quota_id)
        if allowed is not None and QUOTAS[quota_id].is_rate:
            subject = subjects.of_quota(account, region, quota_id)
            yield Held(subject, subject, allowed)

    def of_key(self, limited: LimitedKey) -> Iterator[Held]:
        """The limits on a key."""
        key = limited.key
        own = subjects.of_key(key.key_id)
        if own in self._exact:
            yield Held(own, own, self._exact[own])
        elif self._by_label:
            labels = limited.labels()
            for rule in self._patterns[subjects.ALIAS]:
                if rule.names(key) and any(fits(rule.name, alias) for alias in labels.aliases):
                    yield _apart(rule, key.key_id)
            for rule in self._patterns[subjects.TAG]:
                value = labels.tags.get(subjects.parse(rule.subject).name)
                if rule.names(key) and value is not None and fits(rule.value, value):
                    yield _apart(rule, key.key_id)

    def of_principals(self, arns: Sequence[str]) -> Iterator[Held]:
        """The limits on whoever has these ARNs, its own first: of all that fit the last holds the tokens.

        So whoever may assume a role gets no more by more sessions.
        """
        for rule in self._patterns[subjects.PRINCIPAL]:
            arn = next((arn for arn in reversed(arns) if fits(rule.name, arn)), None)
            if arn is not None:
                yield _apart(rule, arn)


def _parsed(subject: str, limit: SetLimit) -> Subject | None:
    """What a limit is set on; None where no version up to this one would have written it."""
    try:
        numbers = not math.isnan(limit.rate) and not math.isnan(limit.burst or 0)
        return subjects.parse(subject) if numbers else None
    except (TypeError, ValueError):
        return None


def _apart(rule: _Pattern, holder: str) -> Held:
    return Held(rule.subject, f"{rule.subject} {holder}", rule.allowed)
