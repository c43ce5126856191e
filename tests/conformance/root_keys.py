"""Every kind of root key, as the conformance suite makes it."""

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

import pytest

from kms_server.root_keys import shares
from kms_server.root_keys.file_place import FilePlace
from kms_server.root_keys.kms import KmsPlace
from kms_server.root_keys.memory import MemoryRootKey
from kms_server.root_keys.operator_secret import OperatorSecret
from kms_server.root_keys.passphrase import Cost, PassphrasePlace
from kms_server.root_keys.provider import RootKey, RootPlace
from tests.root_kms import running
from tests.softhsm import make_token

# The root key of a name: made when it is asked for first, loaded by a new source whenever after.
NewRootKey: TypeAlias = Callable[[str], RootKey]


def in_memory(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NewRootKey]:
    yield lambda name: MemoryRootKey(sha256(name.encode()).digest())


def in_file(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NewRootKey]:
    yield lambda name: _of(FilePlace(directory / name, directory))


def under_passphrase(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NewRootKey]:
    typed = directory / "passphrase"
    typed.touch(mode=0o600)
    typed.write_text("correct horse battery\n")
    secret = OperatorSecret(typed)
    yield lambda name: _of(PassphrasePlace(directory / name, directory, secret, Cost(14)))


def in_token(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NewRootKey]:
    pkcs11 = pytest.importorskip("kms_server.root_keys.pkcs11", reason="python-pkcs11 is not installed")
    token = make_token(directory, monkeypatch)
    yield lambda name: _of(pkcs11.Pkcs11Place(token.uri(name), OperatorSecret()))


def under_kms(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NewRootKey]:
    with running(directory / "kms", monkeypatch) as kms:
        yield lambda name: _of(KmsPlace(kms.arn, kms.url, directory / name))


def under_shares(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NewRootKey]:
    def root_key(name: str) -> RootKey:
        path, given = directory / name, directory / f"{name}.given"
        if not path.exists():
            given.touch(mode=0o600)
            given.write_text(" ".join(shares.split(path, shares=3, threshold=2)[1:]))
        return _of(shares.SharesPlace(path, OperatorSecret(given)))

    yield root_key


KINDS = {
    "memory": in_memory, "file": in_file, "passphrase": under_passphrase, "pkcs11": in_token, "kms": under_kms, "shares": under_shares,
}  # fmt: skip


def _of(place: RootPlace) -> RootKey:
    place.check()
    return place.read()[-1] if place.exists() else place.make(1)
