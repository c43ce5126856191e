"""What the S3 layer of one worker is made of."""

from kms_server.audit.group_commit import GroupCommit
from kms_server.config import Settings
from kms_server.operations.call import Services
from kms_server.s3.blobs.opening import open_store
from kms_server.s3.call import S3Services
from kms_server.s3.encryption.keys import Encryption
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


def s3_pipeline(
    settings: Settings, services: Services, pipeline: Pipeline, management: GroupCommit, data: GroupCommit
) -> S3Pipeline | None:
    """The way of S3 requests; None where they are not served."""
    if "s3" not in settings.services:
        return None
    return S3Pipeline(
        s3_services(settings, services, pipeline),
        S3Authenticator(services.keyring, settings, settings.s3_domain), management, data, settings.s3_domain,
    )  # fmt: skip
