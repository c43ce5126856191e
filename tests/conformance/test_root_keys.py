"""What every root key does, wherever it lives."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.crypto.wrap import WrapError
from kms_server.root_keys.file import FileRootKey
from kms_server.root_keys.memory import MemoryRootKey
from kms_server.root_keys.provider import RootKey

NewRootKey = Callable[[], RootKey]


@pytest.fixture(scope="module", params=["memory", "file"])
def new_root_key(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NewRootKey:
    def in_file() -> RootKey:
        path: Path = tmp_path_factory.mktemp("root") / "root.key"
        FileRootKey.create(path)
        return FileRootKey.load(path)

    return MemoryRootKey if request.param == "memory" else in_file


@pytest.fixture(scope="module")
def root(new_root_key: NewRootKey) -> RootKey:
    return new_root_key()


@given(secret=st.binary(max_size=5_000), binding=st.binary(max_size=200))
def test_what_is_wrapped_unwraps(root: RootKey, secret: bytes, binding: bytes) -> None:
    assert root.unwrap(root.wrap(secret, binding), binding) == secret


def test_every_flipped_bit_is_refused(root: RootKey) -> None:
    wrapped = root.wrap(b"secret", b"binding")
    for position in range(len(wrapped) * 8):
        flipped = bytearray(wrapped)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises(WrapError):
            root.unwrap(bytes(flipped), b"binding")


def test_a_cut_is_refused(root: RootKey) -> None:
    wrapped = root.wrap(b"secret", b"binding")
    for length in range(len(wrapped)):
        with pytest.raises(WrapError):
            root.unwrap(wrapped[:length], b"binding")
    with pytest.raises(WrapError):
        root.unwrap(wrapped + b"\0", b"binding")


@pytest.mark.parametrize("other", [b"", b"bindin", b"binding\0", b"Binding"])
def test_another_binding_is_refused(root: RootKey, other: bytes) -> None:
    with pytest.raises(WrapError):
        root.unwrap(root.wrap(b"secret", b"binding"), other)


def test_another_root_key_is_refused(root: RootKey, new_root_key: NewRootKey) -> None:
    with pytest.raises(WrapError):
        new_root_key().unwrap(root.wrap(b"secret", b"binding"), b"binding")


def test_equal_secrets_wrap_differently(root: RootKey) -> None:
    assert len({root.wrap(b"secret", b"binding") for _ in range(100)}) == 100


def test_a_fingerprint_tells_root_keys_apart(root: RootKey, new_root_key: NewRootKey) -> None:
    assert root.fingerprint == root.fingerprint
    assert len(bytes.fromhex(root.fingerprint)) == 32
    assert new_root_key().fingerprint != root.fingerprint


def test_versions_count_from_one(root: RootKey) -> None:
    assert root.version == 1
