"""What the delivery of trails is made of."""

from kms_server.audit.checkpoints import Checkpoints
from kms_server.audit.trail.closing import Closer
from kms_server.audit.trail.delivery import Delivery, Destinations
from kms_server.audit.trail.planning import Planner
from kms_server.audit.trail.reading import Journals
from kms_server.audit.trail.schedule import Schedule
from kms_server.server.audit_trail import journals, signing_keys
from kms_server.server.jobs import Chore
from kms_server.server.state import State


def planner(state: State) -> Planner:
    """What decides which record goes into which file."""
    return Planner(state.database, Journals(*journals(state)), state.clock.now)


def delivery(state: State, destinations: Destinations, checkpoints: Checkpoints) -> Delivery:
    """What delivers to destinations."""
    return Delivery(
        state.database, Journals(*journals(state)), planner(state), Closer(state.database, signing_keys(state)),
        destinations, checkpoints, state.clock.now,
    )  # fmt: skip


def delivery_chores(state: State, destinations: Destinations, checkpoints: Checkpoints) -> tuple[Chore, ...]:
    """What a server does beside its requests."""
    schedule = Schedule(delivery(state, destinations, checkpoints), state.settings.audit_delivery_interval)
    return (schedule.run,)
