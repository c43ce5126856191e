"""What one worker process is made of."""

import ssl
from dataclasses import dataclass

from flask import Flask

from kms_server.audit.group_commit import GroupCommit
from kms_server.audit.log import AuditLog
from kms_server.audit.places import Source, sources
from kms_server.audit.segments import SegmentLog
from kms_server.audit.table_log import TableLog
from kms_server.config import Limits, Settings
from kms_server.keyring.keyring import Keyring
from kms_server.keyring.material_pool import MaterialPool
from kms_server.operations.call import Services
from kms_server.quotas.buckets import Buckets
from kms_server.quotas.limiter import Limiter
from kms_server.server import tls
from kms_server.server.authentication import Authenticator
from kms_server.server.door_types import StreamAnswerer
from kms_server.server.entrance import Entrance
from kms_server.server.flask_app import create_app
from kms_server.server.health import Health
from kms_server.server.jobs import Jobs
from kms_server.server.pipeline import Pipeline
from kms_server.server.s3_composition import s3_layer
from kms_server.server.startup import State, open_state
from kms_server.storage.tables import audit_data_events, audit_events


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
    tls: ssl.SSLContext | None
    entrance: Entrance
    streams: StreamAnswerer | None = None

    @property
    def url(self) -> str:
        """Where clients on this machine reach the server."""
        return self.state.settings.url

    def close(self) -> None:
        """Finish what is pending and release everything."""
        self.jobs.stop()
        self.commit.close()
        self.data_commit.close()
        self.state.database.close()


def audit_log(state: State) -> AuditLog:
    """Where records of management events go that change nothing."""
    if state.settings.database_url is None:
        return SegmentLog(state.settings.audit_dir, state.settings.limits)
    return TableLog(state.database.engine, audit_events)


def data_log(state: State) -> AuditLog:
    """Where records of data events go that change nothing."""
    if state.settings.database_url is None:
        return SegmentLog(state.settings.data_audit_dir, state.settings.limits)
    return TableLog(state.database.engine, audit_data_events)


def audit_sources(state: State) -> list[Source]:
    """Every place that holds records of management events."""
    segments = None if state.settings.database_url else state.settings.audit_dir
    return sources(state.database.engine, segments)


def data_sources(state: State) -> list[Source]:
    """Every place that holds records of data events."""
    segments = None if state.settings.database_url else state.settings.data_audit_dir
    return sources(state.database.engine, segments, data=True)


def services_of(state: State) -> Services:
    """What operations work with."""
    settings = state.settings
    return Services(
        database=state.database, keyring=Keyring(state.database, state.root_key, state.clock, settings.limits.cached_keys),
        root_key=state.root_key, clock=state.clock,
        limiter=Limiter(Buckets(settings.state_dir / "limits"), settings.quota_profile), material=MaterialPool(),
        limits=settings.limits, audit_sources=lambda: audit_sources(state), dev=settings.dev,
    )  # fmt: skip


def build(settings: Settings) -> WorkerState:
    """Compose a worker; called in the worker process, after the fork."""
    state = open_state(settings)
    limits = settings.limits
    commit = GroupCommit(audit_log(state), limits)
    data_commit = GroupCommit(data_log(state), limits)
    services = services_of(state)
    keyring = services.keyring
    pipeline = Pipeline(services, Authenticator(keyring, settings), commit, frozenset(settings.services))
    layer = s3_layer(settings, services, pipeline, commit, data_commit)
    streams = layer.pipeline if layer else None
    jobs = Jobs(state, keyring, layer.chores if layer else ())
    jobs.start()
    health = Health.of(state.database, commit, data_commit)
    entrance = Entrance(settings.trusted_proxies, settings.require_tls)
    app = create_app(pipeline, health, limits, streams, entrance)
    return WorkerState(
        pipeline, app, limits, commit, data_commit, jobs, state, tls.context(settings), entrance, streams
    )
