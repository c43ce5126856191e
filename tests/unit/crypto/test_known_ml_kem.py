"""ML-KEM: known answers with forged ciphertexts, and an independent implementation in plain Python."""

import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import mlkem
from kyber_py.ml_kem import ML_KEM_768, ML_KEM_1024

from kms_server.crypto.ml_kem import MlKemKey, MlKemType
from tests.unit.crypto import der
from tests.unit.crypto.vectors import records

# Private key, independent implementation, object identifier (RFC 9935), length of a ciphertext.
SETS: dict[int, tuple[Any, Any, str, int]] = {
    768: (mlkem.MLKEM768PrivateKey, ML_KEM_768, "0609608648016503040402", 1_088),
    1024: (mlkem.MLKEM1024PrivateKey, ML_KEM_1024, "0609608648016503040403", 1_568),
}
SEED = bytes(range(64))
every_set = pytest.mark.parametrize("name", SETS)


def opened(name: int, seed: bytes = SEED) -> MlKemKey:
    """A key from its seed, as it is stored."""
    private, _, identifier, _ = SETS[name]
    return MlKemType(private).open(der.private_key(der.algorithm(identifier), der.implicit(0, seed)), "", "")


@every_set
def test_keys_and_secrets_of_the_known_answers(name: int) -> None:
    cases = list(records(f"asymmetric/MLKEM/kat_MLKEM_{name}.rsp", "ss"))
    assert len(cases) == 1_000
    for case in cases:
        key = opened(name, case.raw("d") + case.raw("z"))
        assert key.public_der() == der.public_key(der.algorithm(SETS[name][2]), case.raw("pk"))
        assert key.decapsulate(case.raw("ct")) == case.raw("ss")
        assert key.decapsulate(case.raw("ct_n")) == case.raw("ss_n")


@every_set
def test_a_forged_ciphertext_has_a_secret_of_its_own(name: int) -> None:
    """FIPS 203 algorithm 18 line 7: J(z || c), which nobody without z can tell from a right one."""
    key = opened(name)
    secret, ciphertext = key.encapsulate()
    for position in (0, len(ciphertext) // 2, len(ciphertext) - 1):
        forged = bytearray(ciphertext)
        forged[position] ^= 1
        implicit = hashlib.shake_256(SEED[32:] + bytes(forged)).digest(32)
        assert key.decapsulate(bytes(forged)) == implicit != secret


@every_set
def test_what_is_stored_is_the_seed(name: int) -> None:
    private, other, identifier, _ = SETS[name]
    stored = MlKemType(private).generate()
    seed = stored[-64:]
    assert stored == der.private_key(der.algorithm(identifier), der.implicit(0, seed))
    public, _ = other.key_derive(seed)
    assert MlKemType(private).open(stored, "", "").public_der()[-len(public) :] == public


@every_set
def test_both_implementations_agree_both_ways(name: int) -> None:
    key, other, size = opened(name), SETS[name][1], SETS[name][3]
    public, secret_key = other.key_derive(SEED)
    ours, ciphertext = key.encapsulate()
    assert (len(ours), len(ciphertext)) == (32, size)
    assert other.decaps(secret_key, ciphertext) == ours
    theirs, ciphertext = other.encaps(public)
    assert key.decapsulate(ciphertext) == theirs
    forged = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
    assert key.decapsulate(forged) == other.decaps(secret_key, forged) != theirs
    assert key.encapsulate() != key.encapsulate()
