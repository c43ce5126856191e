"""TLS by given files, or by a private CA and a certificate made in the data directory."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kms_server.config import Settings
from kms_server.errors import OperatorError
from kms_server.files import make_private_dir, write_private

_CA_DAYS = 3_650
_SERVER_DAYS = 397
_RENEW_DAYS = 30


def context(settings: Settings) -> ssl.SSLContext | None:
    """What the listening sockets speak; None is plain HTTP.

    Raises:
        OperatorError: the certificate or its key cannot be used.
    """
    certificate, key = _pair(settings)
    if certificate is None or key is None:
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["http/1.1"])
    try:
        # An encrypted key is refused: OpenSSL would ask for its password on the terminal.
        made.load_cert_chain(certificate, key, password="")
    except (OSError, ssl.SSLError) as error:
        raise OperatorError(f"cannot use the certificate {certificate} with the key {key}: {error}") from None
    if settings.tls_client_ca is not None:
        _require_clients_of(made, settings.tls_client_ca)
    return made


def files(settings: Settings) -> tuple[Path, ...]:
    """What `context` reads, the certificate first; empty for plain HTTP."""
    given = (*_pair(settings), settings.tls_client_ca)
    return tuple(path for path in given if path is not None)


def _pair(settings: Settings) -> tuple[Path | None, Path | None]:
    """The files of the server's certificate and of its key."""
    if settings.tls_auto:
        directory = settings.data_dir / "tls"
        return directory / "server.pem", directory / "server.key"
    return settings.tls_cert, settings.tls_key


def _require_clients_of(context: ssl.SSLContext, ca: Path) -> None:
    try:
        context.load_verify_locations(ca)
    except (OSError, ssl.SSLError) as error:
        raise OperatorError(f"cannot use the certificates of --tls-client-ca {ca}: {error}") from None
    if not context.get_ca_certs():
        raise OperatorError(f"there is no certificate of a CA in {ca}: clients could not be verified")
    context.verify_mode = ssl.CERT_REQUIRED


def ensure_auto(settings: Settings) -> None:
    """Make the CA and the server certificate where they are missing, damaged or about to expire.

    Each key is written before its certificate, so after a crash in between they do not fit and are made anew.
    """
    directory = settings.data_dir / "tls"
    make_private_dir(directory)
    ca = _usable(directory / "ca.pem", directory / "ca.key")
    if ca is None:
        key = ec.generate_private_key(ec.SECP256R1())
        ca = _ca_certificate(key), key
        _store(directory / "ca.pem", directory / "ca.key", *ca)
    server = _usable(directory / "server.pem", directory / "server.key")
    if server is None or not _serves(server[0], ca[0], settings.host):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _server_certificate(key, ca[1], settings.host)
        _store(directory / "server.pem", directory / "server.key", certificate, key)


def _usable(
    certificate_path: Path, key_path: Path
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    """A certificate with its key, unless they are missing, damaged, do not fit or expire soon."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
        key = load_pem_private_key(key_path.read_bytes(), None)
    except (FileNotFoundError, ValueError):
        return None
    expires_soon = certificate.not_valid_after_utc < datetime.now(UTC) + timedelta(days=_RENEW_DAYS)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or expires_soon:
        return None
    return (certificate, key) if certificate.public_key() == key.public_key() else None


def _serves(certificate: x509.Certificate, ca: x509.Certificate, host: str) -> bool:
    """Whether the CA issued the certificate, and for all names wanted now."""
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, InvalidSignature):
        return False
    present = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return all(name in present for name in _names(host))


def _store(
    certificate_path: Path, key_path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> None:
    write_private(key_path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    write_private(certificate_path, certificate.public_bytes(Encoding.PEM))


def _names(host: str) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ip_address("127.0.0.1")),
        x509.IPAddress(ip_address("::1")),
    ]
    try:
        own: x509.GeneralName = x509.IPAddress(ip_address(host))
    except ValueError:
        own = x509.DNSName(host)
    return names if own in names else [*names, own]


def _builder(subject: str, issuer: str, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
    )


def _ca_certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        _builder("kms-server private CA", "kms-server private CA", _CA_DAYS)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _server_certificate(
    key: ec.EllipticCurvePrivateKey, ca_key: ec.EllipticCurvePrivateKey, host: str
) -> x509.Certificate:
    return (
        _builder("kms-server", "kms-server private CA", _SERVER_DAYS)
        .public_key(key.public_key())
        .add_extension(x509.SubjectAlternativeName(_names(host)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
