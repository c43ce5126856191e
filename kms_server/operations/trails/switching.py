"""StartLogging, StopLogging."""

from sqlalchemy import Connection

from kms_server.operations.call import Answer, Call
from kms_server.operations.trails import common
from kms_server.storage import audit_positions, trails


def start_logging(call: Call, connection: Connection) -> Answer:
    """Have a trail deliver what is recorded from now on, this call's own record included (AWS StartLogging)."""
    trail = common.find_at_home(call, connection, call.parameters["Name"])
    if not trail.logging:
        # Positions that are left tell of records from before it was stopped that are not in files yet: none is passed over.
        if not audit_positions.get(connection, trail.trail_id):
            audit_positions.put(call.connection, trail.trail_id, call.services.heads())
        trails.change(call.writing, trail.trail_id, logging=True, started_at=call.time)
    return {}


def stop_logging(call: Call, connection: Connection) -> Answer:
    """Have a trail take no more records; those of before are still delivered (AWS StopLogging)."""
    trail = common.find_at_home(call, connection, call.parameters["Name"])
    if trail.logging:
        trails.change(call.writing, trail.trail_id, logging=False, stopped_at=call.time)
    return {}
