"""minio-py: a verb, a bucket and a key, then a file or another key, then the words for the encryption."""

import base64
import json
import os
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from minio import Minio
from minio.commonconfig import CopySource
from minio.sse import SseCustomerKey, SseKMS

_ENDPOINT = urlsplit(os.environ["AWS_ENDPOINT_URL"])
_CLIENT = Minio(
    endpoint=_ENDPOINT.netloc, secure=_ENDPOINT.scheme == "https", region=os.environ["AWS_REGION"],
    access_key=os.environ["AWS_ACCESS_KEY_ID"], secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
)  # fmt: skip


def _sse(kind: str, key: str) -> Any:
    if kind == "sse-c":
        return SseCustomerKey(base64.b64decode(key))
    return SseKMS(key, {"department": "größe"})


def put(bucket: str, key: str, path: str, *sse: str) -> None:
    """Store a file."""
    _CLIENT.fput_object(
        bucket_name=bucket,
        object_name=key,
        file_path=path,
        part_size=5 << 20,
        sse=_sse(*sse) if sse else None,
    )


def get(bucket: str, key: str, path: str, *sse: str) -> None:
    """Fetch a file."""
    customer_key = _sse(*sse) if "sse-c" in sse else None
    _CLIENT.fget_object(bucket_name=bucket, object_name=key, file_path=path, ssec=customer_key)


def names(bucket: str, prefix: str) -> None:
    """Write the names of objects."""
    found = _CLIENT.list_objects(bucket_name=bucket, prefix=prefix, recursive=True)
    json.dump([one.object_name for one in found], sys.stdout)


def copy(bucket: str, key: str, to: str) -> None:
    """Copy an object within its bucket."""
    _CLIENT.copy_object(
        bucket_name=bucket, object_name=to, source=CopySource(bucket_name=bucket, object_name=key)
    )


def remove(bucket: str, key: str) -> None:
    """Delete an object."""
    _CLIENT.remove_object(bucket_name=bucket, object_name=key)


VERBS: dict[str, Callable[..., None]] = {
    "put": put,
    "get": get,
    "list": names,
    "copy": copy,
    "remove": remove,
}
VERBS[sys.argv[1]](*sys.argv[2:])
