"""Elliptic curves over prime fields: ECDSA (FIPS 186-5) and ECDH (SP 800-56A)."""

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from kms_server.crypto import asymmetric
from kms_server.crypto.capabilities import MaterialError
from kms_server.errors import KMSInvalidSignatureException, ValidationException


@dataclass(frozen=True, slots=True)
class EccType:
    """Keys on one curve, which signs over one hash."""

    curve: ec.EllipticCurve
    make_hash: Callable[[], hashes.HashAlgorithm]

    def generate(self) -> bytes:
        """A fresh key as PKCS#8."""
        return asymmetric.private_der(ec.generate_private_key(self.curve))

    def checked(self, material: bytes) -> bytes:
        """A key from outside, encoded anew.

        Raises:
            MaterialError: it is no key on this curve.
        """
        key = asymmetric.load_foreign(material)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != self.curve.name:
            raise MaterialError(f"not a key on {self.curve.name}")
        return asymmetric.private_der(key)

    def open(self, material: bytes, key_id: str, material_id: str) -> "EccKey":  # noqa: ARG002 - bound to no id
        """A key ready for use."""
        key = asymmetric.load_own(material)
        assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101 - the type made it
        return EccKey(key, self.make_hash)


class EccKey:
    """A private key on a curve, in use."""

    def __init__(
        self, key: ec.EllipticCurvePrivateKey, make_hash: Callable[[], hashes.HashAlgorithm]
    ) -> None:
        self._private = key
        self._public = key.public_key()
        self._make_hash = make_hash

    def public_der(self) -> bytes:
        """The public key as SubjectPublicKeyInfo: named curve, uncompressed point."""
        return asymmetric.public_der(self._public)

    def sign(self, algorithm: str, message: bytes, message_type: str) -> bytes:
        """ECDSA, as DER SEQUENCE of r and s (RFC 3279 section 2.2.3)."""
        how = asymmetric.hashed(algorithm, message, message_type, self._make_hash)
        return self._private.sign(message, ec.ECDSA(how))

    def verify(self, algorithm: str, message: bytes, message_type: str, signature: bytes) -> None:
        """Check a signature.

        Raises:
            KMSInvalidSignatureException: it is not of this key and message.
        """
        how = asymmetric.hashed(algorithm, message, message_type, self._make_hash)
        try:
            self._public.verify(signature, message, ec.ECDSA(how))
        except InvalidSignature:
            raise KMSInvalidSignatureException from None

    def derive(self, peer_der: bytes) -> bytes:
        """ECDH: the x coordinate of the shared point, as long as the field's elements (SP 800-56A section 5.7.1.2).

        Raises:
            ValidationException: that is no public key on this curve. AWS sends no text.
        """
        try:
            peer = asymmetric.load_peer(peer_der)
        except MaterialError:
            raise ValidationException from None
        if not isinstance(peer, ec.EllipticCurvePublicKey) or peer.curve.name != self._private.curve.name:
            raise ValidationException
        return self._private.exchange(ec.ECDH(), peer)
