"""Calls that change nothing."""

from typing import Any

from tests.soak.calls import ROOT, SECOND
from tests.soak.clients import Client
from tests.soak.ledger import OK, Sealed
from tests.soak.model import Key
from tests.soak.pipelined import Burst
from tests.soak.readings import ENABLED

_LIMITED_AT_ONCE = 12


def some_key(client: Client, wanted: str | None = None) -> Key | None:
    """A key, in a state that is known and wanted."""
    keys = [key for key in client.keys if wanted is None or key.state.value == wanted]
    return client.chance.choice(keys) if keys else None


def use(client: Client) -> None:
    key = some_key(client)
    assert key is not None
    client.use(key)


def use_by_second(client: Client) -> None:
    key = some_key(client)
    assert key is not None
    client.use(key, SECOND)


def reencrypt(client: Client) -> None:
    key = some_key(client, ENABLED)
    sources = [blob for blob in client.blobs if blob.key.state.value == ENABLED]
    if key is None or not sources:
        return
    source = client.chance.choice(sources)
    about: dict[str, Any] = {
        f"Source{name}": value for name, value in source.request.items() if name != "CiphertextBlob"
    }
    ciphertext = source.request["CiphertextBlob"]
    outcome = client.caller.call("ReEncrypt", CiphertextBlob=ciphertext, DestinationKeyId=key.arn, **about)
    if outcome.kind == OK:
        made = outcome.answer["CiphertextBlob"].hex()
        client.caller.note(Sealed("Decrypt", {"CiphertextBlob": made}, source.digest))
    client.judge(outcome, [source.key, key], ROOT, {OK})


def _special_key(client: Client, spec: str, usage: str) -> str | None:
    """A key that only makes MACs or signatures, made when it is first needed."""
    if spec not in client.special:
        made = client.caller.call("CreateKey", KeySpec=spec, KeyUsage=usage)
        if made.kind == OK:
            client.special[spec] = made.answer["KeyMetadata"]["Arn"]
    return client.special.get(spec)


def mac(client: Client) -> None:
    key = _special_key(client, "HMAC_256", "GENERATE_VERIFY_MAC")
    if key is None:
        return
    request: dict[str, Any] = {"KeyId": key, "MacAlgorithm": "HMAC_SHA_256"}
    message = client.chance.randbytes(40)
    made = client.caller.call("GenerateMac", Message=message, **request)
    if made.kind == OK:
        client.caller.note(
            Sealed("VerifyMac", request | {"Message": message.hex(), "Mac": made.answer["Mac"].hex()})
        )


def sign(client: Client) -> None:
    key = _special_key(client, "ECC_NIST_P256", "SIGN_VERIFY")
    if key is None:
        return
    request: dict[str, Any] = {"KeyId": key, "SigningAlgorithm": "ECDSA_SHA_256"}
    message = client.chance.randbytes(40)
    made = client.caller.call("Sign", Message=message, **request)
    if made.kind == OK:
        signature = {"Message": message.hex(), "Signature": made.answer["Signature"].hex()}
        client.caller.note(Sealed("Verify", request | signature))


def describe(client: Client) -> None:
    key = some_key(client)
    assert key is not None
    cell = client.chance.choice([*key.cells(), *client.aliases])
    if not cell.is_settling:
        client.look(cell, client.chance.randrange(client.caller.servers))


def list_keys(client: Client) -> None:
    wanted = {key.key_id for key in client.keys}
    marker: dict[str, Any] = {}
    while True:
        page = client.caller.call("ListKeys", Limit=200, **marker)
        if page.kind != OK:
            return
        wanted -= {entry["KeyId"] for entry in page.answer["Keys"]}
        if not page.answer["Truncated"]:
            break
        marker = {"Marker": page.answer["NextMarker"]}
    if wanted:
        client.violated("lost key", f"ListKeys does not have {wanted}")


def press(client: Client) -> None:
    """Many calls at once on the key that has a limit."""
    burst = Burst(client.caller, client.chance.randrange(client.caller.servers), limited=True)
    burst.send("Encrypt", {"KeyId": client.told.limited, "Plaintext": b"x"}, _LIMITED_AT_ONCE)
    for outcome in burst.outcomes():
        if outcome.result not in {None, OK, "ThrottlingException"}:
            client.violated("wrong answer", f"of the limited key: {outcome}")
    burst.close()
