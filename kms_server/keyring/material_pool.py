"""Fresh key material. What takes long to make is made ahead, off every request's way."""

import os
import threading
from collections import deque
from contextlib import suppress

from kms_server.keyring.cache import WouldBlock
from kms_server.keys.specs import KEY_SPECS, KeySpec


class NoneReady(WouldBlock):
    """Material of a spec has to be made first, which takes long."""

    def __init__(self, spec: KeySpec) -> None:
        super().__init__()
        self.spec = spec


class MaterialPool:
    """Gives out material; of slow specs `ready` pieces each wait in memory once a first one was asked for.

    The library makes RSA keys without holding the interpreter's lock, so that a thread is enough.
    """

    def __init__(self, ready: int = 2) -> None:
        self._ready = ready
        self._pools: dict[str, deque[bytes]] = {
            spec.name: deque() for spec in KEY_SPECS.values() if spec.is_slow_to_make
        }
        self._wanted = threading.Condition()
        self._asked: set[str] = set()
        self._thread: threading.Thread | None = None

    def take(self, spec: KeySpec, *, may_block: bool) -> bytes:
        """Fresh material of a spec, given out once.

        Raises:
            NoneReady: it has to be made and `may_block` is false.
        """
        pool = self._pools.get(spec.name)
        if pool is None:
            return spec.type.generate()
        piece = None
        with suppress(IndexError):
            piece = pool.popleft()
        self._refill(spec.name)
        if piece is not None:
            return piece
        if not may_block:
            raise NoneReady(spec)
        return spec.type.generate()

    def make(self, spec: KeySpec) -> None:
        """Make one piece and keep it for whoever asks next; takes up to seconds."""
        self._pools[spec.name].append(spec.type.generate())

    def _refill(self, name: str) -> None:
        with self._wanted:
            self._asked.add(name)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="key material", daemon=True)
                self._thread.start()
            self._wanted.notify()

    def _run(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        while True:
            with self._wanted:
                self._wanted.wait_for(lambda: self._missing() is not None)
                missing = self._missing()
            if missing is not None:
                self.make(missing)

    def _missing(self) -> KeySpec | None:
        short = (name for name in sorted(self._asked) if len(self._pools[name]) < self._ready)
        return next((KEY_SPECS[name] for name in short), None)
