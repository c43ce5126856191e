"""Where a server's audit records are."""

from kms_server.audit.log import AuditLog
from kms_server.audit.lookup import Source, sources
from kms_server.audit.segments import SegmentLog
from kms_server.audit.table_log import TableLog
from kms_server.server.state import State


def audit_log(state: State) -> AuditLog:
    """Where records of calls that change nothing go."""
    if state.settings.database_url is None:
        return SegmentLog(state.settings.audit_dir, state.settings.limits)
    return TableLog(state.database.engine)


def audit_sources(state: State) -> list[Source]:
    """Every place that holds records."""
    segments = None if state.settings.database_url else state.settings.audit_dir
    return sources(state.database.engine, segments)
