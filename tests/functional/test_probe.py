"""`kms-server probe`, as a container's health check runs it."""

import os
import signal
from pathlib import Path

from tests.certificates import Authority
from tests.functional.command_line import run_in
from tests.functional.server_process import StartServer


def test_it_tells_ready_from_draining_from_gone(start_server: StartServer) -> None:
    server = start_server("--drain-delay", "60", workers=1)
    assert run_in({}, "probe", "--url", server.url).stdout == "ready\n"
    os.kill(server.pid, signal.SIGTERM)
    server.wait_for(lambda: run_in({}, "probe", "--url", server.url).returncode == 1)
    told = run_in({}, "probe", "--url", server.url)
    assert told.stderr == "the server is stopping: it takes no new clients\n"
    assert run_in({}, "probe", "--live", "--url", server.url).stdout == "alive\n"
    os.kill(server.pid, signal.SIGINT)
    server.stop()
    gone = run_in({}, "probe", "--url", server.url)
    assert (gone.returncode, gone.stdout) == (1, "")
    assert "does not answer" in gone.stderr


def test_it_has_a_certificate_where_one_is_needed(start_server: StartServer, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("server")
    own, own_key = authority.issue("probe", to_client=True)
    given_tls = ["--tls-cert", str(cert), "--tls-key", str(key), "--tls-client-ca", str(authority.ca)]
    server = start_server(*given_tls, workers=1)
    asked = ["probe", "--url", server.url, "--ca", str(authority.ca)]
    assert run_in({}, *asked).returncode == 1
    with_own = [*asked, "--client-cert", str(own), "--client-key", str(own_key)]
    assert run_in({}, *with_own).returncode == 0
    assert run_in({}, *with_own, "--server-name", "localhost").returncode == 0
    assert run_in({}, *with_own, "--server-name", "elsewhere").returncode == 1


def test_what_the_operator_must_mend(tmp_path: Path) -> None:
    for arguments in (
        ["--url", "kms.internal"],
        ["--url", "http://a:b"],
        ["--url", "https://a", "--ca", str(tmp_path / "none.pem")],
    ):
        done = run_in({}, "probe", *arguments)
        assert done.returncode == 2
        assert done.stderr.startswith("kms-server: ")
