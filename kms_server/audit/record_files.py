"""Records in files: those of `audit query --format jsonl`, and log files as CloudTrail delivers them, also compressed."""

import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from gzip import BadGzipFile, GzipFile
from io import BufferedReader
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import orjson

from kms_server.errors import OperatorError

_MOST_LINE = 2**20  # a record has 256 KiB at most
_MOST_LOG_FILE = 2**27
_GZIP = b"\x1f\x8b"
_LOG_FILE = re.compile(rb'\s*\{\s*"Records"\s*:')
_NAMES = re.compile(r".*\.(json|jsonl)(\.gz)?")
_BESIDE = re.compile(r"_CloudTrail-[A-Za-z]+_")  # digests, checkpoints, insights
_STEP = 1_000  # records between two reports of how far it is

_T = TypeVar("_T")
_Make = Callable[[Mapping[str, Any]], _T]


def files_at(path: Path) -> list[Path]:
    """The file, or all files with records below the directory, but not what CloudTrail delivers beside them.

    Raises:
        OperatorError: there are none.
    """
    if not path.is_dir():
        return [path]
    found = [
        one
        for one in path.rglob("*")
        if _NAMES.fullmatch(one.name) and not _BESIDE.search(one.name) and one.is_file()
    ]
    if not found:
        raise OperatorError(f"{path} has no files that end in .json, .jsonl, .json.gz or .jsonl.gz")
    return sorted(found)


def size_of(path: Path) -> int:
    """The bytes of a file.

    Raises:
        OperatorError: it cannot be read.
    """
    try:
        return path.stat().st_size
    except OSError as error:
        raise OperatorError(f"cannot read {path}: {error.strerror}") from None


def read(path: Path, make: _Make[_T], advance: Callable[[int], None]) -> Iterator[_T]:
    """What `make` makes of each record; `advance` is told of each stretch of the file in bytes.

    Raises:
        OperatorError: it cannot be read, or has what is no record; so may `make`, which need not name the place.
    """
    try:
        with path.open("rb") as raw:
            seen = 0
            for number, made in enumerate(_read(path, raw, make), 1):
                yield made
                if number % _STEP == 0:
                    advance(raw.tell() - seen)
                    seen = raw.tell()
            advance(raw.tell() - seen)
    except (EOFError, zlib.error, BadGzipFile):
        raise OperatorError(f"{path} is a damaged gzip file") from None
    except OSError as error:
        raise OperatorError(f"cannot read {path}: {error.strerror}") from None


def _read(path: Path, raw: BufferedReader, make: _Make[_T]) -> Iterator[_T]:
    file = BufferedReader(GzipFile(fileobj=raw)) if raw.peek(2).startswith(_GZIP) else raw
    if _LOG_FILE.match(file.peek(64)):
        records = _parsed(f"{path}", file.read(_MOST_LOG_FILE + 1), _MOST_LOG_FILE)["Records"]
        if not isinstance(records, list):
            raise OperatorError(f"{path}: Records is no list")
        for number, record in enumerate(records, 1):
            yield _made(f"{path}, record {number}", record, make)
        return
    for number in count(1):
        line = file.readline(_MOST_LINE + 1)
        if not line:
            return
        if not line.isspace():
            place = f"{path}, line {number}"
            yield _made(place, _parsed(place, line, _MOST_LINE), make)


def _parsed(place: str, content: bytes, most: int) -> Any:  # noqa: ANN401 - any JSON value
    if len(content) > most:
        raise OperatorError(f"{place}: it has more than {most:,} bytes")
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise OperatorError(f"{place}: it is no JSON: {error}") from None


def _made(place: str, record: object, make: _Make[_T]) -> _T:
    if not isinstance(record, dict):
        raise OperatorError(f"{place}: it is no record")
    try:
        return make(record)
    except OperatorError as error:
        raise OperatorError(f"{place}: {error}") from None
