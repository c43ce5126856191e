"""What keeps the audit log within its limits in a worker, and what health says of it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from kms_server.audit.checkpoints import Checkpoints
from kms_server.audit.log_size import Log, Part
from kms_server.audit.pruning import Pruner
from kms_server.audit.retention import (
    Policy,
    Retention,
    disk_warning,
    size_warning,
    undelivered_warning,
)
from kms_server.clock import DAY
from kms_server.config import Settings
from kms_server.server.jobs import Chore
from kms_server.server.probe import Remembered
from kms_server.server.state import State
from kms_server.storage.audit_tables import audit_data_events, audit_events
from kms_server.storage.audit_writers import Head


class Keeping(NamedTuple):
    """The chores, for the group "proof", and the warnings by the names that health has for them."""

    chores: tuple[Chore, ...]
    warnings: Mapping[str, Callable[[], str | None]]


def keeping(state: State, checkpoints: Checkpoints) -> Keeping:
    """How a worker keeps the log within its limits."""
    log, policy = whole_log(state), policy_of(state.settings)
    pruner = pruner_of(state, checkpoints)
    retention = Retention(pruner, policy, state.clock, state.settings.limits.prune_interval)
    warnings = {
        "undelivered": Remembered(partial(undelivered_warning, log, pruner, policy)),
        "audit_size": Remembered(partial(size_warning, log, policy)),
        "audit_disk": Remembered(partial(disk_warning, log)),
    }
    return Keeping((retention.prune,), warnings)


def pruner_of(state: State, checkpoints: Checkpoints) -> Pruner:
    """What prunes a server's log."""

    def sign(pruned: Mapping[str, Head], gone: Sequence[str]) -> None:
        checkpoints.rebase(state.clock.now(), pruned, gone)

    return Pruner(
        whole_log(state), sign, rows=state.settings.limits.prune_rows, lock=state.settings.pruning_lock
    )


def policy_of(settings: Settings) -> Policy:
    """How long records are kept."""
    return Policy(settings.audit_retention_days * DAY, settings.audit_retention_size)


def whole_log(state: State) -> Log:
    """All places of a server's records."""
    settings = state.settings
    embedded = settings.database_url is None
    return Log(
        state.database,
        (
            Part(audit_events, settings.audit_dir if embedded else None),
            Part(audit_data_events, settings.data_audit_dir if embedded else None),
        ),
    )
