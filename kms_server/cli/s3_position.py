"""Where a run of `s3 verify` stands, in a file of the server's state, so that another one goes on from there."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from kms_server.config import Settings
from kms_server.errors import OperatorError
from kms_server.files import write_private
from kms_server.s3.verifying import Verdict


@dataclass(slots=True)
class Position:
    """What has been verified: versions of a bucket and prefix, or of all, up to the number `after`."""

    bucket: str | None
    prefix: str
    after: int = 0
    versions: int = 0
    size: int = 0
    unopened: int = 0
    damaged: int = 0
    path: Path = field(default=Path(), repr=False)

    @classmethod
    def begin(cls, settings: Settings, bucket: str | None, prefix: str, *, resume: bool) -> "Position":
        """The beginning, or where the last run was interrupted.

        Raises:
            OperatorError: there was none, or it was about something else.
        """
        path = settings.state_dir / "s3-verify.json"
        if not resume:
            return cls(bucket, prefix, path=path)
        try:
            found = cls(**json.loads(path.read_text()), path=path)
        except (OSError, ValueError, TypeError):
            raise OperatorError("there is no interrupted run to resume: leave out --resume") from None
        if (found.bucket, found.prefix) != (bucket, prefix):
            raise OperatorError(
                "the interrupted run was about another bucket or prefix: give the same, or leave out --resume"
            )
        return found

    def count(self, verdict: Verdict) -> None:
        """Take a version for verified."""
        self.after = verdict.version.number
        self.versions += 1
        self.size += verdict.version.size
        self.unopened += not verdict.opened and verdict.problem is None
        self.damaged += verdict.problem is not None

    def summary(self) -> str:
        """The counts as a line."""
        return (
            f"{self.versions} versions with {self.size} bytes verified, {self.unopened} of them by their structure alone: "
            f"{self.damaged} damaged"
        )

    @contextmanager
    def saved_every(self, seconds: float) -> Iterator[Callable[[], None]]:
        """What saves the position when so much time has passed; it is saved at the end, too, however that comes."""
        latest = time.monotonic()

        def save() -> None:
            nonlocal latest
            if time.monotonic() - latest >= seconds:
                self._save()
                latest = time.monotonic()

        try:
            yield save
        finally:
            self._save()

    def forget(self) -> None:
        """The run has come to its end."""
        self.path.unlink()

    def _save(self) -> None:
        values = asdict(self)
        del values["path"]
        write_private(self.path, json.dumps(values).encode())
