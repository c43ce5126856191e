"""The file of a backup: whatever is changed in it is noticed, and it opens for whom it is sealed."""

import json
from collections.abc import Callable
from functools import cache
from tempfile import TemporaryFile
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from kms_server.backup import archive
from kms_server.backup.archive import ArchiveReader, ArchiveWriter
from kms_server.backup.protection import (
    BadSecret,
    Identity,
    KnownKey,
    Opening,
    Passphrase,
    Recipient,
    Sealing,
)
from kms_server.backup.sealed_file import SealedReader, SealedWriter
from kms_server.crypto.stream import CHUNK
from kms_server.errors import OperatorError

PASSPHRASE = Passphrase(b"correct horse", log_n=14)
KNOWN = KnownKey(bytes(32))
HEADER = {"id": "01", "size": 5}
BLOCKS = [b"", b"a" * 7, bytes(range(256)) * 600, b"z" * (CHUNK - 1)]
STEP = CHUNK + 16


class Fixed:
    """A protection whose key is known."""

    def seal(self) -> tuple[dict[str, Any], bytes]:
        return {"kind": "fixed"}, bytes(32)


def sign(digest: bytes) -> bytes:
    return bytes(reversed(digest))


def ignore(_: int) -> None:
    pass


def written(protection: Sealing) -> bytes:
    with TemporaryFile() as file:
        writer = SealedWriter(file, HEADER, protection)
        made = ArchiveWriter(writer, ignore)
        made.add({"kind": "one"}, BLOCKS)
        made.add({"kind": "two"}, [])
        made.finish(sign)
        file.seek(0)
        return file.read()


@cache
def sample() -> bytes:
    return written(Fixed())  # type: ignore[arg-type] # has what is asked of it


def read(data: bytes, opening: Opening = KNOWN) -> list[Any]:
    with TemporaryFile() as file:
        file.write(data)
        reader = SealedReader(file)
        reader.unlock(opening)
        archived = ArchiveReader(reader, ignore)
        found = [(member.said, list(member.blocks)) for member in archived.members()]
        assert archived.tag == sign(archived.digest)
        return found


def test_what_is_written_is_read() -> None:
    assert read(sample()) == [({"kind": "one"}, BLOCKS), ({"kind": "two"}, [])]
    assert b"aaaaaaa" not in sample()


def test_members_need_not_be_read() -> None:
    with TemporaryFile() as file:
        file.write(sample())
        reader = SealedReader(file)
        reader.unlock(KnownKey(bytes(32)))
        assert archive.check(reader, ignore) == 2


def noticed(data: bytes) -> None:
    with pytest.raises(OperatorError):
        read(data)


@given(st.integers(0, len(sample()) - 1), st.integers(1, 255))
def test_a_changed_byte(at: int, by: int) -> None:
    damaged = bytearray(sample())
    damaged[at] ^= by
    noticed(bytes(damaged))


@given(st.integers(0, len(sample()) - 1))
def test_what_is_cut_off(at: int) -> None:
    noticed(sample()[:at])


@given(st.binary(min_size=1, max_size=40))
def test_what_is_added(more: bytes) -> None:
    noticed(sample() + more)


def test_whole_chunks_cut_off_dropped_or_swapped() -> None:
    data = sample()
    first = data.index(b"KSP1") + 70
    chunks = [data[at : at + STEP] for at in range(first, len(data), STEP)]
    assert len(chunks) > 3
    for other in (chunks[:-1], chunks[1:], [chunks[1], chunks[0], *chunks[2:]], [*chunks, chunks[-1]], []):
        noticed(data[:first] + b"".join(other))


@given(st.integers(0, len(BLOCKS)))
def test_an_archive_that_a_recipient_s_correspondent_left_unfinished(count: int) -> None:
    """Authentic bytes that are no whole archive: whoever knows a public key can make such a file."""
    with TemporaryFile() as file:
        writer = SealedWriter(file, HEADER, Fixed())  # type: ignore[arg-type] # as above
        ArchiveWriter(writer, ignore).add({"kind": "one"}, BLOCKS[:count])
        writer.finish()
        file.seek(0)
        noticed(file.read())


def pems(key: Any) -> tuple[bytes, bytes]:
    return (
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


@pytest.mark.parametrize("make", [X25519PrivateKey.generate, lambda: rsa.generate_private_key(65537, 2048)])
def test_a_recipient(make: Callable[[], Any]) -> None:
    public, private = pems(make())
    data = written(Recipient.load(public, "p"))
    assert len(read(data, Identity.load(private, "i"))) == 2
    for wrong in (
        Identity.load(pems(make())[1], "i"),
        Identity.load(pems(X25519PrivateKey.generate())[1], "i"),
        PASSPHRASE,
    ):
        with pytest.raises(BadSecret):
            read(data, wrong)


def test_a_passphrase() -> None:
    data = written(PASSPHRASE)
    assert len(read(data, PASSPHRASE)) == 2
    with pytest.raises(BadSecret, match="another passphrase"):
        read(data, Passphrase(b"correct horsf"))


@pytest.mark.parametrize(
    "change", [{"logN": 40}, {"logN": 21}, {"logN": 10}, {"r": 64}, {"p": 99}, {"logN": "17"}, {"salt": 1}]
)
def test_parameters_out_of_bounds_cost_nothing(change: dict[str, Any]) -> None:
    said, _ = PASSPHRASE.seal()
    with pytest.raises((ValueError, TypeError)):
        PASSPHRASE.open({**said, **change})


def test_keys_that_cannot_be_used() -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    public, private = pems(curve)
    locked = X25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
    )
    zero = b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEA" + b"A" * 43 + b"=\n-----END PUBLIC KEY-----\n"
    attempts: dict[str, Callable[[], object]] = {
        "must be a public key": lambda: Recipient.load(public, "it"),
        "not a public key": lambda: Recipient.load(private, "it"),
        "must be a private key": lambda: Identity.load(private, "it"),
        "not a private key": lambda: Identity.load(public, "it"),
        "under a password": lambda: Identity.load(locked, "it"),
        "small order": lambda: Recipient.load(zero, "it").seal(),
    }
    for said, attempt in attempts.items():
        with pytest.raises(OperatorError, match=said):
            attempt()


def test_another_format() -> None:
    with pytest.raises(OperatorError, match="another format"):
        read(b"kms-server backup 2\n" + sample()[20:])
    assert json.loads(sample()[24 : 24 + int.from_bytes(sample()[20:24])])["id"] == "01"
