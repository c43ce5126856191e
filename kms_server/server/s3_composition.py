"""What the S3 layer of one worker is made of."""

from typing import NamedTuple

from kms_server.audit.group_commit import GroupCommit
from kms_server.config import Settings
from kms_server.operations.call import Services
from kms_server.s3.blobs.opening import open_store
from kms_server.s3.call import S3Services
from kms_server.s3.encryption.keys import Encryption
from kms_server.s3.upkeep import Upkeep
from kms_server.server.jobs import Chore
from kms_server.server.kms_client import kms_client
from kms_server.server.pipeline import Pipeline
from kms_server.server.s3_authentication import S3Authenticator
from kms_server.server.s3_pipeline import S3Pipeline


def s3_services(settings: Settings, services: Services, pipeline: Pipeline) -> S3Services:
    """What S3 operations work with."""
    kms = kms_client(settings, services, pipeline.perform)
    encryption = Encryption(services, kms, block_sse_c=settings.block_sse_c)
    return S3Services(
        services, open_store(settings.s3_store, settings.data_dir), encryption, settings.restore_delay
    )


class S3Layer(NamedTuple):
    """The way of S3 requests, and what is to be done beside them."""

    pipeline: S3Pipeline
    chores: tuple[Chore, ...]


def s3_layer(
    settings: Settings, services: Services, pipeline: Pipeline, management: GroupCommit, data: GroupCommit
) -> S3Layer | None:
    """The S3 layer; None where it is not served."""
    if "s3" not in settings.services:
        return None
    made = s3_services(settings, services, pipeline)
    upkeep = Upkeep(made, settings.abort_uploads_after)
    way = S3Pipeline(
        made,
        S3Authenticator(services.keyring, settings, settings.s3_domain),
        management,
        data,
        settings.s3_domain,
    )
    return S3Layer(way, (upkeep.delete_doomed, upkeep.settle, upkeep.abort_uploads, upkeep.rewrap))
