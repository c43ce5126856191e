"""What each limit has let pass and refused on this host, beside what it allows."""

from collections.abc import Mapping
from typing import NamedTuple

from kms_server.quotas import meters, subjects
from kms_server.quotas.rules import Held, Rules
from kms_server.quotas.subjects import Subject

# Each key or principal that such a limit is for has tokens of its own: no single bucket tells how much of it is used.
_SEVERAL_HOLDERS = {subjects.ALIAS, subjects.TAG, subjects.PRINCIPAL}


class Usage(NamedTuple):
    """The calls of one limit; `about` is None for those that are counted together.

    `held` is the limit as it is now: None where there is none any more, or where it is not known.
    """

    about: Subject | None
    calls: meters.Count
    held: Held | None

    @property
    def is_one(self) -> bool:
        """Whether all calls of the limit take from one bucket."""
        return self.about is not None and self.about.kind not in _SEVERAL_HOLDERS

    @property
    def labels(self) -> dict[str, str]:
        """What tells the limit from all others; a quota is named by a label of its own."""
        about = self.about
        if about is None:
            return {"kind": meters.OTHERS}
        named = {"kind": about.kind, "name": about.name}
        if about.kind == subjects.QUOTA:
            named = {"quota": about.name}
        elif about.kind == subjects.TAG:
            named["value"] = about.value
        return named if about.place is None else about.place._asdict() | named


def usage(counts: Mapping[str, meters.Count], rules: Rules | None) -> list[Usage]:
    """The usage of every limit that was counted, and of those that were set and not used yet; None: no limit is known."""
    # Records have long subjects in short; the whole ones are where they were set.
    whole = {meters.named(subject): subject for subject in rules.set_limits} if rules else {}
    found = []
    for text in {**counts, **whole}:
        if text == meters.OTHERS:
            found.append(Usage(None, counts[text], None))
            continue
        subject = whole.get(text, text)
        held = rules.on(subject) if rules else None
        if text in counts or held is not None:
            found.append(Usage(subjects.parse(subject), counts.get(text, meters.NONE), held))
    return found
