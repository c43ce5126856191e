"""s3fs: a verb, a bucket and a key, then a file or another key, then the words for the encryption."""

import base64
import json
import sys
from collections.abc import Callable

from s3fs import S3FileSystem


def _files(kind: str = "", key: str = "") -> S3FileSystem:
    words: dict[str, str | bytes] = {}
    if kind == "sse-kms":
        words = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    elif kind == "sse-c":
        words = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": base64.b64decode(key)}
    return S3FileSystem(s3_additional_kwargs=words)


def put(bucket: str, key: str, path: str, *sse: str) -> None:
    """Store a file."""
    _files(*sse).put_file(path, f"{bucket}/{key}", chunksize=5 << 20)


def get(bucket: str, key: str, path: str, *sse: str) -> None:
    """Fetch a file."""
    _files(*sse).get_file(f"{bucket}/{key}", path)


def names(bucket: str, prefix: str) -> None:
    """Write the names of objects."""
    found = _files().find(f"{bucket}/{prefix}")
    json.dump([name.removeprefix(f"{bucket}/") for name in found], sys.stdout)


def copy(bucket: str, key: str, to: str) -> None:
    """Copy an object within its bucket."""
    _files().copy(f"{bucket}/{key}", f"{bucket}/{to}")


def remove(bucket: str, key: str) -> None:
    """Delete an object."""
    _files().rm(f"{bucket}/{key}")


def stream(bucket: str, key: str) -> None:
    """Write an object of several parts through a file object, and read in the midst of it; what was read."""
    files, block = _files(), bytes(range(256)) * 4096
    with files.open(f"{bucket}/{key}", "wb", block_size=5 << 20) as file:
        for _ in range(12):
            file.write(block)
    with files.open(f"{bucket}/{key}", "rb", block_size=1 << 16) as file:
        file.seek(5 * len(block) - 10)
        sys.stdout.buffer.write(file.read(20))


VERBS: dict[str, Callable[..., None]] = {
    "put": put,
    "get": get,
    "list": names,
    "copy": copy,
    "remove": remove,
    "stream": stream,
}
VERBS[sys.argv[1]](*sys.argv[2:])
