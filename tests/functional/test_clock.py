"""Moving the clock carries out what falls due, each at its own time."""

import os
import pty
from datetime import UTC, datetime, timedelta

import pytest

from tests.functional.command_line import refused
from tests.functional.server_process import StartServer

DAY = timedelta(days=1)


def test_four_hundred_days(start_server: StartServer) -> None:
    server = start_server(env={"KMS_SERVER_CLOCK_CONTROL": "1"})
    kms = server.client("kms", data_path=True)
    begin = datetime.now(UTC)
    periodic, dated, doomed = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(3))
    blobs = {key: kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"] for key in (periodic, dated)}
    kms.enable_key_rotation(KeyId=periodic, RotationPeriodInDays=90)
    kms.schedule_key_rotation(KeyId=dated, RotationDate=begin + 45 * DAY)
    kms.schedule_key_deletion(KeyId=doomed, PendingWindowInDays=10)

    server.cli("clock", "advance", "400d")

    rotations = kms.list_key_rotations(KeyId=periodic)["Rotations"]
    assert [rotation["RotationType"] for rotation in rotations] == ["AUTOMATIC"] * 4
    for number, rotation in enumerate(rotations, 1):
        assert abs(rotation["RotationDate"] - (begin + number * 90 * DAY)) < timedelta(minutes=1)
    assert len(kms.list_key_rotations(KeyId=dated)["Rotations"]) == 1
    with pytest.raises(kms.exceptions.NotFoundException):
        kms.describe_key(KeyId=doomed)
    for blob in blobs.values():
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"

    events = [
        (record["eventName"], record["eventTime"])
        for record in server.audit_records()
        if record["eventType"] == "AwsServiceEvent"
    ]
    expected = [
        *(("RotateKey", begin + days * DAY) for days in (45, 90, 180, 270, 360)),
        ("DeleteKey", begin + 10 * DAY),
    ]
    assert len(events) == len(expected)
    for (name, when), (wanted, due) in zip(
        sorted(events, key=lambda e: e[1]), sorted(expected, key=lambda e: e[1]), strict=True
    ):
        assert name == wanted
        assert abs(datetime.fromisoformat(when) - due) < timedelta(minutes=1)


def test_a_strict_server_has_a_fixed_clock(start_server: StartServer) -> None:
    server = start_server()
    refused(server.cli("clock", "advance", "1d", check=False), "cannot be moved")


def test_a_hundred_years_are_the_most(start_server: StartServer) -> None:
    server = start_server(env={"KMS_SERVER_CLOCK_CONTROL": "1"})
    server.cli("clock", "advance", "36524d")
    shown = server.cli("clock", "show").stdout
    for span in ("2d", "999999d"):
        refused(server.cli("clock", "advance", span, check=False), "100 years", "36524 days")
    assert server.cli("clock", "show").stdout.split()[1:] == shown.split()[1:]
    server.cli("clock", "advance", "1d")
    assert server.client("kms").create_key()["KeyMetadata"]["Enabled"]


def test_a_terminal_sees_how_far_it_is(start_server: StartServer) -> None:
    server = start_server(env={"KMS_SERVER_CLOCK_CONTROL": "1"})
    kms = server.client("kms")
    kms.enable_key_rotation(KeyId=kms.create_key()["KeyMetadata"]["KeyId"], RotationPeriodInDays=90)
    server.stop()
    screen, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as stderr:
        done = server.cli("clock", "advance", "100d", stderr=stderr)
    shown = os.read(screen, 65_536).decode()
    os.close(screen)
    assert "100%" in shown
    assert "1 due step" in shown
    assert len(done.stdout.splitlines()) == 1
