"""From an S3 request to the principal behind it."""

from collections.abc import Mapping
from typing import NamedTuple

from kms_server.clock import real_now
from kms_server.config import Settings
from kms_server.errors import ExpiredTokenException, ServiceError, UnrecognizedClientException
from kms_server.iam.principal import NOBODY, Principal
from kms_server.keyring.keyring import Identity, Keyring
from kms_server.keyring.session_token import is_temporary
from kms_server.protocol.message import Request
from kms_server.protocol.signed import Signed, epoch
from kms_server.s3.errors import ExpiredToken, InvalidAccessKeyId, InvalidToken
from kms_server.s3.wire import signature, verification
from kms_server.s3.wire.aws_chunked import ChunkSigning
from kms_server.server.authentication import RefusalLog
from kms_server.server.signers import Signers, anyone

# Values of the condition key s3:authType.
HEADER, QUERY, FORM = "REST-HEADER", "REST-QUERY-STRING", "POST"


class S3Caller(NamedTuple):
    """Who signed a request, and how; an anonymous caller has neither Region nor `auth_type`.

    `signing` verifies the chunks of a signed body; None where signatures are not verified. `signature_age` is in
    milliseconds.
    """

    principal: Principal
    region: str | None = None
    signing: ChunkSigning | None = None
    auth_type: str | None = None
    signature_age: int | None = None

    def check_region(self, expected: str) -> None:
        """Check that the request was signed for the Region of its bucket.

        Raises:
            AuthorizationHeaderMalformed, AuthorizationQueryParametersError
        """
        if self.region is not None:
            signature.check_region(self.region, expected, presigned=self.auth_type != HEADER)


class S3Authenticator:
    """Verifies SigV4 as S3 does it; with `dev` any signature passes, as it does for the other services.

    `domain` is that of virtual-host style requests.
    """

    def __init__(self, keyring: Keyring, settings: Settings, domain: str | None = None) -> None:
        self._signers = Signers(keyring, settings, domain)
        self._dev = settings.dev
        self._refusals = RefusalLog()

    def authenticate(self, request: Request, *, may_block: bool = True) -> S3Caller:
        """The caller of a request. Of its body only what the request says of it is verified; `RequestPayload` does the rest.

        Raises:
            S3Error: it is signed, and not as it should be.
            AccessDeniedException: a web page calls a server in `--dev`.
        """
        self._signers.refuse_web_pages(request)
        signed = signature.parse(request)
        if signed is None:
            return S3Caller(NOBODY)
        identity = self._identity(signed, may_block=may_block)
        if identity is None or self._dev:
            return self._unverified(signed, identity, HEADER if signed.presigned_expires is None else QUERY)
        now = real_now()
        key = self._signers.signing_key(identity, signed.claim.credential)
        verification.verify(request, signed, key, now=now)
        return S3Caller(
            identity.principal,
            signed.claim.credential.region,
            ChunkSigning(key, signed.timestamp, signed.claim.credential.scope, signed.signature),
            HEADER if signed.presigned_expires is None else QUERY,
            _age(signed, now),
        )

    def authenticate_form(
        self, request: Request, fields: Mapping[str, str], *, may_block: bool = True
    ) -> S3Caller:
        """The caller of a POST form, by the signature of its policy; `fields` have lower-case names.

        Raises:
            S3Error: it is signed, and not as it should be.
            AccessDeniedException: a web page calls a server in `--dev`.
        """
        self._signers.refuse_web_pages(request)
        signed = signature.parse_form(fields)
        if signed is None:
            return S3Caller(NOBODY)
        identity = self._identity(signed, may_block=may_block)
        if identity is None or self._dev:
            return self._unverified(signed, identity, FORM)
        key = self._signers.signing_key(identity, signed.claim.credential)
        verification.check_signature(signed, fields["policy"], key)
        region = signed.claim.credential.region
        return S3Caller(identity.principal, region, None, FORM, _age(signed, real_now()))

    def note_refusal(self, request: Request, error: ServiceError) -> None:
        """Count a request that was not authenticated; it writes no audit record."""
        self._refusals.note(request.source_ip, error.code)

    def _identity(self, signed: Signed, *, may_block: bool) -> Identity | None:
        signature.check_scope(signed)
        access_key_id, token = signed.claim.credential.access_key_id, signed.session_token
        try:
            return self._signers.identity(access_key_id, token, may_block=may_block)
        except ExpiredTokenException:
            raise ExpiredToken from None
        except UnrecognizedClientException:
            if token is not None and is_temporary(access_key_id):
                raise InvalidToken from None
            raise InvalidAccessKeyId(AWSAccessKeyId=access_key_id) from None

    def _unverified(self, signed: Signed, identity: Identity | None, auth_type: str) -> S3Caller:
        """Whoever calls a server in `--dev`."""
        credential = signed.claim.credential
        principal = identity.principal if identity else anyone(credential.access_key_id)
        return S3Caller(principal, credential.region, None, auth_type, _age(signed, real_now()))


def _age(signed: Signed, now: float) -> int:
    return max(0, int((now - (epoch(signed.timestamp) or now)) * 1_000))
