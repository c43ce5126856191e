"""What the S3 layer of one worker is made of."""

from typing import NamedTuple

from kms_server.audit.group_commit import GroupCommit
from kms_server.config import Settings
from kms_server.operations.call import Services
from kms_server.s3.blobs.guarded import GuardedBlobs
from kms_server.s3.blobs.opening import open_store
from kms_server.s3.call import S3Services
from kms_server.s3.encryption.keys import Encryption
from kms_server.s3.upkeep import Upkeep
from kms_server.server.jobs import Chore
from kms_server.server.kms_client import kms_client
from kms_server.server.logs import AccessLog
from kms_server.server.pipeline import Pipeline
from kms_server.server.s3_authentication import S3Authenticator
from kms_server.server.s3_pipeline import S3Pipeline
from kms_server.server.tally import Tally
from kms_server.server.traces import Traces
from kms_server.storage.reserve import Reserve


def s3_services(settings: Settings, services: Services, pipeline: Pipeline, reserve: Reserve) -> S3Services:
    """What S3 operations work with."""
    store = open_store(settings.s3_store, settings.data_dir)
    if settings.s3_store is None:
        store = GuardedBlobs(store, services.database.waits, reserve)
    kms = kms_client(settings, services, pipeline.perform)
    encryption = Encryption(services, kms, block_sse_c=settings.block_sse_c)
    return S3Services(services, store, encryption, settings.restore_delay)


class S3Layer(NamedTuple):
    """The way of S3 requests, and what is to be done beside them."""

    pipeline: S3Pipeline
    chores: tuple[Chore, ...]


def s3_layer(
    settings: Settings, services: Services, pipeline: Pipeline, commits: tuple[GroupCommit, GroupCommit],
    reserve: Reserve, tally: Tally | None = None, traces: Traces | None = None,
) -> S3Layer | None:  # fmt: skip
    """The S3 layer; None where it is not served. `commits` are those of management events and of data events."""
    if "s3" not in settings.services:
        return None
    made = s3_services(settings, services, pipeline, reserve)
    upkeep = Upkeep(made, settings.abort_uploads_after)
    way = S3Pipeline(
        made,
        S3Authenticator(services.keyring, settings, settings.s3_domain),
        *commits,
        settings.s3_domain,
        reserve,
        tally,
        AccessLog() if settings.access_log else None,
    )
    way.traces = traces
    return S3Layer(way, (upkeep.delete_doomed, upkeep.settle, upkeep.abort_uploads, upkeep.rewrap))
