"""Binding before anything else is done."""

import socket

import pytest

from kms_server.errors import OperatorError
from kms_server.server.gunicorn_app import bind


def test_port_zero_picks_a_free_port() -> None:
    with (
        bind("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname(), timeout=5) as client,
    ):
        assert client.getpeername()[1] > 0


def test_an_occupied_port_is_one_clear_line() -> None:
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(
            OperatorError, match=f"cannot listen on 127.0.0.1 port {port}: .*--port"
        ) as caught:
            bind("127.0.0.1", port)
        assert "\n" not in str(caught.value)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(OperatorError, match=r"cannot listen on 192\.0\.2\.1"):
        bind("192.0.2.1", 0)
