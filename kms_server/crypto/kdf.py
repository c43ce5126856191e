"""Key derivation: NIST SP 800-108r1 section 4.1, counter mode, PRF HMAC-SHA-256."""

import hmac


def derive(key: bytes, label: bytes, context: bytes, length: int) -> bytes:
    """Derive `length` bytes: K(i) = HMAC(key, [i] || label || 0x00 || context || [L]), 32-bit counter and L (bits)."""
    fixed = label + b"\x00" + context + (length * 8).to_bytes(4, "big")
    blocks = -(-length // 32)
    stream = b"".join(
        hmac.digest(key, counter.to_bytes(4, "big") + fixed, "sha256") for counter in range(1, blocks + 1)
    )
    return stream[:length]
