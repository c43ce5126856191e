"""Every kind of root key, as the conformance suite makes it."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

import pytest

from kms_server.root_keys.file import FileSource
from kms_server.root_keys.memory import MemoryRootKey
from kms_server.root_keys.operator_secret import OperatorSecret
from kms_server.root_keys.passphrase import Cost, PassphraseSource
from kms_server.root_keys.provider import RootKey, RootKeySource
from tests.softhsm import make_token

# The root key of a name: made when it is asked for first, loaded by a new source whenever after.
NewRootKey: TypeAlias = Callable[[str], RootKey]


def in_memory(directory: Path, monkeypatch: pytest.MonkeyPatch) -> NewRootKey:
    return lambda name: MemoryRootKey(sha256(name.encode()).digest())


def in_file(directory: Path, monkeypatch: pytest.MonkeyPatch) -> NewRootKey:
    return lambda name: _of(FileSource(directory / name, directory))


def under_passphrase(directory: Path, monkeypatch: pytest.MonkeyPatch) -> NewRootKey:
    typed = directory / "passphrase"
    typed.touch(mode=0o600)
    typed.write_text("correct horse battery\n")
    secret = OperatorSecret(typed)
    return lambda name: _of(PassphraseSource(directory / name, directory, secret, Cost(14)))


def in_token(directory: Path, monkeypatch: pytest.MonkeyPatch) -> NewRootKey:
    pkcs11 = pytest.importorskip("kms_server.root_keys.pkcs11", reason="python-pkcs11 is not installed")
    token = make_token(directory, monkeypatch)
    return lambda name: _of(pkcs11.Pkcs11Source(token.uri(name), OperatorSecret()))


KINDS = {"memory": in_memory, "file": in_file, "passphrase": under_passphrase, "pkcs11": in_token}


def _of(source: RootKeySource) -> RootKey:
    source.check()
    return source.load() if source.exists() else source.create()
