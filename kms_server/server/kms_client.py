"""Which KMS the S3 layer asks: the one in its own process, or the one at `--kms-endpoint`."""

import os
from collections.abc import Callable

from kms_server.config import Settings
from kms_server.connections import Connections, Endpoint, endpoint_of, trusted
from kms_server.errors import OperatorError
from kms_server.operations.call import Call, Services
from kms_server.protocol.sigv4_signer import Credentials
from kms_server.s3.kms.callers import Caller, TheirOwn, TheLayers
from kms_server.s3.kms.client import KmsClient
from kms_server.s3.kms.in_process import InProcessKms
from kms_server.s3.kms.remote import RemoteKms
from kms_server.server.forward_secret import load_key


def kms_client(settings: Settings, services: Services, perform: Callable[[Call], Call]) -> KmsClient:
    """The KMS client of the S3 layer; `perform` is the pipeline's.

    Raises:
        OperatorError: the endpoint is no URL, or there is nothing to identify with.
    """
    if settings.kms_endpoint is None:
        return InProcessKms(services, perform)
    endpoint = kms_endpoint(settings.kms_endpoint)
    return RemoteKms(Connections(endpoint, trusted() if endpoint.secure else None), _caller(settings))


def check_kms(settings: Settings) -> None:
    """See at start-up that the S3 layer could ask its KMS.

    Raises:
        OperatorError: as above.
    """
    if settings.forward_secret is not None:
        load_key(settings.forward_secret)
    if settings.kms_endpoint is not None:
        _caller(settings)
        if kms_endpoint(settings.kms_endpoint).secure:
            trusted()


def kms_endpoint(url: str) -> Endpoint:
    """The endpoint of a URL.

    Raises:
        OperatorError: it is no URL of a KMS.
    """
    return endpoint_of(url, "--kms-endpoint")


def _caller(settings: Settings) -> Caller:
    if settings.forward_secret is not None:
        return TheirOwn(load_key(settings.forward_secret))
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret:
        raise OperatorError(
            "--kms-endpoint needs --forward-secret for another kms-server, or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY in the environment for any other KMS"
        )
    return TheLayers(Credentials(key, secret, os.environ.get("AWS_SESSION_TOKEN")))
