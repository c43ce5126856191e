"""gunicorn in the foreground, without a configuration file of its own."""

import logging
import math
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer

from kms_server.config import Settings
from kms_server.errors import OperatorError
from kms_server.server import hardening
from kms_server.server.certificates import Certificates
from kms_server.server.logs import JsonGunicornLogger
from kms_server.server.worker import KmsWorker, prepare_collector
from kms_server.server.worker_state import WorkerState

_LOG = logging.getLogger(__name__)
_HEARTBEAT_SECONDS = 30
# The master looks about once a second; whenever it has not for so long, its workers may have had no time either.
_PAUSED_SECONDS = 5.0
# What a worker may take after its last answer: commits, and the checkpoint that covers the end of the log.
_CLOSING_SECONDS = 5.0


def bind(host: str, port: int) -> socket.socket:
    """The listening socket; port 0 picks a free port.

    Raises:
        OperatorError: the address is in use or not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise OperatorError(
            f"cannot listen on {host} port {port}: {error.strerror}; choose another by --host or --port"
        ) from None
    return listener


def _raise_file_limit() -> None:
    """Each connection is an open file; workers inherit the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class _Master(Arbiter):  # type: ignore[misc]  # gunicorn has no annotations
    """A master whose SIGHUP changes the certificate in running workers, where gunicorn's would replace these.

    Nor does it replace workers that were silent because the host was paused, itself included.
    """

    _looked_at = _awake_since = -math.inf

    def handle_hup(self) -> None:
        """SIGHUP: read the certificate again."""
        certificates = self.app.certificates
        if certificates is None:
            _LOG.warning("SIGHUP makes the server read its certificate again, and it has none")
        elif certificates.renew():
            self.kill_workers(signal.SIGHUP)

    def manage_workers(self) -> None:
        """Called about once a second."""
        super().manage_workers()
        if self.app.certificates is not None and self.app.certificates.is_due():
            self.kill_workers(signal.SIGHUP)

    def spawn_worker(self) -> int:
        """Fork a worker. A signal that comes to it before it has its own handlers waits until `KmsWorker.init_signals`."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, KmsWorker.SIGNALS)
        try:
            pid: int = super().spawn_worker()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return pid

    def murder_workers(self) -> None:
        """Called about once a second: end workers that hang, counted from when this process was awake again."""
        now = time.monotonic()
        if now - self._looked_at > _PAUSED_SECONDS:
            self._awake_since = now
        self._looked_at = now
        if now - self._awake_since > _HEARTBEAT_SECONDS:
            super().murder_workers()


class _Application(BaseApplication):  # type: ignore[misc]  # gunicorn has no annotations
    def __init__(
        self, options: dict[str, object], build: Callable[[], WorkerState], certificates: Certificates | None
    ) -> None:
        self._options = options
        self._build = build
        self.certificates = certificates
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> WorkerState:
        return self._build()

    def run(self) -> None:
        try:
            _Master(self).run()
        except HaltServer as error:
            # Of a second worker that could not begin, while the first had the server end.
            _LOG.error("the server ends: %s", error.reason)
            sys.exit(error.exit_status)


def serve(settings: Settings, listener: socket.socket, build: Callable[[], WorkerState]) -> None:
    """Run workers until SIGTERM or SIGINT; exits the process with 0 when drained. SIGHUP changes the certificate.

    Each worker calls `build`.

    The first worker that listens prints the one line with the URL on standard output.

    Raises:
        OperatorError: the certificate or its key cannot be used, or memory not be locked.
    """
    certificates = Certificates(settings) if settings.scheme == "https" else None
    limits = settings.limits
    _LOG.info("memory: %s", ", ".join(hardening.close_memory(settings)))
    hardening.lock_memory(settings)
    _raise_file_limit()
    listener.set_inheritable(True)
    options: dict[str, object] = {
        "bind": f"fd://{listener.detach()}",
        "workers": settings.workers,
        "worker_class": KmsWorker,
        "timeout": _HEARTBEAT_SECONDS,
        "graceful_timeout": math.ceil(limits.drain_delay + limits.graceful_timeout + _CLOSING_SECONDS),
        "loglevel": "warning",
        "proc_name": "kms-server",
        "control_socket_disable": True,
    }
    if settings.log_format == "json":
        options["logger_class"] = JsonGunicornLogger
    # Before the fork: a worker that went through all of it would have a copy of all of it.
    prepare_collector()

    def worker() -> WorkerState:
        # A forked process begins with nothing locked.
        hardening.lock_memory(settings)
        return build()

    _Application(options, worker, certificates).run()
