"""ML-DSA: known answers, and an independent implementation in plain Python."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import mldsa
from dilithium_py.ml_dsa import ML_DSA_44, ML_DSA_65, ML_DSA_87

from kms_server.crypto.ml_dsa import MlDsaKey, MlDsaType
from kms_server.errors import KMSInvalidSignatureException
from tests.unit.crypto import der
from tests.unit.crypto.vectors import records

ALGORITHM = "ML_DSA_SHAKE_256"
# Private key, independent implementation, object identifier (RFC 9881), length of a signature.
SETS: dict[int, tuple[Any, Any, str, int]] = {
    44: (mldsa.MLDSA44PrivateKey, ML_DSA_44, "0609608648016503040311", 2_420),
    65: (mldsa.MLDSA65PrivateKey, ML_DSA_65, "0609608648016503040312", 3_309),
    87: (mldsa.MLDSA87PrivateKey, ML_DSA_87, "0609608648016503040313", 4_627),
}
SEED = bytes(range(32))
every_set = pytest.mark.parametrize("name", SETS)


def opened(name: int, seed: bytes = SEED) -> MlDsaKey:
    """A key from its seed, as it is stored."""
    private, _, identifier, _ = SETS[name]
    return MlDsaType(private).open(der.private_key(der.algorithm(identifier), der.implicit(0, seed)), "", "")


def mu(public: bytes, message: bytes, context: bytes = b"") -> bytes:
    """The representative of a message (FIPS 204 algorithm 2 line 10, algorithm 7 line 6)."""
    header = hashlib.shake_256(public).digest(64) + bytes([0, len(context)]) + context
    return hashlib.shake_256(header + message).digest(64)


def refuses(verify: Callable[[], None]) -> bool:
    try:
        verify()
    except KMSInvalidSignatureException:
        return True
    return False


@every_set
def test_keys_and_signatures_of_the_known_answers(name: int) -> None:
    identifier, size = SETS[name][2:]
    cases = list(records(f"asymmetric/MLDSA/kat_MLDSA_{name}_det_pure.rsp", "ctx"))
    assert len(cases) == 100
    for case in cases:
        key, signature = opened(name, case.raw("xi")), case.raw("sm")[:size]
        representative = mu(case.raw("pk"), case.raw("msg"), case.raw("ctx"))
        assert key.public_der() == der.public_key(der.algorithm(identifier), case.raw("pk"))
        key.verify(ALGORITHM, representative, "EXTERNAL_MU", signature)
        # They have a context; KMS signs with none.
        assert refuses(lambda: key.verify(ALGORITHM, case.raw("msg"), "RAW", signature))  # noqa: B023 - called at once
        flipped = bytes([representative[0] ^ 1]) + representative[1:]
        assert refuses(lambda: key.verify(ALGORITHM, flipped, "EXTERNAL_MU", signature))  # noqa: B023 - called at once


@every_set
def test_what_is_stored_is_the_seed(name: int) -> None:
    private, other, identifier, _ = SETS[name]
    stored = MlDsaType(private).generate()
    seed = stored[-32:]
    assert stored == der.private_key(der.algorithm(identifier), der.implicit(0, seed))
    public, _ = other.key_derive(seed)
    assert MlDsaType(private).open(stored, "", "").public_der()[-len(public) :] == public


@every_set
def test_the_other_implementation_takes_our_signatures(name: int) -> None:
    key, other, size = opened(name), SETS[name][1], SETS[name][3]
    public, _ = other.key_derive(SEED)
    of_message = key.sign(ALGORITHM, b"message", "RAW")
    of_mu = key.sign(ALGORITHM, mu(public, b"message"), "EXTERNAL_MU")
    assert len(of_message) == len(of_mu) == size
    assert of_message != key.sign(ALGORITHM, b"message", "RAW")
    for signature in (of_message, of_mu):
        assert other.verify(public, b"message", signature)
        assert not other.verify(public, b"another", signature)
        assert not other.verify(public, b"message", signature, ctx=b"context")


@every_set
def test_we_take_the_other_implementations_signatures(name: int) -> None:
    key, other = opened(name), SETS[name][1]
    public, secret = other.key_derive(SEED)
    assert other.prehash_external_mu(public, b"message") == mu(public, b"message")
    with_context = other.sign(secret, b"message", ctx=b"context")
    theirs = [other.sign(secret, b"message", deterministic=det) for det in (False, True)]
    theirs.append(other.sign_external_mu(secret, mu(public, b"message")))
    for signature in theirs:
        key.verify(ALGORITHM, b"message", "RAW", signature)
        key.verify(ALGORITHM, mu(public, b"message"), "EXTERNAL_MU", signature)
        assert refuses(lambda: key.verify(ALGORITHM, mu(public, b"message"), "RAW", signature))  # noqa: B023 - called at once
    assert refuses(lambda: key.verify(ALGORITHM, b"message", "RAW", with_context))
    key.verify(ALGORITHM, mu(public, b"message", b"context"), "EXTERNAL_MU", with_context)
