"""sops: files whose data key is under a key of ours."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.interop.conftest import NewKey
from tests.interop.toolchain import Program, sops

DOCUMENT = {"password": "geheim", "nested": {"number": 7, "list": ["a", "b"]}}


@pytest.fixture
def program(environment: dict[str, str], tmp_path: Path) -> Program:
    (tmp_path / "plain.json").write_text(json.dumps(DOCUMENT))
    return Program(sops("sops"), environment, tmp_path)


def test_a_file_there_and_back(program: Program, tmp_path: Path, key: str) -> None:
    sealed = program.output("encrypt", "--kms", key, "--encryption-context", "team:sre", "plain.json")
    assert b"geheim" not in sealed
    (master,) = json.loads(sealed)["sops"]["kms"]
    assert master["arn"] == key
    assert master["context"] == {"team": "sre"}
    (tmp_path / "sealed.json").write_bytes(sealed)
    assert program.answer("decrypt", "sealed.json") == DOCUMENT


def test_a_context_that_was_changed_does_not_open_it(program: Program, tmp_path: Path, key: str) -> None:
    sealed = program.answer("encrypt", "--kms", key, "--encryption-context", "team:sre", "plain.json")
    sealed["sops"]["kms"][0]["context"] = {"team": "dev"}
    (tmp_path / "sealed.json").write_text(json.dumps(sealed))
    refused = program.run("decrypt", "sealed.json", fails=True)
    assert b"InvalidCiphertextException" in refused.stderr


def test_a_new_data_key_and_a_second_master_key(
    program: Program, tmp_path: Path, new_key: NewKey, kms: Any
) -> None:
    first, second = new_key(), new_key()
    (tmp_path / "sealed.json").write_bytes(program.output("encrypt", "--kms", first, "plain.json"))
    program.run("rotate", "--in-place", "--add-kms", second, "sealed.json")
    kms.disable_key(KeyId=first)
    assert program.answer("decrypt", "sealed.json") == DOCUMENT
