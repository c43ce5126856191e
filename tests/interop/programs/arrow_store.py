"""PyArrow's file system: a verb, a bucket and a key, then a file or another key."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from pyarrow import fs

_FILES = fs.S3FileSystem(endpoint_override=os.environ["AWS_ENDPOINT_URL"], region=os.environ["AWS_REGION"])


def put(bucket: str, key: str, path: str) -> None:
    """Store a file."""
    with Path(path).open("rb") as source, _FILES.open_output_stream(f"{bucket}/{key}") as target:
        shutil.copyfileobj(source, target)


def get(bucket: str, key: str, path: str) -> None:
    """Fetch a file."""
    with _FILES.open_input_stream(f"{bucket}/{key}") as source, Path(path).open("wb") as target:
        shutil.copyfileobj(source, target)


def names(bucket: str, prefix: str) -> None:
    """Write the names of objects."""
    found = _FILES.get_file_info(fs.FileSelector(f"{bucket}/{prefix}", recursive=True))
    files = [one.path for one in found if one.type == fs.FileType.File]
    json.dump([path.removeprefix(f"{bucket}/") for path in files], sys.stdout)


def copy(bucket: str, key: str, to: str) -> None:
    """Copy an object within its bucket."""
    _FILES.copy_file(f"{bucket}/{key}", f"{bucket}/{to}")


def remove(bucket: str, key: str) -> None:
    """Delete an object."""
    _FILES.delete_file(f"{bucket}/{key}")


VERBS: dict[str, Callable[..., None]] = {
    "put": put,
    "get": get,
    "list": names,
    "copy": copy,
    "remove": remove,
}
VERBS[sys.argv[1]](*sys.argv[2:])
