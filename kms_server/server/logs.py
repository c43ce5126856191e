"""The log on standard error: as text, or as one JSON object a line; and the access log within it."""

import json
import logging
import traceback
from datetime import UTC, datetime
from typing import Any

from gunicorn.glogging import Logger

from kms_server.protocol.message import Request, Response, StreamedResponse
from kms_server.server.call_kinds import Kind
from kms_server.server.door_types import OWN_PATHS

# Where a record carries members of its own, beside those that every record has.
_MEMBERS = "kms_server_members"
_ACCESS = logging.getLogger("kms_server.access")
_REQUEST_IDS = frozenset({"x-amzn-requestid", "x-amz-request-id"})


class JsonFormatter(logging.Formatter):
    """One object a line: time (UTC), level, logger, message, pid, and what else the record carries.

    Of an exception it has the type and where it was raised, not its text, which may quote what was sent.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
        }
        told |= getattr(record, _MEMBERS, {})
        if record.exc_info and record.exc_info[0] is not None:
            frames = traceback.extract_tb(record.exc_info[2])
            told["exception"] = record.exc_info[0].__name__
            told["frames"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        return json.dumps(told, default=str)


class JsonGunicornLogger(Logger):  # type: ignore[misc]  # gunicorn has no annotations
    """gunicorn's own messages, in the same format."""

    def setup(self, cfg: Any) -> None:  # noqa: ANN401 - gunicorn's own
        """Prepare its handlers."""
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(JsonFormatter())


def use_json() -> None:
    """Have every message of this process, and of those that it forks, written as JSON."""
    for handler in logging.getLogger().handlers:
        handler.setFormatter(JsonFormatter())


def request_id_of(response: Response | StreamedResponse) -> str | None:
    """The request id that an answer has, by which its audit record is found."""
    return next((value for name, value in response.headers if name.lower() in _REQUEST_IDS), None)


class AccessLog:
    """A line for each answer: what was asked for, by which address, how it ended and how long it took.

    Neither the target of a call is in it nor a header: a presigned URL is a credential.
    """

    def note(
        self, request: Request, response: Response | StreamedResponse, kind: Kind | None, seconds: float
    ) -> None:
        """Write the line of one answer."""
        told: dict[str, object] = {"status": response.status, "duration_ms": round(seconds * 1e3, 3)}
        told["source_ip"] = request.source_ip
        told["request_id"] = request_id_of(response) or "-"
        if kind is None:
            path = request.path[:80] if request.target.startswith(OWN_PATHS) else "-"
            what = told["path"] = path.encode("ascii", "backslashreplace").decode()
        else:
            what = f"{kind.service}:{kind.operation} {kind.result.name.lower()}"
            told |= {"service": kind.service, "operation": kind.operation, "result": kind.result.name.lower()}
        _ACCESS.info(
            "%s %s %.1f ms %s %s",
            what, response.status, seconds * 1e3, request.source_ip, told["request_id"], extra={_MEMBERS: told},
        )  # fmt: skip
