"""Signatures and MACs by `cryptography` alone: what no server that uses it can do with less than."""

import os
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

MESSAGE = b"a message of thirty-two bytes...."[:32]
_ROUND = 20


class Primitive(NamedTuple):
    """What makes the signature or the tag of MESSAGE under a fresh key of a spec, and what checks one."""

    spec: str
    algorithm: str
    make: Callable[[], bytes]
    check: Callable[[], object]


def all_primitives() -> list[Primitive]:
    """One for each kind of key that is measured, in the terms of KMS."""
    sha256 = hashes.SHA256()
    curve, pss = ec.ECDSA(sha256), padding.PSS(padding.MGF1(sha256), padding.PSS.DIGEST_LENGTH)
    nist, edwards = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
    modulus = rsa.generate_private_key(65_537, 2_048)
    by_nist, by_edwards = nist.sign(MESSAGE, curve), edwards.sign(MESSAGE)
    by_modulus = modulus.sign(MESSAGE, pss, sha256)
    secret = os.urandom(32)

    def tag() -> hmac.HMAC:
        made = hmac.HMAC(secret, hashes.SHA256())
        made.update(MESSAGE)
        return made

    by_secret = tag().finalize()
    return [
        Primitive(
            "ECC_NIST_P256", "ECDSA_SHA_256", partial(nist.sign, MESSAGE, curve),
            partial(nist.public_key().verify, by_nist, MESSAGE, curve),
        ),
        Primitive(
            "RSA_2048", "RSASSA_PSS_SHA_256", partial(modulus.sign, MESSAGE, pss, sha256),
            partial(modulus.public_key().verify, by_modulus, MESSAGE, pss, sha256),
        ),
        Primitive(
            "ECC_NIST_EDWARDS25519", "ED25519_SHA_512", partial(edwards.sign, MESSAGE),
            partial(edwards.public_key().verify, by_edwards, MESSAGE),
        ),
        Primitive("HMAC_256", "HMAC_SHA_256", lambda: tag().finalize(), lambda: tag().verify(by_secret)),
    ]  # fmt: skip


def cpu_microseconds(work: Callable[[], object], seconds: float) -> float:
    """Processor time of one piece of work in this thread, by as many as fit into a time."""
    end, done = time.perf_counter() + seconds, 0
    begin = time.thread_time()
    while time.perf_counter() < end:
        for _ in range(_ROUND):
            work()
        done += _ROUND
    return (time.thread_time() - begin) / done * 1e6
