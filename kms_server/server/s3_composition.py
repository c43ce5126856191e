"""What the S3 layer of one worker is made of."""

from kms_server.audit.group_commit import GroupCommit
from kms_server.config import Settings
from kms_server.operations.call import Services
from kms_server.s3.blobs.open import open_store
from kms_server.s3.call import S3Services
from kms_server.s3.encryption.keys import Encryption
from kms_server.s3.kms.in_process import InProcessKms
from kms_server.server.pipeline import Pipeline
from kms_server.server.s3_authentication import S3Authenticator
from kms_server.server.s3_pipeline import S3Pipeline


def s3_services(settings: Settings, services: Services, pipeline: Pipeline) -> S3Services:
    """What S3 operations work with."""
    encryption = Encryption(
        services, InProcessKms(services, pipeline.perform), block_sse_c=settings.block_sse_c
    )
    return S3Services(
        services, open_store(settings.s3_store, settings.data_dir), encryption, settings.restore_delay
    )


def s3_pipeline(
    settings: Settings, services: Services, pipeline: Pipeline, management: GroupCommit, data: GroupCommit
) -> S3Pipeline:
    """The way of S3 requests."""
    return S3Pipeline(
        s3_services(settings, services, pipeline),
        S3Authenticator(services.keyring, settings, settings.s3_domain), management, data, settings.s3_domain,
    )  # fmt: skip
