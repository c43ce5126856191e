"""Metrics of what all servers of a database share, and of this program."""

import platform
from collections.abc import Iterator
from typing import NamedTuple

from prometheus_client import Metric
from prometheus_client.registry import Collector

from kms_server import __version__
from kms_server.audit.log_size import Log
from kms_server.audit.trail.backlog import Lag, lag
from kms_server.server.certificates import expires_at
from kms_server.server.probe import Remembered
from kms_server.server.samples import gauge
from kms_server.server.state import State
from kms_server.storage import schema_version

_BUILD = "What is running; always 1."
_BYTES = "How large the audit log is."
_LIMIT = "How large the audit log may get before its oldest records go; 0: no limit."
_LAG = "How long the oldest log file has waited for its delivery, of all trails."
_FILES = "Log files that have not been delivered yet, of all trails."
_EXPIRY = "When the certificate expires (Unix time)."
_ROOT = "The version of the root key in use."
# It takes a look through the log's directories and tables.
_LOOK_SECONDS = 60.0


class _Found(NamedTuple):
    size: int
    lag: Lag


class StateNumbers(Collector):
    """What costs to find out is looked up once a minute at most; where it cannot be, it is left out or is the last known."""

    def __init__(self, state: State, log: Log) -> None:
        self._state = state
        self._log = log
        self._found: _Found | None = None
        self._look = Remembered(self._find, _LOOK_SECONDS)

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        settings = self._state.settings
        build = {
            "version": __version__, "python": platform.python_version(), "schema": schema_version.known()[-1],
            "store": "sqlite" if settings.database_url is None else "postgresql",
        }  # fmt: skip
        yield gauge("kms_server_build_info", _BUILD, 1, build)
        yield gauge("kms_server_root_key_version", _ROOT, self._state.root_key.current)
        yield gauge("kms_server_audit_log_limit_bytes", _LIMIT, settings.audit_retention_size)
        expiry = expires_at(settings)
        if expiry is not None:
            yield gauge("kms_server_certificate_expiry_timestamp_seconds", _EXPIRY, expiry)
        self._look()
        if self._found is not None:
            yield gauge("kms_server_audit_log_bytes", _BYTES, self._found.size)
            yield gauge("kms_server_delivery_lag_seconds", _LAG, self._found.lag.seconds)
            yield gauge("kms_server_delivery_pending_files", _FILES, self._found.lag.files)

    def _find(self) -> None:
        state = self._state
        self._found = _Found(self._log.size(), lag(state.database, state.clock.now()))
