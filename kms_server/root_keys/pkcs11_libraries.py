"""The PKCS#11 libraries of this process, from the first use to its end or to a fork."""

import os
from contextlib import suppress
from threading import Lock
from typing import Any

import pkcs11
from pkcs11.exceptions import PKCS11Error


class _Libraries:
    """The PKCS#11 libraries that this process has initialised.

    They are told that one thread calls at a time, which `lock` sees to. None is initialised while the process forks: what
    a child inherits it may not use (PKCS#11 v2.20, 6.6.1), nor end without risk to its parent's sessions.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self.generation = 0
        self._initialised: dict[str, Any] = {}
        os.register_at_fork(
            before=self._before_fork, after_in_parent=self.lock.release, after_in_child=self.lock.release
        )

    def load(self, path: str) -> Any:  # noqa: ANN401 - the library does not export the class
        """The library, initialised."""
        library = pkcs11.lib(path)
        self._initialised[path] = library
        return library

    def finalise(self) -> None:
        """End all sessions; sessions of an earlier `generation` are gone."""
        for library in self._initialised.values():
            with suppress(PKCS11Error):
                library.finalize()
        self._initialised.clear()
        self.generation += 1

    def _before_fork(self) -> None:
        self.lock.acquire()
        self.finalise()


LIBRARIES = _Libraries()
