"""Ed25519 and Ed25519ph from RFC 8032 section 5.1, in plain integers."""

import hashlib

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_PREFIX = b"SigEd25519 no Ed25519 collisions"

Point = tuple[int, int]


def _base() -> Point:
    y = 4 * pow(5, -1, _P) % _P
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    return (_P - x if x % 2 else x), y


def _add(one: Point, other: Point) -> Point:
    (x1, y1), (x2, y2) = one, other
    product = _D * x1 * x2 * y1 * y2
    return (
        (x1 * y2 + x2 * y1) * pow(1 + product, -1, _P) % _P,
        (y1 * y2 + x1 * x2) * pow(1 - product, -1, _P) % _P,
    )


def _times(scalar: int, point: Point) -> Point:
    total = (0, 1)
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point = _add(point, point)
        scalar >>= 1
    return total


def _encoded(point: Point) -> bytes:
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _expanded(seed: bytes) -> tuple[int, bytes]:
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little") & ((1 << 254) - 8) | (1 << 254)
    return scalar, digest[32:]


def public(seed: bytes) -> bytes:
    return _encoded(_times(_expanded(seed)[0], _base()))


def _hash(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % _L


def _sign(seed: bytes, dom: bytes, message: bytes) -> bytes:
    scalar, prefix = _expanded(seed)
    nonce = _hash(dom, prefix, message)
    commitment = _encoded(_times(nonce, _base()))
    challenge = _hash(dom, commitment, public(seed), message)
    return commitment + ((nonce + challenge * scalar) % _L).to_bytes(32, "little")


def sign(seed: bytes, message: bytes) -> bytes:
    """Ed25519."""
    return _sign(seed, b"", message)


def sign_prehashed(seed: bytes, message: bytes) -> bytes:
    """Ed25519ph with an empty context; hashes the message."""
    return _sign(seed, _PREFIX + b"\1\0", hashlib.sha512(message).digest())
