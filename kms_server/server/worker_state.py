"""What one worker process is made of."""

import logging
import ssl
from dataclasses import dataclass

from flask import Flask

from kms_server.audit.checkpoints import Checkpoints
from kms_server.audit.group_commit import GroupCommit
from kms_server.config import Limits, Settings
from kms_server.server import tls
from kms_server.server.audit_proof import checkpoints_of, proof_chores
from kms_server.server.audit_trail import audit_log, data_log
from kms_server.server.authentication import Authenticator
from kms_server.server.door_types import StreamAnswerer
from kms_server.server.entrance import Entrance
from kms_server.server.flask_app import create_app
from kms_server.server.health import Health
from kms_server.server.jobs import Jobs
from kms_server.server.pipeline import Pipeline
from kms_server.server.s3_composition import s3_layer
from kms_server.server.services import services_of
from kms_server.server.state import State, open_state

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
    tls: ssl.SSLContext | None
    entrance: Entrance
    checkpoints: Checkpoints
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
        self._cover()
        self.state.database.close()

    def _cover(self) -> None:
        """Have a checkpoint name the last records; without one they are covered when a server runs again."""
        try:
            self.checkpoints.write(self.state.clock.now())
        except Exception as error:  # noqa: BLE001 - whatever hinders it must not hinder the end
            _LOG.error("the end of the audit log has no checkpoint: %s", type(error).__name__)


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
    checkpoints = checkpoints_of(state)
    jobs = Jobs(
        state, keyring,
        {"chores": layer.chores if layer else (), "proof": proof_chores(state, checkpoints)},
    )  # fmt: skip
    jobs.start()
    health = Health.of(state.database, commit, data_commit)
    entrance = Entrance(settings.trusted_proxies, settings.require_tls)
    app = create_app(pipeline, health, limits, streams, entrance)
    return WorkerState(
        pipeline,
        app,
        limits,
        commit,
        data_commit,
        jobs,
        state,
        tls.context(settings),
        entrance,
        checkpoints,
        streams,
    )
