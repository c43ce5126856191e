"""obstore: a verb, a bucket and a key, then a file or another key, then the words for the encryption."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from obstore.exceptions import AlreadyExistsError
from obstore.store import S3Store


def _store(bucket: str, kind: str = "", key: str = "") -> S3Store:
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    words: Any = {}
    if kind == "sse-kms":
        words = {"aws_server_side_encryption": "aws:kms", "aws_sse_kms_key_id": key}
    elif kind == "sse-c":
        words = {"aws_server_side_encryption": "sse-c", "aws_sse_customer_key_base64": key}
    options: Any = {"allow_http": endpoint.startswith("http:")}
    return S3Store(bucket, endpoint=endpoint, config=words, client_options=options)


def put(bucket: str, key: str, path: str, *sse: str) -> None:
    """Store a file."""
    _store(bucket, *sse).put(key, Path(path), chunk_size=5 << 20)


def get(bucket: str, key: str, path: str, *sse: str) -> None:
    """Fetch a file."""
    Path(path).write_bytes(bytes(_store(bucket, *sse).get(key).bytes()))


def names(bucket: str, prefix: str) -> None:
    """Write the names of objects."""
    json.dump([one["path"] for page in _store(bucket).list(prefix) for one in page], sys.stdout)


def copy(bucket: str, key: str, to: str) -> None:
    """Copy an object within its bucket."""
    _store(bucket).copy(key, to)


def remove(bucket: str, key: str) -> None:
    """Delete an object."""
    _store(bucket).delete([key])


def claim(bucket: str, key: str) -> None:
    """Create an object twice; whether the second time is refused."""
    store = _store(bucket)
    store.put(key, b"first", mode="create")
    try:
        store.put(key, b"second", mode="create")
    except AlreadyExistsError:
        json.dump("refused", sys.stdout)


def swap(bucket: str, key: str) -> None:
    """Replace an object if it is still the one that was read."""
    store = _store(bucket)
    seen = store.head(key)
    store.put(key, b"second", mode={"e_tag": seen["e_tag"]})


VERBS: dict[str, Callable[..., None]] = {
    "put": put,
    "get": get,
    "list": names,
    "copy": copy,
    "remove": remove,
    "claim": claim,
    "swap": swap,
}
VERBS[sys.argv[1]](*sys.argv[2:])
