"""Base64: each text that is read is the one that its bytes are written as."""

import base64
import binascii
from itertools import product

import pytest

from kms_server.errors import SerializationException
from kms_server.protocol.json_reader import read_base64

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def is_canonical(text: str) -> bool:
    try:
        return base64.b64encode(base64.b64decode(text)).decode() == text
    except (binascii.Error, ValueError):
        return False


def is_read(text: str) -> bool:
    try:
        return read_base64(text) == base64.b64decode(text)
    except SerializationException:
        return False


@pytest.mark.parametrize("begin", ["", "AAAA", "BBBBCCCC"])
def test_of_every_last_character_some_are_canonical(begin: str) -> None:
    texts = [
        f"{begin}{'A' * (3 - padding)}{last}{'=' * padding}" for padding in range(4) for last in ALPHABET
    ]
    taken = [text for text in texts if is_read(text)]
    assert taken == [text for text in texts if is_canonical(text)]
    assert len(taken) == 64 + 16 + 4


def test_padding_stands_at_the_end_alone() -> None:
    texts = ["".join(one) for size in (0, 4, 8) for one in product("AQ=*", repeat=size)]
    assert [text for text in texts if is_read(text)] == [text for text in texts if is_canonical(text)]
