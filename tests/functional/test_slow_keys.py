"""Keys that take long to make or to use: others go on meanwhile."""

import threading

from tests.functional.server_process import StartServer

KEYS = 6


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
