"""Fresh key material. What takes long to make is made off every request's way, ahead where that is possible."""

import os
import threading
from collections import Counter, deque

from kms_server.keyring.cache import WouldBlock
from kms_server.keys.specs import KEY_SPECS, KeySpec

# More at a time would only take the processors in turns.
_MAKERS = 2
# Where processors are never idle a call makes its own after this time.
_PATIENCE_SECONDS = 5.0


class NoneReady(WouldBlock):
    """Material of a spec has to be made first, which takes long."""

    def __init__(self, spec: KeySpec) -> None:
        super().__init__()
        self.spec = spec


class MaterialPool:
    """Gives out material; of slow specs `ready` pieces each wait in memory once a first one was asked for.

    Slow material is made by threads of its own. The library makes RSA keys without holding the
    interpreter's lock, and the system runs these threads when nothing else wants the processor: then they delay no
    request, while ordinary ones make each wake-up of the event loop wait for the end of their time slices.
    """

    def __init__(self, ready: int = 2) -> None:
        self._ready = ready
        self._pools: dict[str, deque[bytes]] = {
            spec.name: deque() for spec in KEY_SPECS.values() if spec.is_slow_to_make
        }
        self._changed = threading.Condition()
        # By spec: how many pieces shall be there, how many calls wait for one, how many are being made.
        self._wanted: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()
        self._coming: Counter[str] = Counter()
        self._makers: list[threading.Thread] = []

    def take(self, spec: KeySpec, *, may_block: bool) -> bytes:
        """Fresh material of a spec, given out once.

        Raises:
            NoneReady: it has to be made and `may_block` is false.
        """
        pool = self._pools.get(spec.name)
        if pool is None:
            return spec.type.generate()
        with self._changed:
            self._wanted[spec.name] = self._ready
            self._start()
            if pool:
                return pool.popleft()
            if not may_block:
                raise NoneReady(spec)
        return self._made(spec)

    def make(self, spec: KeySpec) -> None:
        """Have one piece made and keep it for whoever asks next; takes up to seconds."""
        piece = self._made(spec)
        with self._changed:
            self._pools[spec.name].append(piece)
            self._changed.notify_all()

    def _made(self, spec: KeySpec) -> bytes:
        pool = self._pools[spec.name]
        with self._changed:
            self._waiting[spec.name] += 1
            self._start()
            self._changed.wait_for(lambda: pool, _PATIENCE_SECONDS)
            self._waiting[spec.name] -= 1
            if pool:
                return pool.popleft()
        return spec.type.generate()

    def _start(self) -> None:
        self._changed.notify_all()
        self._makers = [maker for maker in self._makers if maker.is_alive()]
        while len(self._makers) < _MAKERS:
            maker = threading.Thread(target=self._run, name="key material", daemon=True)
            self._makers.append(maker)
            maker.start()

    def _run(self) -> None:
        thread = threading.get_native_id()
        try:
            os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
        except OSError:  # not every sandbox has it
            os.setpriority(os.PRIO_PROCESS, thread, 19)
        while True:
            with self._changed:
                name = self._changed.wait_for(self._missing)
                assert name is not None  # noqa: S101 - it is what was waited for
                self._coming[name] += 1
            made: list[bytes] = []
            try:
                made.append(KEY_SPECS[name].type.generate())
            finally:
                with self._changed:
                    self._pools[name].extend(made)
                    self._coming[name] -= 1
                    self._changed.notify_all()

    def _missing(self) -> str | None:
        """What to make next: for calls that wait, then ahead."""
        for counts in (self._waiting, self._waiting + self._wanted):
            for name, count in counts.items():
                if len(self._pools[name]) + self._coming[name] < count:
                    return name
        return None
