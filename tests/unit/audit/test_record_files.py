"""Records out of files of each kind, and what is said of files that are none."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kms_server.audit import record_files
from kms_server.errors import OperatorError

RECORDS = [{"eventID": str(number), "eventName": "Encrypt"} for number in range(3)]
LINES = b"".join(json.dumps(one).encode() + b"\n" for one in RECORDS)
LOG_FILE = json.dumps({"Records": RECORDS}).encode()
PRETTY = json.dumps({"Records": RECORDS}, indent=2).encode()
A_LINE_TOO_LONG = b'{"a": "' + b"x" * 2**20 + b'"}'


def ids(record: Any) -> str:
    if "eventID" not in record:
        raise OperatorError("the record has no eventID")
    told: str = record["eventID"]
    return told


def read(path: Path, advance: Callable[[int], None] = lambda _: None) -> list[str]:
    return list(record_files.read(path, ids, advance))


@pytest.mark.parametrize(
    "content",
    [LINES, LOG_FILE, PRETTY, LINES.replace(b"\n", b"\n\n")],
    ids=["lines", "log", "pretty", "gaps"],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_each_kind_of_file(tmp_path: Path, content: bytes, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "records"
    passed: list[int] = []
    path.write_bytes(pack(content))
    assert read(path, passed.append) == ["0", "1", "2"]
    assert sum(passed) == path.stat().st_size == record_files.size_of(path)


def test_an_empty_file_has_none(tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.touch()
    assert read(path) == []


def test_all_files_below_a_directory(tmp_path: Path) -> None:
    below = tmp_path / "AWSLogs/000000000000/CloudTrail/us-east-1/2026/11/20"
    below.mkdir(parents=True)
    wanted = [below / "a.json.gz", below / "b.json", tmp_path / "x.jsonl", tmp_path / "y.jsonl.gz"]
    beside = [
        below / f"000000000000_CloudTrail-{kind}_us-east-1_main_20261120T100000Z.json.gz"
        for kind in ("Digest", "Checkpoint")
    ]
    for path in (*wanted, *beside, tmp_path / "notes.txt"):
        path.touch()
    (tmp_path / "no-file.json").mkdir()
    assert record_files.files_at(tmp_path) == wanted
    assert record_files.files_at(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (LINES + b"{broken\n", "bad, line 4: it is no JSON"),
        (LINES + b"[1]\n", "bad, line 4: it is no record"),
        (LINES + b'\n{"a": 1}\n', "bad, line 5: the record has no eventID"),
        (LINES + A_LINE_TOO_LONG, "bad, line 4: it has more than 1,048,576 bytes"),
        (LOG_FILE[:-1], "bad: it is no JSON"),
        (b'{"Records": 1}', "bad: Records is no list"),
        (b'{"Records": [{"eventID": "0"}, 2]}', "bad, record 2: it is no record"),
        (b'{"Records": [{}]}', "bad, record 1: the record has no eventID"),
        (gzip.compress(LINES)[:-9], "bad is a damaged gzip file"),
        (gzip.compress(LINES) + b"x", "bad is a damaged gzip file"),
        (b"\x1f\x8bnothing", "bad is a damaged gzip file"),
    ],
    ids=["broken", "list", "member", "long", "cut", "number", "second", "empty", "half", "behind", "header"],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "bad"
    path.write_bytes(content)
    with pytest.raises(OperatorError) as refused:
        read(path)
    assert words in str(refused.value)
    assert str(tmp_path) in str(refused.value)


def test_what_is_not_there(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    for ask in (lambda: read(missing), lambda: record_files.size_of(missing)):
        with pytest.raises(OperatorError, match=f"cannot read {missing}: No such file"):
            ask()
    with pytest.raises(OperatorError, match="has no files that end in"):
        record_files.files_at(tmp_path)
