"""A sealed start: everybody is told to try again, custodians give their shares, and then the server serves."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional import processes
from tests.functional.command_line import Done, clean_environment, refused, run
from tests.functional.server_process import Access, _free_port

INTRUDER = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
with socket.socket(socket.AF_UNIX) as peer:
    try:
        peer.connect(sys.argv[1])
    except PermissionError:
        print("refused")
"""


class Sealed:
    """A server that waits for shares."""

    def __init__(self, directory: Path) -> None:
        self.data, self.log, port = directory / "data", directory / "log", _free_port()
        sealed = directory / "root.shares"
        made = run("root", "split", "--shares", "3", "--threshold", "2", str(sealed))
        assert made.returncode == 0, made.stderr
        self.shares = made.stdout.splitlines()
        self.arguments = [
            "serve",
            "--port",
            str(port),
            "--data-dir",
            str(self.data),
            "--root-key",
            f"shares:{sealed}",
        ]
        self.url = f"http://127.0.0.1:{port}"
        self.start()

    def start(self) -> None:
        self.process, self.stdout = processes.start(
            self.arguments, clean_environment(), self.log, own_interpreter=False
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                self.told("health")
            except urllib.error.URLError:
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.05)
            else:
                return

    def told(self, path: str) -> tuple[int, dict[str, Any]]:
        try:
            with urllib.request.urlopen(f"{self.url}/_kms/{path}", timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def unseal(self, share: str) -> Done:
        path = self.data.parent / "share"
        path.touch(mode=0o600)
        path.write_text(share)
        return run("root", "unseal", "--data-dir", str(self.data), "--root-passphrase-file", str(path))

    def stop(self) -> int | None:
        self.process.terminate()
        self.process.join(30)
        self.stdout.close()
        return self.process.exitcode


@pytest.fixture
def sealed(tmp_path: Path) -> Any:
    server = Sealed(tmp_path)
    yield server
    if server.process.is_alive():
        assert server.stop() == 0
    server.stdout.close()
    log = server.log.read_text()
    assert "Traceback" not in log
    assert not any(share in log for share in server.shares)


def test_shares_unseal_it(sealed: Sealed) -> None:
    assert sealed.told("health") == (200, {"status": "sealed", "given": 0, "threshold": 2})
    assert sealed.told("ready")[0] == 503
    nobody = Access(sealed.url, "AKIDEXAMPLE", "secret")
    with pytest.raises(ClientError, match=r"KMSInternalException.*sealed") as failed:
        nobody.client("kms").create_key()
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert "1 of 2 shares" in sealed.unseal(sealed.shares[0]).stdout
    assert sealed.told("ready")[1] == {"status": "sealed", "given": 1, "threshold": 2}
    refused(sealed.unseal(sealed.shares[1][:-1] + "-"), "no share")
    assert sealed.unseal(sealed.shares[2]).stdout == "the server is unsealed\n"
    assert sealed.stdout.readline() == f"kms-server is ready at {sealed.url}\n"
    assert sealed.told("health") == (200, {"status": "ok"})
    assert not (sealed.data / "state" / "unseal.sock").exists()
    lines = (sealed.data / "credentials.env").read_text().splitlines()
    found = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    kms = Access(sealed.url, found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"]).client("kms")
    blob = kms.encrypt(KeyId=kms.create_key()["KeyMetadata"]["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    refused(sealed.unseal(sealed.shares[0]), "no sealed server")
    # It is sealed again after each start.
    assert sealed.stop() == 0
    sealed.start()
    for share in sealed.shares[:2]:
        sealed.unseal(share)
    sealed.stdout.readline()
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_whose_root_key_has_moved_on_needs_no_shares(sealed: Sealed) -> None:
    given = sealed.data.parent / "shares"
    given.touch(mode=0o600)
    given.write_text(",".join(sealed.shares[:2]))
    for share in sealed.shares[:2]:
        sealed.unseal(share)
    sealed.stdout.readline()
    moved = run(
        "root", "migrate", "--to", f"file:{sealed.data.parent / 'root.key'}", "--shred", "--data-dir", str(sealed.data),
        "--root-key", sealed.arguments[-1], "--root-passphrase-file", str(given),
    )  # fmt: skip
    assert moved.returncode == 0, moved.stderr
    assert sealed.stop() == 0
    sealed.start()
    assert sealed.stdout.readline() == f"kms-server is ready at {sealed.url}\n"


def test_strangers_get_nothing_and_it_stops_when_it_is_told_to(sealed: Sealed) -> None:
    place = sealed.data / "state" / "unseal.sock"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    if os.getuid() == 0:
        descriptor = os.open(place.parent, os.O_PATH)
        done = subprocess.run(
            [sys.executable, "-c", INTRUDER, f"/proc/self/fd/{descriptor}/unseal.sock"], capture_output=True, text=True,
            pass_fds=(descriptor,), check=False,
        )  # fmt: skip
        os.close(descriptor)
        assert done.stdout == "refused\n", done.stderr
    with socket.create_connection(("127.0.0.1", int(sealed.url.rpartition(":")[2]))) as client:
        client.sendall(b"nonsense\r\n\r\n")
        assert client.recv(100) == b""
    assert sealed.told("health")[1]["given"] == 0
    assert sealed.process.pid is not None
    os.kill(sealed.process.pid, signal.SIGTERM)
    sealed.process.join(30)
    assert sealed.process.exitcode == 0
    assert sealed.stdout.read() == ""
    assert not place.exists()
    assert not (sealed.data / "keys.db").exists()
