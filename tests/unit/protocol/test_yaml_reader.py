"""The small part of YAML that is read."""

import pytest

from kms_server.errors import OperatorError
from kms_server.protocol import yaml_reader

SECRET = "5cdaead27fe7da2de47945d73cd6d79e"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 000000000000", {"a": "000000000000"}),
        (
            "a: no\nb: 2012-10-17\nc: 0x10\nd: ~\ne:",
            {"a": "no", "b": "2012-10-17", "c": "0x10", "d": "~", "e": ""},
        ),
        ("a: [1, {b: c}]\nd: |\n  x\n  y\n", {"a": ["1", {"b": "c"}], "d": "x\ny\n"}),
        ("--- text\n...\n", "text"),
        ('{"a": "\\u00e9", "b": []}', {"a": "é", "b": []}),
        ("<<: {a: b}", {"<<": {"a": "b"}}),
    ],
)
def test_values_are_texts(text: str, expected: yaml_reader.Value) -> None:
    assert yaml_reader.read(text.encode()) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "the file is empty"),
        (b"# nothing\n", "the file is empty"),
        (b"a: \xff", "the file is not UTF-8 (byte 3)"),
        (b"a: \x00", "the file has characters that YAML does not allow"),
        (f"a: b: {SECRET}".encode(), "line 1, column 5: this is not YAML"),
        (f"a: [{SECRET}\nb: c".encode(), "line 2, column 2: this is not YAML"),
        (f"a: !{SECRET}!x y".encode(), "line 1, column 4: this is not YAML"),
        (f"a: &{SECRET} b".encode(), "line 1, column 4: YAML anchors are not taken"),
        (f"a: *{SECRET}".encode(), "line 1, column 4: YAML aliases are not taken: write the value again"),
        (b"a: !!python/object/apply:os.system [id]", "line 1, column 4: YAML tags are not taken"),
        (b"a: !!binary aGVsbG8=", "line 1, column 4: YAML tags are not taken"),
        (f"a: x\n{SECRET}: 1\n{SECRET}: 2".encode(), "line 3, column 1: a member is there twice"),
        (b"[a]: b", "line 1, column 1: the name of a member is not a text"),
        (b"a: b\n---\nc: d", "line 2, column 1: a second document begins"),
        (b"[" * 5_000, "line 1, column 34: values are nested more than 32 deep"),
        (b"a" * (yaml_reader.MOST_BYTES + 1), f"the file is larger than {yaml_reader.MOST_BYTES} bytes"),
    ],
)
def test_what_is_refused_and_that_nothing_is_quoted(text: bytes, message: str) -> None:
    with pytest.raises(OperatorError) as refused:
        yaml_reader.read(text)
    assert str(refused.value) == message


def test_a_file_of_very_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_reader, "MOST_NODES", 100)
    assert len(yaml_reader.read(b"[" + b"a," * 99 + b"]")) == 99
    with pytest.raises(OperatorError, match="more than 100 values"):
        yaml_reader.read(b"[" + b"a," * 100 + b"]")
