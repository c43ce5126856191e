"""What came while the process had no time is there when it has: nobody is taken for idle, or for a client to be ended."""

import time

import pytest

from kms_server.config import Limits
from kms_server.server import client_link
from tests.unit.server.door_server import SteeredPipeline, read_answer, running_door
from tests.unit.server.streams import SteeredStreams, put


@pytest.mark.parametrize("within", [False, True])
def test_nobody_is_idle_who_asked_while_the_process_had_no_time(within: bool) -> None:
    with running_door(SteeredPipeline(), Limits(idle_timeout=0.5)) as door, door.connection() as client:
        for number in range(3):
            door.pause(0.8, within=within)
            time.sleep(0.1)
            client.sendall(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number)
            assert read_answer(client)[0] == 200


def test_an_upload_that_began_while_the_process_had_no_time_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_link, "_LINGER_SECONDS", 0.5)
    with running_door(SteeredPipeline(), streams=SteeredStreams()) as door, door.connection() as client:
        for _ in range(3):
            door.pause(0.8, within=False)
            time.sleep(0.1)
            request = put(b"body")
            client.sendall(request[:-2])  # its turn comes before the rest of it
            time.sleep(1)
            client.sendall(request[-2:])
            assert read_answer(client)[0] == 200
