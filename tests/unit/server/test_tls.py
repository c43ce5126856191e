"""TLS from given files, and the private CA of --tls-auto."""

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from kms_server.config import Settings
from kms_server.errors import OperatorError
from kms_server.server import tls
from tests.unit.server.door_server import SteeredPipeline, read_answer, running_door


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path, tls_auto=True, host="127.0.0.1")


def files(settings: Settings) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (settings.data_dir / "tls").iterdir()}


def changed(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    return {name for name in before | after if before.get(name) != after.get(name)}


def test_a_client_that_trusts_the_ca_reaches_every_name(settings: Settings) -> None:
    tls.ensure_auto(settings)
    client = ssl.create_default_context(cafile=str(settings.data_dir / "tls" / "ca.pem"))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    pipeline = SteeredPipeline()
    with running_door(pipeline, tls=tls.context(settings)) as door:
        for name in ("localhost", "127.0.0.1", "::1"):
            with door.connection() as plain, client.wrap_socket(plain, server_hostname=name) as secured:
                secured.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                assert read_answer(secured)[0] == 200
                assert pipeline.requests[-1].tls is not None
                assert pipeline.requests[-1].tls.version == secured.version()
    assert len(pipeline.requests) == 3


def test_a_tls_client_that_leaves_gets_no_half_closed_state(settings: Settings) -> None:
    tls.ensure_auto(settings)
    client = ssl.create_default_context(cafile=str(settings.data_dir / "tls" / "ca.pem"))
    pipeline = SteeredPipeline()
    with running_door(pipeline, tls=tls.context(settings)) as door:
        with door.connection(client) as secured:
            secured.sendall(b"GET /blocked HTTP/1.1\r\nHost: a\r\n\r\n")
        pipeline.unblock.set()
        pipeline.wait_for_calls()


def test_old_protocol_versions_are_refused(settings: Settings) -> None:
    tls.ensure_auto(settings)
    made = tls.context(settings)
    assert made is not None
    assert made.minimum_version == ssl.TLSVersion.TLSv1_2


def test_only_the_owner_reads_the_keys(settings: Settings) -> None:
    tls.ensure_auto(settings)
    for path in (settings.data_dir / "tls").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((settings.data_dir / "tls").stat().st_mode) == 0o700


def test_what_is_good_is_kept(settings: Settings) -> None:
    tls.ensure_auto(settings)
    before = files(settings)
    tls.ensure_auto(settings)
    assert changed(before, files(settings)) == set()


def test_another_host_gets_a_certificate_from_the_same_ca(settings: Settings) -> None:
    tls.ensure_auto(settings)
    before = files(settings)
    tls.ensure_auto(Settings(settings.data_dir, tls_auto=True, host="kms.internal"))
    assert changed(before, files(settings)) == {"server.pem", "server.key"}
    certificate = x509.load_pem_x509_certificate(files(settings)["server.pem"])
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "kms.internal" in names.get_values_for_type(x509.DNSName)


def test_an_expiring_certificate_is_renewed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "_SERVER_DAYS", 29)
    tls.ensure_auto(settings)
    before = files(settings)
    monkeypatch.undo()
    tls.ensure_auto(settings)
    assert changed(before, files(settings)) == {"server.pem", "server.key"}
    certificate = x509.load_pem_x509_certificate(files(settings)["server.pem"])
    assert certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=300)


def test_a_new_ca_makes_a_new_server_certificate(settings: Settings) -> None:
    tls.ensure_auto(settings)
    before = files(settings)
    (settings.data_dir / "tls" / "ca.pem").unlink()
    tls.ensure_auto(settings)
    assert changed(before, files(settings)) == {"ca.pem", "ca.key", "server.pem", "server.key"}


@pytest.mark.parametrize("name", ["server.key", "server.pem"])
def test_a_pair_that_does_not_fit_or_is_damaged_is_made_anew(settings: Settings, name: str) -> None:
    tls.ensure_auto(settings)
    directory = settings.data_dir / "tls"
    (directory / name).write_bytes((directory / name.replace("server", "ca")).read_bytes())
    tls.ensure_auto(settings)
    assert tls.context(settings) is not None
    (directory / name).write_bytes(b"damaged")
    tls.ensure_auto(settings)
    assert tls.context(settings) is not None


def test_plain_http_needs_no_context(tmp_path: Path) -> None:
    assert tls.context(Settings(tmp_path)) is None


def test_files_that_cannot_be_used_are_the_operators_to_mend(settings: Settings) -> None:
    tls.ensure_auto(settings)
    directory = settings.data_dir / "tls"
    key = load_pem_private_key((directory / "server.key").read_bytes(), None)
    locked = directory / "locked.key"
    locked.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password"))
    )
    for unusable in (directory / "ca.key", directory / "none.key", locked):
        given = Settings(settings.data_dir, tls_cert=directory / "server.pem", tls_key=unusable)
        with pytest.raises(OperatorError, match="cannot use the certificate"):
            tls.context(given)
