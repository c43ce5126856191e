"""The resources that a statement covers (AWS "IAM JSON policy elements: Resource")."""

from collections.abc import Iterable
from dataclasses import dataclass

from kms_server.iam.context import Context
from kms_server.iam.patterns import fits, is_plain, wild
from kms_server.iam.variables import Template, Text, fill, parse

_PARTS = 6


@dataclass(frozen=True, slots=True)
class _ArnPattern:
    """An ARN with wildcards in each part but the service; the last part may have variables, too."""

    partition: str
    service: str
    region: str
    account: str
    resource: Text

    def match(self, parts: list[str], context: Context) -> bool:
        if parts[2] != self.service:
            return False
        wanted = (self.partition, parts[1]), (self.region, parts[3]), (self.account, parts[4])
        if not all(fits(pattern, part) for pattern, part in wanted):
            return False
        resource = fill(self.resource, context)
        return resource is not None and fits(resource, parts[5])


@dataclass(frozen=True, slots=True)
class Resources:
    """What Resource or, `inverted`, NotResource lists."""

    exact: frozenset[str]
    patterns: tuple[_ArnPattern, ...]
    everything: bool
    inverted: bool

    @classmethod
    def compile(cls, values: Iterable[str], *, inverted: bool, variables: bool) -> "Resources":
        """Resources of which any one has to match; none at all match nothing."""
        distinct = set(values)
        plain = frozenset(one for one in distinct if "${" not in one and is_plain(wild(one)) and is_arn(one))
        patterns = tuple(_pattern(one, variables=variables) for one in distinct - plain if is_arn(one))
        return cls(plain, patterns, "*" in distinct, inverted)

    @property
    def has_variables(self) -> bool:
        """Whether the answer depends on the request's context."""
        return any(not isinstance(pattern.resource, str) for pattern in self.patterns)

    def match(self, arn: str, context: Context) -> bool:
        """Whether the element covers `arn`; only `*` covers a request without a resource of its own, which is `*`."""
        if self.everything:
            return not self.inverted
        found = arn in self.exact
        if not found and self.patterns:
            parts = arn.split(":", _PARTS - 1)
            found = len(parts) == _PARTS and any(one.match(parts, context) for one in self.patterns)
        return found != self.inverted

    def missing(self, context: Context) -> list[str]:
        """The condition keys of variables that have no value in a request, so that what holds them covers nothing."""
        texts = [one.resource for one in self.patterns]
        return sorted({key for text in texts if isinstance(text, Template) for key in text.missing(context)})


def is_arn(text: str) -> bool:
    """Whether a text has the parts of an ARN, whatever they are."""
    return text.startswith("arn:") and text.count(":") >= _PARTS - 1


def _pattern(text: str, *, variables: bool) -> _ArnPattern:
    _, partition, service, region, account, resource = text.split(":", _PARTS - 1)
    last = parse(resource, wild, variables=variables)
    return _ArnPattern(wild(partition), service, wild(region), wild(account), last)


EVERYTHING = Resources.compile(["*"], inverted=False, variables=False)
