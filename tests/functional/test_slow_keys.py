"""Keys that take long to make or to use: others go on meanwhile."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import rsa

from kms_server.crypto import asymmetric
from tests.functional.importing import KEPT, parcel
from tests.functional.server_process import StartServer

KEYS = 6


def of_mersenne_primes() -> rsa.RSAPrivateKey:
    """A key of 8,676 bits; to find primes of such a size takes ten seconds."""
    p, q, e = 2**4423 - 1, 2**4253 - 1, 65_537
    d = pow(e, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(e, p * q)
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), public
    )
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def test_making_rsa_keys_stalls_nobody(start_server: StartServer) -> None:
    server = start_server(workers=1)
    kms = server.client("kms")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.encrypt(KeyId=key_id, Plaintext=b"x")
    made: list[str] = []
    ahead: list[int] = []

    def make() -> None:
        client = server.client("kms")
        for _ in range(KEYS // 2):
            key = client.create_key(KeySpec="RSA_4096", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
            made.append(key["KeyId"])

    makers = [threading.Thread(target=make) for _ in range(2)]
    for maker in makers:
        maker.start()
    while any(maker.is_alive() for maker in makers):
        kms.encrypt(KeyId=key_id, Plaintext=b"x")
        if len(ahead) < 40:
            kms.create_alias(AliasName=f"alias/a{len(ahead)}", TargetKeyId=key_id)
        ahead.append(len(made))
    for maker in makers:
        maker.join()
    assert len(set(made)) == KEYS
    # Calls were answered, writing ones too, before the first key was done and between the others.
    assert ahead.count(0) > 1
    assert len(set(ahead)) > 2
    public = {kms.get_public_key(KeyId=one)["PublicKey"] for one in made}
    assert len(public) == KEYS


def test_a_pair_that_has_to_be_made_first_is_charged_once(start_server: StartServer) -> None:
    server = start_server("--quota-profile", "aws", workers=1)
    kms = server.client("kms")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    with ThreadPoolExecutor(4) as pool:
        pairs = [
            pool.submit(server.client("kms").generate_data_key_pair, KeyId=key_id, KeyPairSpec="RSA_3072")
            for _ in range(4)
        ]
    assert len({pair.result()["PublicKey"] for pair in pairs}) == 4


def test_unwrapping_material_holds_no_transaction(start_server: StartServer) -> None:
    server = start_server(workers=1)
    kms = server.client("kms")
    target = kms.create_key(Origin="EXTERNAL", KeySpec="RSA_4096", KeyUsage="SIGN_VERIFY")["KeyMetadata"][
        "KeyId"
    ]
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    right, large = rsa.generate_private_key(65_537, 4096), of_mersenne_primes()
    members, wrong = (
        parcel(kms, target, asymmetric.private_der(key), "RSA_AES_KEY_WRAP_SHA_256") for key in (right, large)
    )
    with pytest.raises(ClientError, match="IncorrectKeyMaterialException"):
        kms.import_key_material(**wrong, ExpirationModel=KEPT)
    with ThreadPoolExecutor(1) as pool:
        importing = pool.submit(kms.import_key_material, **members, ExpirationModel=KEPT)
        server.client("kms").update_key_description(KeyId=other, Description="x")
        importing.result()
    assert kms.describe_key(KeyId=target)["KeyMetadata"]["KeyState"] == "Enabled"
