"""Where a server's audit records are: those of management events, and those of data events."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from kms_server.audit.journal import Journal
from kms_server.audit.log import AuditLog
from kms_server.audit.places import Source, sources
from kms_server.audit.reserved_log import ReservedLog
from kms_server.audit.segment_log import SegmentLog, recover
from kms_server.audit.signing import SigningKeys
from kms_server.audit.table_log import TableLog
from kms_server.server.state import State
from kms_server.storage.audit_tables import audit_data_events, audit_events
from kms_server.storage.reserve import Reserve


def audit_log(state: State, reserve: Reserve) -> AuditLog:
    """Where records of management events go that change nothing."""
    if state.settings.database_url is None:
        return _embedded(state, state.settings.audit_dir, reserve)
    return TableLog(state.database.engine, audit_events, state.chain_key)


def data_log(state: State, reserve: Reserve) -> AuditLog:
    """Where records of data events go that change nothing."""
    if state.settings.database_url is None:
        return _embedded(state, state.settings.data_audit_dir, reserve)
    return TableLog(state.database.engine, audit_data_events, state.chain_key)


def _embedded(state: State, directory: Path, reserve: Reserve) -> AuditLog:
    aside = ThreadPoolExecutor(1, "segments")
    return ReservedLog(SegmentLog(directory, state.settings.limits, state.chain_key, aside), reserve)


def take_in_what_is_left(state: State) -> None:
    """Have in the segments what killed processes have left beside them, before somebody reads all of the log.

    What cannot be taken in is logged, and named by those readers.
    """
    settings = state.settings
    for directory in () if settings.database_url else (settings.audit_dir, settings.data_audit_dir):
        with suppress(OSError):
            recover(directory, state.chain_key, settings.limits)


def audit_sources(state: State) -> list[Source]:
    """Every place that holds records of management events."""
    segments = None if state.settings.database_url else state.settings.audit_dir
    return sources(state.database.engine, segments)


def data_sources(state: State) -> list[Source]:
    """Every place that holds records of data events."""
    segments = None if state.settings.database_url else state.settings.data_audit_dir
    return sources(state.database.engine, segments, data=True)


def journals(state: State) -> tuple[Journal, Journal]:
    """The chains of management events, and those of data events."""
    embedded, engine = state.settings.database_url is None, state.database.engine
    return (
        Journal(engine, audit_events, state.settings.audit_dir if embedded else None),
        Journal(engine, audit_data_events, state.settings.data_audit_dir if embedded else None),
    )


def heads(state: State) -> dict[str, int]:
    """The number of the newest row of each chain."""
    return {writer: head.seq for journal in journals(state) for writer, head in journal.heads().items()}


def signing_keys(state: State) -> SigningKeys:
    """The keys that sign digests and checkpoints."""
    return SigningKeys(state.database, state.root_key, state.chain_key)
