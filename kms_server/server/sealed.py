"""A server whose root key is not there yet: it says so to everybody, and waits for the custodians' shares."""

import asyncio
import json
import logging
import signal
import socket
from contextlib import suppress

from kms_server.config import Settings
from kms_server.errors import KMSInternalException, OperatorError
from kms_server.protocol.message import Request, Response
from kms_server.root_keys.shares import SharesPlace
from kms_server.server import hardening, tls, unseal_socket
from kms_server.server.door_types import OWN_PATHS, failure

_LOG = logging.getLogger(__name__)
_SEALED = "The service is sealed: its operators have to unseal it. Try again."


def wait_until_unsealed(settings: Settings, listener: socket.socket, place: SharesPlace) -> bool:
    """Answer every call with a failure that clients try again, until there are enough shares; False if told to stop.

    Raises:
        OperatorError: the certificate cannot be used.
    """
    hardening.close_memory(settings)
    hardening.lock_memory(settings)
    if settings.tls_auto:
        tls.ensure_auto(settings)
    _LOG.info(
        "sealed: %d shares are needed; each custodian runs `kms-server root unseal --data-dir %s`",
        place.threshold, settings.data_dir,
    )  # fmt: skip
    return asyncio.run(_Sealed(settings, place).run(listener))


class _Sealed:
    def __init__(self, settings: Settings, place: SharesPlace) -> None:
        self._settings = settings
        self._place = place
        self._ended = asyncio.Event()

    async def run(self, listener: socket.socket) -> bool:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ended.set)
        longest = self._settings.limits.max_header_bytes
        with unseal_socket.listening(self._settings.state_dir) as local:
            doors = [
                await asyncio.start_server(
                    self._call, sock=listener.dup(), ssl=tls.context(self._settings), limit=longest
                ),
                await asyncio.start_unix_server(self._share, sock=local, limit=unseal_socket.LONGEST_LINE),
            ]
            await self._ended.wait()
            for door in doors:
                door.close()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        return not self._place.is_sealed

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One HTTP request and its answer; whatever is no request gets none."""
        with suppress(
            OSError, ValueError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
        ):
            async with asyncio.timeout(self._settings.limits.header_timeout):
                request = await _read(reader, self._settings.limits.max_body_bytes)
                writer.write(_written(self._answer(request)))
                await writer.drain()
        writer.close()

    def _answer(self, request: Request) -> Response:
        if not request.target.startswith(OWN_PATHS):
            return failure(KMSInternalException(_SEALED), request)
        body = json.dumps({"status": "sealed", **self._progress()}).encode()
        # It lives, and nobody needs to start it anew; but it is not ready.
        status = 200 if request.path == "/_kms/health" else 503
        return Response(status, (("Content-Type", "application/json"),), body)

    async def _share(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer: socket.socket = writer.get_extra_info("socket")
        with suppress(OSError, ValueError, TimeoutError):
            if unseal_socket.is_ours(peer):
                async with asyncio.timeout(self._settings.limits.header_timeout):
                    writer.write(self._taken(await reader.readline()))
                    await writer.drain()
        writer.close()
        if not self._place.is_sealed:
            self._ended.set()

    def _taken(self, line: bytes) -> bytes:
        try:
            self._place.give(line.decode(errors="replace"))
        except OperatorError as error:
            _LOG.warning("a share was refused")
            return json.dumps({"error": str(error)}).encode() + b"\n"
        return json.dumps({"sealed": self._place.is_sealed, **self._progress()}).encode() + b"\n"

    def _progress(self) -> unseal_socket.Progress:
        return {"given": self._place.given, "threshold": self._place.threshold}


async def _read(reader: asyncio.StreamReader, most: int) -> Request:
    """A request with its body, as far as its length is told: what is not read may cost the client our answer.

    Raises:
        ValueError, IncompleteReadError, LimitOverrunError: it is none.
    """
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    pairs = (line.partition(":") for line in head[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    length = min(int(headers.get("content-length", 0)), most)
    return Request(method, target, headers, await reader.readexactly(length) if length > 0 else b"", "")


def _written(response: Response) -> bytes:
    lines = [f"HTTP/1.1 {response.status} Sealed", *(f"{name}: {value}" for name, value in response.headers)]
    lines += [f"Content-Length: {len(response.body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1") + response.body
