"""Watches a process from below: its system calls, as the kernel reports them (ptrace(2)).

A disk that hangs cannot be had by permissions or limits; here the kernel itself does not let a sync go on. It needs a
tracer that is the process's ancestor, which every test is, and Linux 5.3 on x86-64 or arm64.
"""

import ctypes
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

_SEIZE, _INTERRUPT, _SYSCALL, _DETACH, _MESSAGE, _INFO = 0x4206, 0x4207, 24, 17, 0x4201, 0x420E
_TRACE_SYSCALLS_AND_THREADS = 1 | 8
_NEW_THREAD = 3
_WAIT_ALL = 0x40000000
_SYSCALL_STOP = 0x80 | 5
_ENTRY, _EXIT = 1, 2
_NUMBERS = {
    "x86_64": {
        74: "fsync", 75: "fdatasync", 328: "pwritev2", 1: "write", 20: "writev", 44: "sendto", 46: "sendmsg",
    },
    "aarch64": {
        82: "fsync", 83: "fdatasync", 287: "pwritev2", 64: "write", 66: "writev", 206: "sendto", 211: "sendmsg",
    },
}  # fmt: skip
# Backlogs alone are written by pwritev2, which returns when all is on disk.
SYNCS = ("fsync", "fdatasync", "pwritev2")
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long


class _Info(ctypes.Structure):
    """struct ptrace_syscall_info; of an exit the first word behind the header is the result."""

    _fields_ = (
        ("op", ctypes.c_uint8), ("_pad", ctypes.c_uint8 * 3), ("arch", ctypes.c_uint32),
        ("instruction", ctypes.c_uint64), ("stack", ctypes.c_uint64), ("words", ctypes.c_uint64 * 8),
    )  # fmt: skip


class Event(NamedTuple):
    """A system call that begins, or that returned `result`; `file` is what its first argument names."""

    name: str
    file: str
    result: int | None


class Traced:
    """The threads of a process, stopped at each system call and let go on.

    While `hang` is not None, no sync of a file returns whose path it is in; "" is in all.
    """

    def __init__(self, pid: int) -> None:
        self.events: list[Event] = []
        self.hang: str | None = None
        self.hanging = threading.Event()
        self._pid = pid
        self._ended = False
        self._ready = threading.Event()
        self._refused: int | None = None
        self._under_way: dict[int, Event] = {}
        self._held: set[int] = set()
        self._threads: list[int] = []
        # All requests of a tracer must come from one thread.
        self._thread = threading.Thread(target=self._trace)
        self._thread.start()
        self._ready.wait()

    def end(self) -> None:
        """Let the process alone."""
        self._ended = True
        self._thread.join()

    @property
    def refused(self) -> bool:
        """Whether the kernel does not allow tracing here."""
        return self._refused is not None

    def _trace(self) -> None:
        self._threads = [int(path.name) for path in Path(f"/proc/{self._pid}/task").iterdir()]
        for tid in self._threads:
            if _libc.ptrace(_SEIZE, tid, None, _TRACE_SYSCALLS_AND_THREADS) != 0:
                self._refused = ctypes.get_errno()
                self._ready.set()
                return
            _libc.ptrace(_INTERRUPT, tid, None, None)
        started: set[int] = set()
        while not self._ended:
            busy = [self._look(tid, started) for tid in list(self._threads)]
            if started.issuperset(self._threads):
                self._ready.set()
            if not any(busy):
                time.sleep(0.0005)
        self._let_go()

    def _look(self, tid: int, started: set[int]) -> bool:
        """Handle one stop of a thread, if it has stopped."""
        if tid in self._held:
            if self.hang is not None:
                return False
            self._held.remove(tid)
            self._go_on(tid)
            return True
        stopped, status = os.waitpid(tid, os.WNOHANG | _WAIT_ALL)
        if stopped == 0:
            return False
        started.add(tid)
        if not os.WIFSTOPPED(status):
            self._threads.remove(tid)
            return False
        if os.WSTOPSIG(status) == _SYSCALL_STOP:
            self._note(tid)
            if tid in self._held:
                return True
            self._go_on(tid)
        else:
            event_stop = status >> 16
            if event_stop == _NEW_THREAD:
                self._threads.append(self._message(tid))
            self._go_on(tid, 0 if event_stop else os.WSTOPSIG(status))
        return True

    def _message(self, tid: int) -> int:
        """What the kernel tells of an event; of a new thread it is its number."""
        told = ctypes.c_ulong()
        _libc.ptrace(_MESSAGE, tid, None, ctypes.byref(told))
        return told.value

    def _go_on(self, tid: int, signal: int = 0) -> None:
        _libc.ptrace(_SYSCALL, tid, None, signal)

    def _note(self, tid: int) -> None:
        info = _Info()
        if _libc.ptrace(_INFO, tid, ctypes.sizeof(info), ctypes.byref(info)) < 0:
            raise OSError(ctypes.get_errno(), "PTRACE_GET_SYSCALL_INFO")
        if info.op == _ENTRY:
            name = _NUMBERS[platform.machine()].get(info.words[0])
            if name is not None:
                event = Event(name, self._file(info.words[1]), None)
                self._under_way[tid] = event
                self.events.append(event)
                if name in SYNCS and self.hang is not None and self.hang in event.file:
                    self._held.add(tid)
                    self.hanging.set()
        elif info.op == _EXIT and tid in self._under_way:
            result = ctypes.c_int64(info.words[0]).value
            self.events.append(self._under_way.pop(tid)._replace(result=result))

    def _file(self, descriptor: int) -> str:
        try:
            return str(Path(f"/proc/{self._pid}/fd/{descriptor}").readlink())
        except OSError:
            return ""

    def _let_go(self) -> None:
        """Detach; a thread can be detached only while it is stopped."""
        for tid in self._threads:
            if tid not in self._held:
                _libc.ptrace(_INTERRUPT, tid, None, None)
                _, status = os.waitpid(tid, _WAIT_ALL)
                if os.WIFEXITED(status) or os.WIFSIGNALED(status):
                    continue
            _libc.ptrace(_DETACH, tid, None, None)


@contextmanager
def traced(pid: int) -> Iterator[Traced]:
    """Trace a descendant until the block ends; the test is skipped where the kernel does not allow it."""
    if platform.machine() not in _NUMBERS or not Path("/proc/self/task").exists():
        pytest.skip("system calls cannot be traced on this machine")
    made = Traced(pid)
    if made.refused:
        pytest.skip("the kernel does not let a process trace its children here")
    try:
        yield made
    finally:
        made.end()
