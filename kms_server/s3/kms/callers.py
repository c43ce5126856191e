"""How a KMS elsewhere learns who calls: by the caller's own name, or not at all."""

from collections.abc import Mapping
from typing import Protocol

from kms_server.clock import real_now
from kms_server.crypto.kdf import Prf
from kms_server.errors import AccessDeniedException
from kms_server.keyring.forwarded_callers import describe
from kms_server.operations.call import Call, Forwarded
from kms_server.protocol import forwarding
from kms_server.protocol.forwarding import Claim
from kms_server.protocol.message import Request
from kms_server.protocol.sigv4_signer import Credentials, sign
from kms_server.s3.errors import AccessDenied

# The receiving server reads 32 KiB of headers.
_LONGEST = 24_000


class Caller(Protocol):
    """Makes the headers of a request."""

    def headers(self, request: Request, call: Call, forwarded: Forwarded) -> Mapping[str, str]:
        """All headers of one attempt of a request on behalf of an S3 call.

        Raises:
            AccessDenied: the caller's session cannot be told to another server.
        """


class TheirOwn:
    """Another server of this kind, with which a secret is shared: it judges the S3 caller itself."""

    def __init__(self, key: Prf) -> None:
        self._key = key

    def headers(self, request: Request, call: Call, forwarded: Forwarded) -> Mapping[str, str]:
        """The request's, and a claim."""
        try:
            claim = Claim(
                describe(call.principal), forwarded.service, forwarded.region, forwarded.source_arn,
                forwarded.source_account,
            )  # fmt: skip
        except AccessDeniedException as error:
            raise AccessDenied(error.message) from None
        sealed = forwarding.seal(claim, request, self._key, now=real_now())
        if len(sealed) > _LONGEST:
            raise AccessDenied("The session's policies are too long to be told to another server.")
        return {**request.headers, forwarding.HEADER: sealed}


class TheLayers:
    """Any KMS, which sees the credentials of the S3 layer alone."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def headers(self, request: Request, call: Call, forwarded: Forwarded) -> Mapping[str, str]:  # noqa: ARG002 - the KMS is not told
        """The request's, signed."""
        signed = sign(request, self._credentials, region=forwarded.region, service="kms", now=real_now())
        return signed.headers
