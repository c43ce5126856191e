"""What every root key does, wherever it lives."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.crypto.wrap import WrapError
from kms_server.root_keys.file import FileRootKey
from kms_server.root_keys.memory import MemoryRootKey
from kms_server.root_keys.provider import RootKey

KEY = bytes(range(32))
NewRootKey = Callable[[bytes], RootKey]


@pytest.fixture(scope="module", params=["memory", "file"])
def new_root_key(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NewRootKey:
    """The implementation over a key of 32 bytes; each call is a new load of it."""

    def from_file(key: bytes) -> RootKey:
        path: Path = tmp_path_factory.mktemp("root") / "root.key"
        path.touch(mode=0o600)
        path.write_text(f"kms-server-root-key 1 1 {key.hex()}\n")
        return FileRootKey.load(path)

    return MemoryRootKey if request.param == "memory" else from_file


@pytest.fixture(scope="module")
def root(new_root_key: NewRootKey) -> RootKey:
    return new_root_key(KEY)


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
        new_root_key(bytes(32)).unwrap(root.wrap(b"secret", b"binding"), b"binding")


def test_the_same_root_key_unwraps_when_it_is_loaded_again(root: RootKey, new_root_key: NewRootKey) -> None:
    assert new_root_key(KEY).unwrap(root.wrap(b"secret", b"binding"), b"binding") == b"secret"


def test_equal_secrets_wrap_differently(root: RootKey) -> None:
    assert len({root.wrap(b"secret", b"binding") for _ in range(100)}) == 100


def test_a_fingerprint_is_of_the_key_alone(root: RootKey, new_root_key: NewRootKey) -> None:
    assert new_root_key(KEY).fingerprint == root.fingerprint
    others = {new_root_key(bytes([byte]) + KEY[1:]).fingerprint for byte in range(20)}
    assert len(others | {root.fingerprint}) == 20


def test_a_fingerprint_tells_nothing_about_the_key(root: RootKey) -> None:
    told = bytes.fromhex(root.fingerprint)
    assert len(told) == 32
    assert told not in (KEY, sha256(KEY).digest())
    assert not any(KEY[at : at + 3] in told for at in range(30))


def test_versions_count_from_one(root: RootKey) -> None:
    assert root.version == 1
