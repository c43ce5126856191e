"""Coverage-guided fuzzing of whatever reads bytes from outside: `python -m tests.fuzz.guided TARGET... SECONDS`, or `all SECONDS`.

A target may refuse its input as a service error; anything else ends the run and leaves the input in a file.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlencode

import atheris

with atheris.instrument_imports(include=["kms_server"]):
    from kms_server.crypto import import_wrap
    from kms_server.crypto.blob import CiphertextBlob, MessageCipher
    from kms_server.crypto.capabilities import MaterialError
    from kms_server.errors import ServiceError
    from kms_server.keyring import grant_token, import_token, session_token
    from kms_server.keyring.token_key import TokenKey
    from kms_server.keys.key import KmsKey
    from kms_server.keys.specs import KEY_SPECS
    from kms_server.keys.states import KeyState
    from kms_server.operations.registry import OPERATIONS
    from kms_server.protocol import json_reader, query_reader, sigv4, web_identity
    from kms_server.protocol.message import Request
    from kms_server.schemas.base import from_form, load
    from tests.fuzz import door_targets, operator_targets, policy_target, s3_targets

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY = KmsKey(
    key_id=KEY_ID, account="000000000000", region="us-east-1", spec="SYMMETRIC_DEFAULT", usage="ENCRYPT_DECRYPT",
    origin="EXTERNAL", manager="CUSTOMER", state=KeyState.ENABLED, description="", policy="{}", created_at=0.0,
)  # fmt: skip
TOKENS = TokenKey(bytes(32))
CIPHER = MessageCipher(bytes(32), KEY_ID, "ab" * 32)
SCOPE = "AKIDEXAMPLE/20261122/us-east-1/kms/aws4_request"
AUTHORIZATION = (
    f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}\00020261122T070000Z"
).encode()
PRESIGNED = {
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": SCOPE, "X-Amz-Date": "20261122T070000Z",
    "X-Amz-Expires": "60", "X-Amz-SignedHeaders": "host", "X-Amz-Signature": "0" * 64,
}  # fmt: skip
WRAPPING = KEY_SPECS["RSA_2048"].type.generate()


def ciphertext(data: bytes) -> None:
    """Ciphertexts of Decrypt."""
    CiphertextBlob.parse(data)
    CIPHER.decrypt("", data, {})


def material(data: bytes) -> None:
    """Wrapped material, and material that was unwrapped."""
    for spec in KEY_SPECS.values():
        try:
            spec.type.checked(data)
        except MaterialError:
            continue
    algorithm = import_wrap.ALGORITHMS[len(data) % len(import_wrap.ALGORITHMS)]
    import_wrap.unwrap(WRAPPING, algorithm, data)


def token(data: bytes) -> None:
    """Import tokens, grant tokens, session tokens and those of identity providers."""
    if len(data) % 2:
        import_token.redeem(KEY, TOKENS, data)
    text = data.decode("latin-1")
    for step in (lambda: web_identity.issuer_of(text), lambda: session_token.opened(text, TOKENS)):
        with suppress(ServiceError):
            step()
    grant_token.redeem(text, TOKENS)


def form(data: bytes) -> None:
    """The forms of all operations."""
    operation = OPERATIONS[(data[0] if data else 0) % len(OPERATIONS)]
    tree = query_reader.read_form(Request("POST", "/", {}, data[1:], "127.0.0.1"))
    load(operation.request, from_form(operation.request, tree))


def document(data: bytes) -> None:
    """The bodies of all operations."""
    operation = OPERATIONS[(data[0] if data else 0) % len(OPERATIONS)]
    load(operation.request, json_reader.read_object(data[1:]))


def signature(data: bytes) -> None:
    """The signature of a request, in its header and in its query."""
    head, _, query = data.decode("latin-1").partition("\0")
    headers = {"host": "h", "x-amz-date": query[:16]} | ({"authorization": head} if head else {})
    sigv4.parse(Request("POST", f"/?{query}", headers, data, "127.0.0.1"))


TARGETS: dict[str, Callable[[bytes], None]] = {
    one.__name__: one
    for one in (
        ciphertext,
        material,
        token,
        document,
        form,
        policy_target.policy,
        signature,
        *s3_targets.TARGETS,
        *door_targets.TARGETS,
        *operator_targets.TARGETS,
    )
}


def _of_each_operation(write: Callable[[Iterable[str]], str]) -> Iterator[bytes]:
    """A request of each operation that has all its members, as texts."""
    for place, operation in enumerate(OPERATIONS):
        yield bytes((place,)) + write(operation.request().fields).encode()


# What a target begins with, where chance would not come upon it.
EXAMPLES: Mapping[str, Iterable[bytes]] = {
    "ciphertext": [CIPHER.encrypt("", b"plaintext", {})],
    "document": _of_each_operation(lambda names: json.dumps(dict.fromkeys(names, "a"))),
    "form": _of_each_operation(lambda names: urlencode(dict.fromkeys(names, "a"))),
    "signature": [AUTHORIZATION, b"\0" + urlencode(PRESIGNED).encode()],
    "policy": policy_target.examples(), **door_targets.EXAMPLES, **operator_targets.EXAMPLES,
}  # fmt: skip


def fuzz(name: str, seconds: str) -> NoReturn:
    """Fuzz one target; the fuzzer ends the process."""
    target = TARGETS[name]

    def once(data: bytes) -> None:
        try:
            target(data)
        except ServiceError:
            return

    # The fuzzer leaves the process by itself, so the directory is the system's to clear.
    corpus = Path(tempfile.mkdtemp(prefix="kms-fuzz-"))
    for place, example in enumerate(EXAMPLES.get(name, ())):
        (corpus / f"{place}").write_bytes(example)
    options = [f"-max_total_time={seconds}", "-max_len=8192", "-verbosity=0", "-print_final_stats=1"]
    atheris.Setup([name, *options, f"-artifact_prefix={name}-", f"{corpus}"], once)
    atheris.Fuzz()
    raise AssertionError("the fuzzer ends the process")


def main() -> None:
    """Fuzz targets, or all, one after the other for a while each: to import what is watched takes longer than to fork."""
    *names, seconds = sys.argv[1:]
    for name in TARGETS if names == ["all"] else names:
        child = os.fork()
        if child == 0:
            fuzz(name, seconds)
        if os.waitpid(child, 0)[1]:
            sys.exit(f"{name}: what it read last is in a file here, {name}-crash-...")


if __name__ == "__main__":
    main()
