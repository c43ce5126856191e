"""Each single change to what is stored of an object makes its next read fail, and `s3 verify` names that object.

No wrong byte ever leaves: a read fails at once, or is broken off after right bytes only.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import delete, insert, update

from kms_server.s3.call import S3Services
from kms_server.s3.encryption import envelope as envelopes
from kms_server.s3.encryption.types import Envelope
from kms_server.s3.verifying import Verifying
from kms_server.server.s3_operator import operator_call, operator_services
from kms_server.storage.object_tables import object_versions, parts
from kms_server.storage.object_upkeep import Scope
from tests.s3_in_process import CUSTOMER, KINDS, S3InProcess

SHAPES = {"inline": [3_000], "blob": [220_000], "multipart": [100_000, 100_000]}
CHUNKED = frozenset({"blob", "multipart"})
CHUNK = 65_536


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3InProcess]:
    made = S3InProcess(tmp_path_factory.mktemp("tampering") / "data")
    made.ok("PUT", "/tampered")
    yield made
    made.close()


class Stored(NamedTuple):
    """All that is stored of an object, as it was written."""

    path: str
    plaintext: bytes
    version: dict[str, Any]
    parts: list[dict[str, Any]]
    blobs: dict[Path, bytes]


def store(s3: S3InProcess, key: str, kind: str, shape: str) -> Stored:
    path, headers = f"/tampered/{key}", KINDS[kind] | {"x-amz-meta-colour": "red"}
    pieces = [os.urandom(size) for size in SHAPES[shape]]
    if shape == "multipart":
        s3.upload(path, pieces, headers)
    else:
        s3.ok("PUT", path, pieces[0], headers)
    version = s3.version(key)
    rows = s3.parts(version["number"])
    files = [s3.blob(row["blob_id"]) for row in rows if row["inline"] is None]
    return Stored(path, b"".join(pieces), version, rows, {file: file.read_bytes() for file in files})


@dataclass
class Pair:
    """An object to be changed, and another one of the same kind, shape and size."""

    s3: S3InProcess
    kind: str
    shape: str
    victim: Stored
    other: Stored

    def column(self, **values: Any) -> None:
        """Change columns of the victim's version."""
        own = object_versions.c.number == self.victim.version["number"]
        with self.s3.database.index() as connection:
            connection.execute(update(object_versions).where(own).values(**values))

    def part(self, at: int = 0, **values: Any) -> None:
        """Change columns of one of its parts."""
        own = parts.c.blob_id == self.victim.parts[at]["blob_id"]
        with self.s3.database.index() as connection:
            connection.execute(update(parts).where(own).values(**values))

    def sealed(self, change: Callable[[bytes], bytes], at: int = 0) -> None:
        """Change the sealed bytes of one of its parts."""
        row = self.victim.parts[at]
        if row["inline"] is None:
            path = self.s3.blob(row["blob_id"])
            path.write_bytes(change(path.read_bytes()))
        else:
            self.part(at, inline=change(row["inline"]))

    def sealed_of(self, stored: Stored, at: int = 0) -> bytes:
        """The sealed bytes of a part."""
        row = stored.parts[at]
        inline: bytes | None = row["inline"]
        return self.s3.blob(row["blob_id"]).read_bytes() if inline is None else inline

    def envelope(self, change: Callable[[Envelope], Envelope]) -> None:
        """Change the victim's envelope."""
        self.column(envelope=envelopes.encode(change(envelopes.decode(self.victim.version["envelope"]))))

    def restore(self) -> None:
        """Make all as it was."""
        stored = (self.victim, self.other)
        numbers = [one.version["number"] for one in stored]
        ids = [row["blob_id"] for one in stored for row in one.parts]
        with self.s3.database.index() as connection:
            connection.execute(delete(parts).where(parts.c.version.in_(numbers) | parts.c.blob_id.in_(ids)))
            connection.execute(delete(object_versions).where(object_versions.c.number.in_(numbers)))
            connection.execute(insert(object_versions), [one.version for one in stored])
            connection.execute(insert(parts), [row for one in stored for row in one.parts])
        for one in stored:
            for path, content in one.blobs.items():
                if not path.exists() or path.read_bytes() != content:
                    path.write_bytes(content)


@pytest.fixture(scope="module")
def pairs(s3: S3InProcess) -> dict[tuple[str, str], Pair]:
    return {
        (kind, shape): Pair(
            s3, kind, shape, *(store(s3, f"{which}-{kind}-{shape}".replace(" ", "-"), kind, shape) for which in "ab")
        )
        for kind in KINDS
        for shape in SHAPES
    }  # fmt: skip


def flipped(data: bytes, at: int) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def flip(at: float) -> Callable[[bytes], bytes]:
    """Flips a bit at a place between 0, the first byte, and 1, the last one."""
    return lambda data: flipped(data, int(at * (len(data) - 1)))


def chunks(data: bytes, layers: int) -> list[bytes]:
    step = CHUNK + 16 * layers
    return [data[at : at + step] for at in range(0, len(data), step)]


def by_chunks(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Pair], None]:
    def tamper(pair: Pair) -> None:
        layers = 2 if pair.kind == "DSSE" else 1
        pair.sealed(lambda data: b"".join(change(chunks(data, layers))))

    return tamper


def remove_blob(pair: Pair) -> None:
    pair.s3.blob(pair.victim.parts[0]["blob_id"]).unlink()


def swap(pair: Pair, one: dict[str, Any], other: dict[str, Any], column: str) -> None:
    """Swap a column of two parts, of which one holds a place that nothing else has meanwhile."""
    with pair.s3.database.index() as connection:
        for row, values in (
            (one, {"number": 9_999}), (other, {column: one[column]}), (one, {column: other[column]}),
            *(((one, {"number": one["number"]}),) if column != "number" else ()),
        ):  # fmt: skip
            connection.execute(update(parts).where(parts.c.blob_id == row["blob_id"]).values(**values))


def drop_part(pair: Pair) -> None:
    with pair.s3.database.index() as connection:
        connection.execute(delete(parts).where(parts.c.blob_id == pair.victim.parts[-1]["blob_id"]))


def foreign(column: str) -> Callable[[Pair], None]:
    """Puts a column of the other object into the victim's place."""
    return lambda pair: pair.column(**{column: pair.other.version[column]})


def changed(column: str, change: Callable[[Any], Any]) -> Callable[[Pair], None]:
    return lambda pair: pair.column(**{column: change(pair.victim.version[column])})


def in_envelope(member: str, at: float) -> Callable[[Pair], None]:
    def tamper(pair: Pair) -> None:
        def spoiled(kept: Envelope) -> Envelope:
            values: dict[str, Any] = {member: flip(at)(getattr(kept, member))}
            return replace(kept, **values)

        pair.envelope(spoiled)

    return tamper


class Tampering(NamedTuple):
    """A change. `structural`: what shows without any key. `spoils_other`: it changes both objects."""

    change: Callable[[Pair], None]
    structural: bool = False
    shapes: frozenset[str] = frozenset(SHAPES)
    kinds: frozenset[str] = frozenset(KINDS)
    spoils_other: bool = False


MULTIPART, IN_BLOBS = frozenset({"multipart"}), CHUNKED
S3, KMS, DSSE = frozenset({"SSE-S3"}), frozenset({"SSE-KMS", "bucket key", "DSSE"}), frozenset({"DSSE"})
CLEAR_ETAG = KMS | {"SSE-C"}
TAMPERINGS = {
    "last byte cut off": Tampering(lambda pair: pair.sealed(lambda data: data[:-1]), structural=True),
    "one byte more": Tampering(lambda pair: pair.sealed(lambda data: data + b"x"), structural=True),
    "nothing left": Tampering(lambda pair: pair.sealed(lambda data: b""), structural=True),
    "blob removed": Tampering(remove_blob, structural=True, shapes=IN_BLOBS),
    "first bit flipped": Tampering(lambda pair: pair.sealed(flip(0))),
    "bit in the middle flipped": Tampering(lambda pair: pair.sealed(flip(0.5))),
    "last bit flipped": Tampering(lambda pair: pair.sealed(flip(1))),
    "bit in the last part flipped": Tampering(lambda pair: pair.sealed(flip(0.5), at=-1), shapes=MULTIPART),
    "chunks reordered": Tampering(by_chunks(lambda all_: [all_[1], all_[0], *all_[2:]]), shapes=frozenset({"blob"})),
    "chunk repeated": Tampering(by_chunks(lambda all_: [all_[0], all_[0], *all_[2:]]), shapes=frozenset({"blob"})),
    "first chunk cut off": Tampering(by_chunks(lambda all_: all_[1:]), structural=True, shapes=IN_BLOBS),
    "last chunk cut off": Tampering(by_chunks(lambda all_: all_[:-1]), structural=True, shapes=IN_BLOBS),
    "bytes of the other object": Tampering(lambda pair: pair.sealed(lambda _: pair.sealed_of(pair.other))),
    "bytes of the other part": Tampering(
        lambda pair: pair.sealed(lambda _: pair.sealed_of(pair.victim, 1)), shapes=MULTIPART
    ),
    "parts of two objects swapped": Tampering(
        lambda pair: swap(pair, pair.victim.parts[0], pair.other.parts[0], "version"), spoils_other=True
    ),
    "parts renumbered": Tampering(
        lambda pair: swap(pair, pair.victim.parts[0], pair.victim.parts[1], "number"), shapes=MULTIPART
    ),
    "part dropped": Tampering(drop_part, structural=True),
    "part's header flipped": Tampering(lambda pair: pair.part(header=flip(0.5)(pair.victim.parts[0]["header"]))),
    "part's suite changed": Tampering(
        lambda pair: pair.part(header=flipped(pair.victim.parts[0]["header"], 4)), structural=True
    ),
    "part's header cut off": Tampering(
        lambda pair: pair.part(header=pair.victim.parts[0]["header"][:-1]), structural=True
    ),
    "part's header of the other object": Tampering(lambda pair: pair.part(header=pair.other.parts[0]["header"])),
    "part's size changed": Tampering(
        lambda pair: pair.part(size=pair.victim.parts[0]["size"] - 1), structural=True
    ),
    "envelope's format changed": Tampering(changed("envelope", flip(0)), structural=True),
    "envelope cut off": Tampering(changed("envelope", lambda kept: kept[:-1]), structural=True),
    "envelope of the other object": Tampering(foreign("envelope")),
    "wrapped key flipped": Tampering(in_envelope("wrapped", 0.9)),
    "wrapped key's format changed": Tampering(in_envelope("wrapped", 0)),
    "data key flipped": Tampering(in_envelope("data_key", 0.9), kinds=KMS),
    "data key's head flipped": Tampering(in_envelope("data_key", 0.1), kinds=KMS),
    "outer key flipped": Tampering(in_envelope("wrapped_outer", 0.9), kinds=DSSE),
    "check of the customer's key flipped": Tampering(in_envelope("check", 0.9), kinds=frozenset({"SSE-C"})),
    "context changed": Tampering(
        lambda pair: pair.envelope(lambda kept: replace(kept, context={"a": "b"})), kinds=KMS
    ),
    "manifest flipped": Tampering(changed("manifest", flip(0.5))),
    "manifest's seal changed": Tampering(changed("manifest", lambda kept: b"\x03" + kept[1:])),
    "manifest cut off": Tampering(changed("manifest", lambda kept: kept[:-1])),
    "manifest empty": Tampering(changed("manifest", lambda kept: b"")),
    "manifest of the other object": Tampering(foreign("manifest")),
    "size changed": Tampering(changed("size", lambda size: size - 1), structural=True),
    "ETag changed": Tampering(changed("etag", lambda etag: "0" * 32), kinds=CLEAR_ETAG),
    "sealed ETag flipped": Tampering(changed("sealed_etag", flip(0.9)), kinds=S3),
    "sealed ETag of the other object": Tampering(foreign("sealed_etag"), kinds=S3),
    "clear ETag for a sealed one": Tampering(
        lambda pair: pair.column(sealed_etag=None, etag="0" * 32), kinds=S3
    ),
    "headers edited": Tampering(changed("headers", lambda text: text.replace("red", "blue"))),
    "checksum's name changed": Tampering(changed("checksum", lambda _: "SHA256/FULL_OBJECT")),
    "kind changed": Tampering(
        changed("kind", lambda kind: "AES256" if kind != "AES256" else "aws:kms"), structural=True
    ),
    "key's ARN changed": Tampering(
        changed("key_arn", lambda arn: f"{arn or 'arn:aws:kms:us-east-1:1:key/'}0"), structural=True
    ),
    "master's backing key changed": Tampering(changed("material", lambda _: "0" * 64), structural=True),
    "object's id changed": Tampering(changed("object_id", lambda _: "0" * 32)),
}  # fmt: skip


CASES = [
    pytest.param(kind, shape, name, id=f"{name}, {kind}, {shape}")
    for name, tampering in TAMPERINGS.items()
    for kind in KINDS
    for shape in SHAPES
    if kind in tampering.kinds and shape in tampering.shapes
]


@pytest.fixture
def pair(pairs: dict[tuple[str, str], Pair], request: pytest.FixtureRequest) -> Iterator[Pair]:
    found = pairs[request.getfixturevalue("kind"), request.getfixturevalue("shape")]
    yield found
    found.restore()


@cache
def services_beside(s3: S3InProcess) -> S3Services:
    return operator_services(s3.state)


def damaged(pair: Pair) -> set[str]:
    """What `s3 verify` names of the pair."""
    services = services_beside(pair.s3)
    scope = Scope(pair.victim.version["bucket_id"])
    before = min(one.version["number"] for one in (pair.victim, pair.other)) - 1
    last = before + 2
    named = set()
    for verdict in Verifying(services, operator_call(services), lambda _: None).run(scope, before):
        if verdict.version.number > last:
            break
        if verdict.problem is not None:
            named.add(f"/{verdict.bucket}/{verdict.version.key}")
    return named


def refuses(pair: Pair, stored: Stored) -> bool:
    """Whether a read fails, after right bytes at most."""
    answered = pair.s3.ask("GET", stored.path, headers=CUSTOMER if pair.kind == "SSE-C" else None)
    if answered.status >= 400:
        assert stored.plaintext[:64] not in answered.body
        return True
    assert stored.plaintext.startswith(answered.body)
    return answered.broken


@pytest.mark.soak(but=3, each="name")
@pytest.mark.parametrize(("kind", "shape", "name"), CASES)
def test_a_change_is_noticed(pair: Pair, kind: str, shape: str, name: str) -> None:
    tampering = TAMPERINGS[name]
    tampering.change(pair)
    assert refuses(pair, pair.victim)
    if tampering.spoils_other:
        assert refuses(pair, pair.other)
    expected = {pair.victim.path} | ({pair.other.path} if tampering.spoils_other else set())
    if kind == "SSE-C" and not tampering.structural:
        assert damaged(pair) <= expected
    else:
        assert damaged(pair) == expected


@pytest.mark.parametrize(("kind", "shape"), [(kind, shape) for kind in KINDS for shape in SHAPES])
def test_what_is_as_it_was_written_is_read(pair: Pair, kind: str, shape: str) -> None:
    assert not refuses(pair, pair.victim)
    assert not damaged(pair)
