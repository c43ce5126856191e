"""What every root key does, wherever it lives."""

import copy
import pickle
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.crypto.wrap import WrapError
from kms_server.root_keys.memory import MemoryRootKey
from kms_server.root_keys.provider import RootKey
from kms_server.root_keys.ring import RootKeys, prefix_of
from tests.conformance.root_keys import KINDS, NewRootKey
from tests.forks import forked


@pytest.fixture(scope="module", params=KINDS)
def new_root_key(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NewRootKey]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield from KINDS[request.param](tmp_path_factory.mktemp("root"), monkeypatch)


@pytest.fixture(scope="module")
def root(new_root_key: NewRootKey) -> RootKey:
    return new_root_key("one")


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


def test_what_is_wrapped_holds_the_version(root: RootKey) -> None:
    wrapped = RootKeys([root], root.version).wrap(b"secret", b"binding")
    assert RootKeys([root], root.version).unwrap(wrapped, b"binding") == b"secret"
    for other in (prefix_of(root.version + 1) + wrapped[5:], wrapped[5:]):
        with pytest.raises(WrapError):
            RootKeys([root], root.version).unwrap(other, b"binding")


def test_another_root_key_is_refused(root: RootKey, new_root_key: NewRootKey) -> None:
    with pytest.raises(WrapError):
        new_root_key("another").unwrap(root.wrap(b"secret", b"binding"), b"binding")


def test_the_same_root_key_unwraps_when_it_is_loaded_again(root: RootKey, new_root_key: NewRootKey) -> None:
    assert new_root_key("one").unwrap(root.wrap(b"secret", b"binding"), b"binding") == b"secret"


def test_equal_secrets_wrap_differently(root: RootKey) -> None:
    assert len({root.wrap(b"secret", b"binding") for _ in range(100)}) == 100


def test_a_fingerprint_is_of_the_key_alone(root: RootKey, new_root_key: NewRootKey) -> None:
    assert len(bytes.fromhex(root.fingerprint)) == 32
    assert new_root_key("one").fingerprint == root.fingerprint
    assert len({new_root_key(name).fingerprint for name in ("one", "two", "three")}) == 3


def test_a_fingerprint_tells_nothing_about_the_key() -> None:
    key = bytes(range(32))
    told = bytes.fromhex(MemoryRootKey(key).fingerprint)
    assert told not in (key, sha256(key).digest())
    assert not any(key[at : at + 3] in told for at in range(30))


def test_versions_count_from_one(root: RootKey) -> None:
    assert root.version == 1


def test_it_stays_in_its_process(root: RootKey) -> None:
    for copied in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="stays in its process"):
            copied(root)
    assert "0x" in repr(root)
    assert "b'" not in repr(root)


def test_a_refusal_quotes_nothing(root: RootKey) -> None:
    wrapped = root.wrap(b"a secret of value", b"binding")
    with pytest.raises(WrapError) as refused:
        root.unwrap(wrapped, b"another")
    told = "".join(traceback.format_exception(refused.value))
    assert "value" not in told
    assert refused.value.args == ()


def test_a_forked_process_unwraps_and_so_does_its_parent(root: RootKey) -> None:
    wrapped = root.wrap(b"secret", b"binding")

    def use() -> None:
        assert root.unwrap(wrapped, b"binding") == b"secret"
        root.wrap(b"more", b"binding")

    with forked(use) as child:
        use()
    assert child.code == 0
    use()


def test_many_threads_share_it(root: RootKey) -> None:
    def both(number: int) -> bool:
        secret, binding = bytes([number]) * 40, b"binding %d" % number
        return root.unwrap(root.wrap(secret, binding), binding) == secret

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(both, range(100)))
