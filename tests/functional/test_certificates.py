"""Certificates of a live server: another one without a lost connection, and clients that need one."""

import os
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from botocore.config import Config
from cryptography import x509

from kms_server.config import Settings
from kms_server.server import tls
from tests.certificates import Authority
from tests.functional.server_process import ServerProcess, StartServer
from tests.functional.strangers import HEALTH
from tests.unit.server.door_server import read_answer


@contextmanager
def connected(server: ServerProcess, ca: Path) -> Iterator[ssl.SSLSocket]:
    context = ssl.create_default_context(cafile=str(ca))
    address = "127.0.0.1", int(server.url.rpartition(":")[2])
    with (
        socket.create_connection(address, 20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        yield secured


def asked(client: ssl.SSLSocket) -> int:
    client.sendall(HEALTH)
    return read_answer(client)[0]


def served(server: ServerProcess, ca: Path) -> x509.Certificate:
    with connected(server, ca) as client:
        assert asked(client) == 200
        der = client.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)


def of(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def everywhere(server: ServerProcess, ca: Path, certificate: x509.Certificate) -> bool:
    """Whether it is served on a number of connections that no worker is likely to miss."""
    return all(served(server, ca) == certificate for _ in range(8))


@contextmanager
def asking(server: ServerProcess, ca: Path) -> Iterator[tuple[list[x509.Certificate], list[str]]]:
    """What clients that connect on and on are shown, and what fails for them."""
    stopping = threading.Event()
    seen: list[x509.Certificate] = []
    failures: list[str] = []

    def ask_on_and_on() -> None:
        while not stopping.is_set():
            try:
                seen.append(served(server, ca))
            except (OSError, AssertionError) as error:
                failures.append(repr(error))

    askers = [threading.Thread(target=ask_on_and_on, daemon=True) for _ in range(3)]
    for asker in askers:
        asker.start()
    try:
        server.wait_for(lambda: bool(seen))
        yield seen, failures
    finally:
        stopping.set()
        for asker in askers:
            asker.join()


def test_a_new_certificate_is_served_without_a_lost_connection(
    start_server: StartServer, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("server")
    first = of(cert)
    server = start_server("--tls-cert", str(cert), "--tls-key", str(key))
    with connected(server, authority.ca) as before, asking(server, authority.ca) as (seen, failures):
        for _ in range(3):
            second = of(authority.issue("server")[0])
            os.kill(server.pid, signal.SIGHUP)
            server.wait_for(lambda wanted=second: everywhere(server, authority.ca, wanted))  # type: ignore[misc]  # bound
        key.write_bytes(b"broken")
        os.kill(server.pid, signal.SIGHUP)
        server.wait_for(
            lambda: "the new certificate is refused and the old one stays" in server.log.read_text()
        )
        assert asked(before) == 200
    assert failures == []
    assert {first, second} <= set(seen)
    # Who begins while the files are broken serves what the others do.
    server.kill_a_worker()
    server.all_worker_pids()
    assert everywhere(server, authority.ca, second)


def test_a_certificate_of_our_own_is_renewed_in_time(
    start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_server("--tls-auto", workers=1)
    ca = server.data_dir / "tls" / "ca.pem"
    monkeypatch.setattr(tls, "_SERVER_DAYS", 29)
    monkeypatch.setattr(tls, "_RENEW_DAYS", 1)
    (server.data_dir / "tls" / "server.pem").unlink()
    tls.ensure_auto(Settings(server.data_dir, tls_auto=True))
    expiring = of(server.data_dir / "tls" / "server.pem")
    os.kill(server.pid, signal.SIGHUP)
    server.wait_for(lambda: served(server, ca) == of(server.data_dir / "tls" / "server.pem"))
    renewed = served(server, ca)
    assert renewed.not_valid_after_utc > expiring.not_valid_after_utc
    renewed.verify_directly_issued_by(of(ca))


def test_clients_need_a_certificate_where_a_ca_for_them_is_given(
    start_server: StartServer, tmp_path: Path
) -> None:
    servers, clients, others = (Authority(tmp_path, name) for name in ("servers", "clients", "others"))
    cert, key = servers.issue("server")
    server = start_server(
        "--tls-cert", str(cert), "--tls-key", str(key), "--tls-client-ca", str(clients.ca), workers=1
    )
    address = server.url.replace("127.0.0.1", "localhost")
    good, stranger = clients.issue("good", to_client=True), others.issue("bad", to_client=True)

    def health(own: tuple[Path, Path] | None) -> int:
        context = ssl.create_default_context(cafile=str(servers.ca))
        if own is not None:
            context.load_cert_chain(*own)
        port = int(address.rpartition(":")[2])
        with (
            socket.create_connection(("localhost", port), 20) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secured,
        ):
            return asked(secured)

    assert health(good) == 200
    for own in (None, stranger, clients.issue("server-like"), clients.issue("old", to_client=True, days=0)):
        with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
            health(own)
    # A certificate lets nobody in by itself: the signature decides.
    access = replace(server.access, verify=str(servers.ca))
    config = Config(client_cert=tuple(map(str, good)))
    assert access.client("kms", config=config).list_keys()["Keys"] == []
    wrong = replace(access, secret="x" * 40).client("kms", config=config)
    with pytest.raises(wrong.exceptions.ClientError, match="InvalidSignatureException"):
        wrong.list_keys()
