"""From an S3 request to the principal behind it."""

from collections.abc import Mapping
from typing import NamedTuple

from kms_server.clock import real_now
from kms_server.config import Settings
from kms_server.crypto.kdf import Prf
from kms_server.errors import ExpiredTokenException, ServiceError, UnrecognizedClientException
from kms_server.iam.principal import NOBODY, Principal
from kms_server.keyring.keyring import Identity, Keyring
from kms_server.keyring.session_token import is_temporary
from kms_server.protocol.message import Request
from kms_server.protocol.signed import Signed, epoch
from kms_server.s3.errors import ExpiredToken, InvalidAccessKeyId, InvalidToken
from kms_server.s3.wire import signature, signature_v2, verification
from kms_server.s3.wire.aws_chunked import ChunkSigning
from kms_server.s3.wire.signature_v2 import SignedV2
from kms_server.server.authentication import RefusalLog
from kms_server.server.signers import Signers, anyone

# Values of the condition key s3:authType.
HEADER, QUERY, FORM = "REST-HEADER", "REST-QUERY-STRING", "POST"


class S3Caller(NamedTuple):
    """Who signed a request, and how; an anonymous caller has neither Region nor `auth_type`.

    Only with `sigv4` is there a Region. `signing` verifies the chunks of a signed body; None where signatures are not
    verified. `signature_age` is that of a URL, in milliseconds; SigV2 does not tell.
    """

    principal: Principal
    region: str | None = None
    signing: ChunkSigning | None = None
    auth_type: str | None = None
    signature_age: int | None = None
    sigv4: bool = False

    def check_region(self, expected: str) -> None:
        """Check that the request was signed for the Region of its bucket.

        Raises:
            AuthorizationHeaderMalformed, AuthorizationQueryParametersError
        """
        if self.region is not None:
            signature.check_region(self.region, expected, presigned=self.auth_type != HEADER)


class S3Authenticator:
    """Verifies SigV4 as S3 does it, and SigV2 where it is not in a header; with `dev` any signature passes, as it does for the other services.

    `domain` is that of virtual-host style requests.
    """

    def __init__(self, keyring: Keyring, settings: Settings, domain: str | None = None) -> None:
        self._signers = Signers(keyring, settings, domain)
        self._dev = settings.dev
        self._domain = domain
        self._refusals = RefusalLog()

    def authenticate(self, request: Request, *, may_block: bool = True) -> S3Caller:
        """The caller of a request. Of its body only what the request says of it is verified; `RequestPayload` does the rest.

        Raises:
            S3Error: it is signed, and not as it should be.
            AccessDeniedException: a web page calls a server in `--dev`.
        """
        self._signers.refuse_web_pages(request)
        old = signature_v2.parse(request, self._domain)
        if old is not None:
            return self._by_v2(old, QUERY, may_block=may_block)
        signed = signature.parse(request)
        if signed is None:
            return S3Caller(NOBODY)
        now = real_now()
        auth_type, age = (HEADER, None) if signed.presigned_expires is None else (QUERY, _age(signed, now))
        principal, key = self._signer(signed, may_block=may_block)
        signing = None
        if key is not None:
            verification.verify(request, signed, key, now=now)
            signing = ChunkSigning(key, signed.timestamp, signed.claim.scope, signed.signature)
        return S3Caller(principal, signed.claim.credential.region, signing, auth_type, age, sigv4=True)

    def authenticate_form(
        self, request: Request, fields: Mapping[str, str], *, may_block: bool = True
    ) -> S3Caller:
        """The caller of a POST form, by the signature of its policy; `fields` have lower-case names.

        Raises:
            S3Error: it is signed, and not as it should be.
            AccessDeniedException: a web page calls a server in `--dev`.
        """
        self._signers.refuse_web_pages(request)
        old = signature_v2.parse_form(fields)
        if old is not None:
            return self._by_v2(old, FORM, may_block=may_block)
        signed = signature.parse_form(fields)
        if signed is None:
            return S3Caller(NOBODY)
        principal, key = self._signer(signed, may_block=may_block)
        if key is not None:
            verification.check_signature(signed, fields["policy"], key)
        return S3Caller(principal, signed.claim.credential.region, None, FORM, sigv4=True)

    def note_refusal(self, request: Request, error: ServiceError) -> None:
        """Count a request that was not authenticated; it writes no audit record."""
        self._refusals.note(request.source_ip, error.code)

    def _by_v2(self, signed: SignedV2, auth_type: str, *, may_block: bool) -> S3Caller:
        """The caller by a signature that names no Region."""
        identity = self._identity(signed.access_key_id, signed.session_token, may_block=may_block)
        if identity is not None and not self._dev:
            signature_v2.verify(signed, identity.secret, now=real_now())
        principal = identity.principal if identity else anyone(signed.access_key_id)
        return S3Caller(principal, auth_type=auth_type)

    def _signer(self, signed: Signed, *, may_block: bool) -> tuple[Principal, Prf | None]:
        """Who says to have signed, and the key to verify it with; None in `--dev`, where nothing is verified."""
        signature.check_scope(signed)
        credential = signed.claim.credential
        identity = self._identity(credential.access_key_id, signed.session_token, may_block=may_block)
        if identity is None:
            return anyone(credential.access_key_id), None
        key = None if self._dev else self._signers.signing_key(identity, credential)
        return identity.principal, key

    def _identity(self, access_key_id: str, token: str | None, *, may_block: bool) -> Identity | None:
        """Whose credentials these are; None, in `--dev` alone: nobody's.

        Raises:
            ExpiredToken, InvalidToken, InvalidAccessKeyId
        """
        try:
            return self._signers.identity(access_key_id, token, may_block=may_block)
        except ExpiredTokenException:
            raise ExpiredToken from None
        except UnrecognizedClientException:
            if token is not None and is_temporary(access_key_id):
                raise InvalidToken from None
            raise InvalidAccessKeyId(AWSAccessKeyId=access_key_id) from None


def _age(signed: Signed, now: float) -> int:
    return max(0, int((now - (epoch(signed.timestamp) or now)) * 1_000))
