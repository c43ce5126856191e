"""RSA from RFC 8017 in plain integers, and RSA keys that need not be searched for."""

import hashlib
from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa

from tests.unit.crypto.vectors import Record, records

_CASES = "asymmetric/RSA/FIPS_186-2/SigVer15_186-3.rsp"


def from_primes(p: int, q: int, e: int) -> rsa.RSAPrivateKey:
    d = pow(e, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(e, p * q)
    )
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


@cache
def _primes() -> dict[int, Record]:
    """NIST's, by size of the modulus."""
    return {int(case[""].removeprefix("mod = ")): case for case in records(_CASES, "Result")}


@cache
def key(bits: int, e: int = 65_537) -> rsa.RSAPrivateKey:
    primes = _primes()[bits]
    return from_primes(primes.number("p"), primes.number("q"), e)


def mgf1(seed: bytes, length: int, name: str) -> bytes:
    mask = b""
    while len(mask) < length:
        mask += hashlib.new(name, seed + (len(mask) // hashlib.new(name).digest_size).to_bytes(4)).digest()
    return mask[:length]


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def pss_encode(digest: bytes, bits: int, salt: bytes, name: str) -> bytes:
    """EMSA-PSS-ENCODE (section 9.1.1) of a message that is hashed already."""
    size = (bits + 7) // 8
    hashed = hashlib.new(name, bytes(8) + digest + salt).digest()
    block = b"\1" + salt
    block = block.rjust(size - len(hashed) - 1, b"\0")
    masked = bytearray(_xor(block, mgf1(hashed, len(block), name)))
    masked[0] &= 0xFF >> (8 * size - bits)
    return bytes(masked) + hashed + b"\xbc"


def pss_sign(own: rsa.RSAPrivateKey, digest: bytes, salt: bytes, name: str) -> bytes:
    return root(own, pss_encode(digest, own.key_size - 1, salt, name))


def pss_salt(public: rsa.RSAPublicNumbers, signature: bytes, digest: bytes, name: str) -> bytes:
    """The salt of a signature that is right (section 9.1.2)."""
    bits = public.n.bit_length() - 1
    encoded = pow(int.from_bytes(signature), public.e, public.n).to_bytes((bits + 7) // 8)
    hashed = encoded[-1 - len(digest) : -1]
    masked = encoded[: -1 - len(digest)]
    block = bytearray(_xor(masked, mgf1(hashed, len(masked), name)))
    block[0] &= 0xFF >> (8 * len(encoded) - bits)
    one, salt = bytes(block).lstrip(b"\0")[:1], bytes(block).lstrip(b"\0")[1:]
    assert one == b"\1"
    assert pss_encode(digest, bits, salt, name) == encoded
    return salt


def pkcs1_encode(digest_info: bytes, size: int) -> bytes:
    """EMSA-PKCS1-v1_5 (section 9.2) of a DigestInfo."""
    return b"\0\1" + b"\xff" * (size - len(digest_info) - 3) + b"\0" + digest_info


def oaep_encode(message: bytes, size: int, seed: bytes, name: str, label: bytes = b"") -> bytes:
    """EME-OAEP (section 7.1.1), MGF1 over the same hash."""
    digest = hashlib.new(name, label).digest()
    block = digest + bytes(size - len(message) - 2 * len(digest) - 2) + b"\1" + message
    masked = _xor(block, mgf1(seed, len(block), name))
    return b"\0" + _xor(seed, mgf1(masked, len(seed), name)) + masked


def power(public: rsa.RSAPublicNumbers, block: bytes) -> bytes:
    return pow(int.from_bytes(block), public.e, public.n).to_bytes((public.n.bit_length() + 7) // 8)


def root(own: rsa.RSAPrivateKey, block: bytes) -> bytes:
    """What only the owner can do with a block, by the Chinese remainder theorem (section 5.1.2)."""
    numbers, number = own.private_numbers(), int.from_bytes(block)
    m1, m2 = pow(number, numbers.dmp1, numbers.p), pow(number, numbers.dmq1, numbers.q)
    found = m2 + (m1 - m2) * numbers.iqmp % numbers.p * numbers.q
    return found.to_bytes(own.key_size // 8)
