"""Clients of a server whose root key changes."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tests.functional.importing import KEPT, bring, parcel
from tests.functional.server_process import Access, ServerProcess

# All that was made is used again and again.
_PAUSE_SECONDS = 0.25


class Client:
    """Calls in threads, whatever clients hold, and what has failed; `user` is a new one's name."""

    def __init__(self, server: ServerProcess, access: Access | None = None, user: str = "mira") -> None:
        self.access = access or server.access
        self.kms = self.access.client("kms")
        self.keys = [self.kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(4)]
        self.ciphertexts = [self.encrypted(key) for key in self.keys]
        self.imported = self.kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
        bring(self.kms, self.imported, b"i" * 32)
        self.ciphertexts.append(self.encrypted(self.imported))
        self.parts = parcel(self.kms, self.imported, b"i" * 32)
        grantee = {"GranteePrincipal": "arn:aws:iam::000000000000:root", "Operations": ["Encrypt"]}
        self.grant_token = self.kms.create_grant(KeyId=self.keys[0], **grantee)["GrantToken"]
        everything = {"Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}}
        got = server.user_client("sts", user, everything).get_session_token()["Credentials"]
        self.session: dict[str, Any] = {
            "aws_access_key_id": got["AccessKeyId"], "aws_secret_access_key": got["SecretAccessKey"],
            "aws_session_token": got["SessionToken"],
        }  # fmt: skip
        self.failures: list[str] = []
        self.calls = 0
        self._stop = threading.Event()

    def encrypted(self, key: str) -> tuple[bytes, bytes]:
        return self.kms.encrypt(KeyId=key, Plaintext=key.encode())["CiphertextBlob"], key.encode()

    def check(self, url: str | None = None) -> None:
        """Whatever was made and handed out before is good for what it was, at another server too."""
        kms = replace(self.access, url=url or self.access.url).client("kms", **self.session)
        for sealed, plain in self.ciphertexts:
            assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == plain
        kms.encrypt(KeyId=self.keys[0], Plaintext=b"x", GrantTokens=[self.grant_token])
        kms.import_key_material(**self.parts, ExpirationModel=KEPT)

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Four threads call for as long as the block takes."""
        users = [self._use, self._use, self._make, self._use_session]
        # Clients are made here: they read the environment, which commands in this process change.
        clients = [
            self.access.client("kms", **(self.session if use == self._use_session else {})) for use in users
        ]
        threads = [
            threading.Thread(target=self._repeat, args=one) for one in zip(users, clients, strict=True)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _repeat(self, use: Callable[[Any], None], kms: Any) -> None:
        while not self._stop.is_set():
            try:
                use(kms)
                self.calls += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not happen
                self.failures.append(repr(error))

    def _use(self, kms: Any) -> None:
        for sealed, plain in self.ciphertexts:
            assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == plain

    def _make(self, kms: Any) -> None:
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.rotate_key_on_demand(KeyId=key)
        self.ciphertexts.append((kms.encrypt(KeyId=key, Plaintext=b"y")["CiphertextBlob"], b"y"))
        self._stop.wait(_PAUSE_SECONDS)

    def _use_session(self, kms: Any) -> None:
        kms.encrypt(KeyId=self.keys[0], Plaintext=b"x", GrantTokens=[self.grant_token])
