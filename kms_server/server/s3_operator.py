"""The S3 layer as the local operator works on it, beside a server that may be running."""

from kms_server.config import DEFAULT_ACCOUNT, DEFAULT_REGION
from kms_server.errors import OperatorError
from kms_server.iam.principal import Principal
from kms_server.operations.call import Call, Forwarded
from kms_server.operations.forwarding import forwarded_call
from kms_server.operations.registry import find
from kms_server.s3.blobs.opening import open_store
from kms_server.s3.call import S3Services
from kms_server.s3.encryption.keys import Encryption
from kms_server.s3.kms.by_operator import OperatorKms
from kms_server.s3.kms.requests import DECRYPT
from kms_server.server.services import services_of
from kms_server.server.state import State


def operator_services(state: State) -> S3Services:
    """What the operator's commands work with.

    Raises:
        OperatorError: the blob store cannot be used.
    """
    settings = state.settings
    if settings.s3_store == "memory://":
        raise OperatorError("--s3-store memory:// is in the server's memory alone: no command reaches it")
    shared = services_of(state)
    shared.keyring.refresh(may_block=True)
    encryption = Encryption(shared, OperatorKms(shared.keyring))
    return S3Services(
        shared, open_store(settings.s3_store, settings.data_dir), encryption, settings.restore_delay
    )


def operator_call(services: S3Services) -> Call:
    """The call for which the operator opens keys."""
    return forwarded_call(
        services.shared, find("kms", DECRYPT), Principal.operator(DEFAULT_ACCOUNT), Forwarded("s3", DEFAULT_REGION), {}, None
    )  # fmt: skip
