"""A directory that is there with all that is in it, or not at all."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kms_server.errors import OperatorError
from kms_server.files import UNFINISHED, make_private_dir, sync_directory, sync_tree


class Staging:
    """A private directory beside `target` that takes its name when `publish` is called."""

    def __init__(self, target: Path) -> None:
        self._target = target.absolute()
        self.directory = self._target.with_name(f"{UNFINISHED}{secrets.token_hex(8)}")

    def publish(self) -> None:
        """Make all of it durable, and let it be `target`.

        Raises:
            OperatorError: `target` is not empty any more, or a mount point.
        """
        sync_tree(self.directory)
        try:
            self.directory.rename(self._target)
        except OSError as error:
            raise OperatorError(
                f"cannot make {self._target}: {error.strerror}; name a directory that does not exist, below a mounted one"
            ) from None
        sync_directory(self._target.parent)

    def withdraw(self) -> None:
        """Take a published directory back."""
        self._target.rename(self.directory)


@contextmanager
def staged(target: Path) -> Iterator[Staging]:
    """A staging for a directory that is not there, or empty; what was not published is removed.

    Raises:
        OperatorError: there is something in `target`, or its parent cannot be written.
    """
    try:
        occupied = any(target.iterdir())
    except FileNotFoundError:
        occupied = False
    except OSError as error:
        raise OperatorError(f"cannot use {target}: {error.strerror}") from None
    if occupied:
        raise OperatorError(
            f"{target} is not empty: a restore makes a new directory, name another by --data-dir"
        )
    staging = Staging(target)
    make_private_dir(staging.directory)
    try:
        yield staging
    finally:
        shutil.rmtree(staging.directory, ignore_errors=True)
