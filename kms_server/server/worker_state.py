"""What one worker process is made of."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Flask

from kms_server.audit.checkpoints import Checkpoints
from kms_server.audit.group_commit import GroupCommit
from kms_server.audit.streams.stream import Stream
from kms_server.audit.trail.backlog import delivery_warning
from kms_server.batches import Batches
from kms_server.config import Limits, Settings
from kms_server.files import locked
from kms_server.keyring.keyring import Keyring
from kms_server.quotas.shared_buckets import SharedBuckets
from kms_server.root_keys.provider import RootPlace
from kms_server.server.audit_proof import checkpoints_of, proof_chores
from kms_server.server.audit_retention import keeping, whole_log
from kms_server.server.audit_stream import open_stream
from kms_server.server.audit_trail import audit_log, data_log, take_in_what_is_left
from kms_server.server.authentication import Authenticator
from kms_server.server.call_metrics import CallNumbers
from kms_server.server.door_types import StreamAnswerer
from kms_server.server.entrance import Entrance
from kms_server.server.flask_app import create_app
from kms_server.server.health import Health, health_of
from kms_server.server.jobs import Chore, Jobs
from kms_server.server.limiting import limiter_of, shared_buckets
from kms_server.server.metrics import Metrics, Numbers
from kms_server.server.pipeline import Pipeline
from kms_server.server.probe import Remembered
from kms_server.server.root_holding import RootHolding
from kms_server.server.s3_composition import s3_layer
from kms_server.server.services import services_of
from kms_server.server.state import State, open_state
from kms_server.server.state_metrics import StateNumbers
from kms_server.server.tally import LOGS, Tally
from kms_server.server.traces import Traces, open_traces
from kms_server.server.trail_buckets import TrailBuckets
from kms_server.server.trail_delivery import delivery_chores
from kms_server.storage.reserve import Reserve
from kms_server.storage.trails import Trail
from kms_server.storage.waits import Waits

_LAST_SECONDS = 3.0

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerState:
    """The parts of a worker that its door and its shutdown need."""

    pipeline: Pipeline
    flask_app: Flask
    limits: Limits
    commit: GroupCommit
    data_commit: GroupCommit
    jobs: Jobs
    state: State
    health: Health
    tally: Tally
    entrance: Entrance
    memory: Keyring
    checkpoints: Checkpoints
    root: RootHolding
    shared_buckets: SharedBuckets | None = None
    audit_stream: Stream | None = None
    streams: StreamAnswerer | None = None
    traces: Traces | None = None

    @property
    def waits(self) -> Waits:
        """Who waits for the database."""
        return self.state.database.waits

    @property
    def batches(self) -> list[Batches[Any]]:
        """Whatever an event loop should be told of once for many calls."""
        shared = [self.shared_buckets] if self.shared_buckets else []
        return [self.commit, self.data_commit, *shared]

    @property
    def url(self) -> str:
        """Where clients on this machine reach the server."""
        return self.state.settings.url

    def say_alive(self, connections: int) -> None:
        """Tell the other workers of the host what this one has; called a few times a second."""
        cached, misses = self.memory.cached
        self.tally.alive(connections=connections, cached=cached, missed=misses)

    def close(self) -> None:
        """Finish what is pending and release everything."""
        self.jobs.stop()
        if self.shared_buckets is not None:
            self.shared_buckets.close()
        self.commit.close()
        self.data_commit.close()
        if self.audit_stream is not None:
            self.jobs.finish("streams", _LAST_SECONDS)
            _attempt("others go on with the audit stream later", self.audit_stream.close)
        self.jobs.close()
        # Without a checkpoint the last records are covered when a server runs again.
        _attempt("the end of the audit log has no checkpoint", self._cover)
        self.root.stop()
        self.state.database.close()
        self.tally.close()
        if self.traces is not None:
            self.traces.close()

    def _cover(self) -> None:
        """Have a checkpoint name the last records."""
        # One worker after the other: of the first checkpoint of all, only one makes the key that signs it.
        with locked(self.state.settings.state_dir / "cover.lock"):
            self.checkpoints.write(self.state.clock.now())


def _attempt(otherwise: str, work: Callable[[], object]) -> None:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - whatever hinders it must not hinder the end
        _LOG.error("%s: %s", otherwise, type(error).__name__)


def build(settings: Settings, place: RootPlace | None = None) -> WorkerState:
    """Compose a worker; called in the worker process, after the fork. `place` is what the process before it opened."""
    state = open_state(settings, place)
    limits = settings.limits
    state.database.waits.patience = limits.audit_deadline
    root = RootHolding(state)
    root.start()
    reserve = Reserve(settings.data_dir, limits.disk_reserve)
    take_in_what_is_left(state)
    commit = GroupCommit(audit_log(state, reserve), limits)
    data_commit = GroupCommit(data_log(state, reserve), limits)
    tally = Tally(settings.tally_dir)
    for log, one in zip(LOGS, (commit, data_commit), strict=True):
        one.on_written = partial(tally.batch, log)

    def check_bucket(trail: Trail) -> None:
        buckets.check(trail)

    shared = shared_buckets(settings)
    services = services_of(state, check_bucket, limiter_of(settings, shared))
    keyring = services.keyring
    traces = open_traces() if settings.traces else None
    pipeline = Pipeline(
        services,
        Authenticator(keyring, settings),
        commit,
        frozenset(settings.services),
        traced=settings.traces,
    )
    layer = s3_layer(settings, services, pipeline, (commit, data_commit), reserve, tally, traces)
    streams = layer.pipeline if layer else None
    buckets = TrailBuckets(state, streams)
    checkpoints = checkpoints_of(state)
    stream, kept = open_stream(state), keeping(state, checkpoints)
    chores: dict[str, Sequence[Chore]] = {
        "chores": layer.chores if layer else (),
        "streams": (stream.follow,) if stream else (),
        "proof": (*proof_chores(state, checkpoints), *kept.chores),
        "delivery": delivery_chores(state, buckets, checkpoints),
    }
    jobs = Jobs(state, keyring, reserve, chores)
    jobs.start()
    logs = {"management events": commit, "data events": data_commit}
    health = health_of(state, logs, reserve)
    late = Remembered(lambda: delivery_warning(state.database, state.clock.now()))
    health.hints |= {**kept.warnings, "checkpoints": checkpoints.warning, "delivery": late}
    if stream is not None:
        health.hints["audit_stream"] = lambda: stream.problem
    if shared is not None:
        health.hints["shared_counters"] = shared.warning
    entrance = Entrance(settings.trusted_proxies, settings.require_tls)
    numbers = Numbers(settings.usage_dir, services.limiter, keyring, health)
    metrics = Metrics(
        numbers, settings.metrics_from, CallNumbers(settings.tally_dir), StateNumbers(state, whole_log(state))
    )
    app = create_app(pipeline, health, limits, streams, entrance, state.database.waits, metrics)
    return WorkerState(
        pipeline,
        app,
        limits,
        commit,
        data_commit,
        jobs,
        state,
        health,
        tally,
        entrance,
        keyring,
        checkpoints,
        root,
        shared,
        stream,
        streams,
        traces,
    )
