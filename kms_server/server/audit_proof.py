"""What proves the audit log: its checkpoints while the server runs, and their verification."""

from collections.abc import Sequence
from functools import partial

from kms_server.audit.checkpoints import Checkpoints
from kms_server.audit.verification.log import LogVerification
from kms_server.audit.verification.places import Place, SegmentPlace, TablePlace
from kms_server.server.audit_trail import journals, signing_keys, take_in_what_is_left
from kms_server.server.jobs import Chore
from kms_server.server.state import State
from kms_server.storage.audit_tables import audit_data_events, audit_events


def checkpoints_of(state: State) -> Checkpoints:
    """The checkpoints of a server."""
    return Checkpoints(state.database, journals(state), signing_keys(state))


def proof_chores(state: State, checkpoints: Checkpoints) -> Sequence[Chore]:
    """What is to be done for the proof of the log while the server runs."""
    return (partial(checkpoints.tend, state.clock),)


def log_verification(state: State) -> LogVerification:
    """A look at the log in the database and its segments."""
    places: list[Place] = [TablePlace(state.database, table) for table in (audit_events, audit_data_events)]
    take_in_what_is_left(state)
    if state.settings.database_url is None:
        places.append(SegmentPlace(state.settings.audit_dir, is_data=False))
        places.append(SegmentPlace(state.settings.data_audit_dir, is_data=True))
    return LogVerification(state.database, state.chain_key, signing_keys(state), places)
