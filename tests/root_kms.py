"""A KMS for a root key: a real server of ours, in a thread of this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import boto3
import pytest
from werkzeug.serving import make_server

from kms_server.config import Settings
from kms_server.server.worker_state import build
from tests.databases import prepared


class RootKms(NamedTuple):
    """Where it is, a key there, and a client of its operator."""

    url: str
    arn: str
    client: Any


@contextmanager
def running(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RootKms]:
    """Such a KMS; the environment has its credentials."""
    settings = Settings(directory, quota_profile="unlimited")
    credentials = prepared(settings)
    worker = build(settings)
    server = make_server("127.0.0.1", 0, worker.flask_app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", credentials.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", credentials.secret_key)
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        client = boto3.client(
            "kms", endpoint_url=url, region_name="eu-west-1", aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
        )  # fmt: skip
        yield RootKms(url, client.create_key()["KeyMetadata"]["Arn"], client)
        client.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        worker.close()
