"""A whole server in this process, behind both doors."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from werkzeug.serving import WSGIRequestHandler, make_server

from kms_server.config import Limits, Settings
from kms_server.server.worker_state import build
from tests.databases import prepared
from tests.functional.server_process import Access
from tests.unit.server.door_server import running_door


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        """The test output stays readable."""


class BothDoors(NamedTuple):
    """Access through the event loop's own door, and through Flask under another WSGI server."""

    fast: Access
    wsgi: Access


@contextmanager
def both_doors(data_dir: Path, limits: Limits) -> Iterator[BothDoors]:
    """Serve until the block ends."""
    settings = Settings(data_dir, limits=limits)
    root = prepared(settings)
    worker = build(settings)
    server = make_server("127.0.0.1", 0, worker.flask_app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    commits = (worker.commit, worker.data_commit)
    with running_door(worker.pipeline, limits, streams=worker.streams, waits=worker.waits) as fast:
        for commit in commits:
            commit.soon = commit.on_batch = fast.loop.call_soon_threadsafe
        yield BothDoors(
            *(
                Access(f"http://127.0.0.1:{port}", root.access_key, root.secret_key)
                for port in (fast.port, server.port)
            )
        )
        for commit in commits:
            commit.soon = commit.on_batch = lambda work: work()
    server.shutdown()
    thread.join()
    server.server_close()
    worker.close()
