"""As much DER (X.690) as keys need, so that tests can write keys that no library would."""

EC_PUBLIC_KEY = "06072a8648ce3d0201"
CURVES = {
    "secp256r1": "06082a8648ce3d030107",
    "secp384r1": "06052b81040022",
    "secp521r1": "06052b81040023",
    "secp256k1": "06052b8104000a",
}


def _tagged(tag: int, body: bytes) -> bytes:
    size = len(body)
    long = size.to_bytes((size.bit_length() + 7) // 8)
    length = bytes([size]) if size < 128 else bytes([128 + len(long)]) + long
    return bytes([tag]) + length + body


def sequence(*parts: bytes) -> bytes:
    return _tagged(0x30, b"".join(parts))


def octets(body: bytes) -> bytes:
    return _tagged(0x04, body)


def bits(body: bytes, unused: int = 0) -> bytes:
    return _tagged(0x03, bytes([unused]) + body)


def explicit(number: int, body: bytes) -> bytes:
    return _tagged(0xA0 + number, body)


def implicit(number: int, body: bytes) -> bytes:
    return _tagged(0x80 + number, body)


def small(value: int) -> bytes:
    return _tagged(0x02, bytes([value]))


def algorithm(*identifiers: str) -> bytes:
    return sequence(*(bytes.fromhex(identifier) for identifier in identifiers))


def public_key(identifier: bytes, key: bytes) -> bytes:
    """SubjectPublicKeyInfo."""
    return sequence(identifier, bits(key))


def private_key(identifier: bytes, key: bytes) -> bytes:
    """PKCS#8."""
    return sequence(small(0), identifier, octets(key))


def ec_public(curve: str, point: bytes) -> bytes:
    return public_key(algorithm(EC_PUBLIC_KEY, CURVES[curve]), point)


def ec_private(curve: str, scalar: bytes, point: bytes | None) -> bytes:
    """A key with its public point beside it (RFC 5915), or without."""
    beside = explicit(1, bits(point)) if point else b""
    key = sequence(small(1), octets(scalar), beside)
    return private_key(algorithm(EC_PUBLIC_KEY, CURVES[curve]), key)
