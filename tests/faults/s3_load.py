"""Mixed load on a bucket, and what its clients know of it afterwards."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

MIB = 2**20
SIZES = (0, 100, 16_384, 16_385, 70_000, 300_000)
KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"ServerSideEncryption": "aws:kms", "BucketKeyEnabled": True},
    {"ServerSideEncryption": "aws:kms:dsse"},
)
OWN_KEYS = 8
SHARED = "shared"


def body(seed: int, size: int) -> bytes:
    """Bytes that no other seed has."""
    return random.Random(seed).randbytes(size)


@dataclass
class Model:
    """What one client was told: each of its keys has one of some contents, of which None is no object.

    A call that was not answered may or may not have happened.
    """

    name: str
    contents: dict[str, set[bytes | None]] = field(default_factory=dict)
    sent_to_all: set[bytes] = field(default_factory=set)
    acknowledged: int = 0

    def change(self, key: str, content: bytes | None, call: Callable[[], None]) -> None:
        """Change an object; raises when nobody answers."""
        held = self.contents.setdefault(key, {None})
        before = set(held)
        held.add(content)
        try:
            call()
        except ClientError:
            # The server says that it has not happened.
            self.contents[key] = before
            raise
        self.contents[key] = {content}
        self.acknowledged += 1


def run(s3: Any, bucket: str, model: Model, chance: random.Random, stop: threading.Event) -> None:
    """Puts of several sizes, overwrites, copies, uploads in parts and deletes, until the server dies."""
    steps = (_put, _put, _put, _delete, _copy, _upload, _put_shared)
    while not stop.is_set():
        key = f"{model.name}/{chance.randrange(OWN_KEYS)}"
        try:
            chance.choice(steps)(s3, bucket, model, key, chance)
        except BotoCoreError:
            return
        except ClientError as error:
            # A server that is being killed may still answer that it cannot.
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500, error


def _content(chance: random.Random) -> bytes:
    return body(chance.getrandbits(64), chance.choice(SIZES))


def _put(s3: Any, bucket: str, model: Model, key: str, chance: random.Random) -> None:
    content, kind = _content(chance), chance.choice(KINDS)
    model.change(key, content, lambda: s3.put_object(Bucket=bucket, Key=key, Body=content, **kind))


def _put_shared(s3: Any, bucket: str, model: Model, _key: str, chance: random.Random) -> None:
    content = _content(chance)
    model.sent_to_all.add(content)
    s3.put_object(Bucket=bucket, Key=SHARED, Body=content)


def _delete(s3: Any, bucket: str, model: Model, key: str, _chance: random.Random) -> None:
    model.change(key, None, lambda: s3.delete_object(Bucket=bucket, Key=key))


def _copy(s3: Any, bucket: str, model: Model, key: str, chance: random.Random) -> None:
    sources = [
        one for one, held in model.contents.items() if None not in held and len(held) == 1 and one != key
    ]
    if not sources:
        return
    source = chance.choice(sources)
    (content,) = model.contents[source]
    model.change(
        key, content, lambda: s3.copy_object(Bucket=bucket, Key=key, CopySource=f"{bucket}/{source}")
    )


def _upload(s3: Any, bucket: str, model: Model, key: str, chance: random.Random) -> None:
    seed = chance.getrandbits(64)
    parts = (
        [body(seed, 20_000)] if chance.random() < 0.7 else [body(seed, 64) * (5 * MIB // 64), body(seed, 900)]
    )
    begun = s3.create_multipart_upload(Bucket=bucket, Key=key, **chance.choice(KINDS))["UploadId"]
    place = {"Bucket": bucket, "Key": key, "UploadId": begun}
    named = [
        {"PartNumber": number, "ETag": s3.upload_part(**place, PartNumber=number, Body=part)["ETag"]}
        for number, part in enumerate(parts, 1)
    ]
    whole = {"MultipartUpload": {"Parts": named}}
    model.change(key, b"".join(parts), lambda: s3.complete_multipart_upload(**place, **whole))


def check(s3: Any, bucket: str, models: list[Model]) -> None:
    """Every object that is listed is one that was sent, whole; every one that was acknowledged is there."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    listed = {one["Key"]: one["Size"] for page in pages for one in page.get("Contents", [])}
    found = {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in listed}
    assert {key: len(content) for key, content in found.items()} == listed
    shared = found.pop(SHARED, None)
    assert shared is None or any(shared in model.sent_to_all for model in models)
    for model in models:
        for key, held in model.contents.items():
            content = found.pop(key, None)
            assert content in held, key
            model.contents[key] = {content}
    assert not found, "objects that nobody was asked to make"
