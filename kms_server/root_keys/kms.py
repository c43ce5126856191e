"""A root key sealed by a key of another KMS, AWS's or a kms-server; parameters: the key's ARN.

The other KMS is asked once at a start and not for each secret: calls do not wait for it, and go on when it is away. Its
encryption context names the file's heading, so its log tells when a server was opened.
"""

import os
import re
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from secrets import compare_digest

from kms_server.arn import Arn
from kms_server.connections import Connections, Endpoint, endpoint_of, trusted
from kms_server.errors import OperatorError
from kms_server.root_keys.kms_client import RootKmsClient
from kms_server.root_keys.memory import MemoryRootKey
from kms_server.root_keys.one_version import OneVersionPlace
from kms_server.root_keys.sealed_file import Heading, SealedFile

KIND = "kms"
_KEY_BYTES = 32
_KEY_ARN = re.compile(r"arn:[a-z-]{1,32}:kms:[a-z0-9-]{1,32}:[0-9]{12}:key/[A-Za-z0-9-]{1,128}")


class KmsPlace(OneVersionPlace):
    """`--root-key kms:KEY-ARN`; `path` is where the sealed root key is."""

    path: Path

    def __init__(self, key_arn: str, endpoint: str | None, path: Path) -> None:
        arn = Arn.parse(key_arn)
        if arn is None or _KEY_ARN.fullmatch(key_arn) is None:
            raise OperatorError(
                "--root-key kms: needs the ARN of a key, such as arn:aws:kms:REGION:ACCOUNT:key/ID"
            )
        self.path = path
        self.name = str(path)
        self.spec = f"{KIND}:{key_arn}"
        self._arn = key_arn
        self._endpoint = _endpoint(endpoint, arn)
        self._region = arn.region
        self._opened: MemoryRootKey | None = None

    def exists(self) -> bool:
        """Whether there is such a file."""
        return self.path.exists()

    def check(self) -> None:
        """Open the file; before the first start there is nothing to ask the KMS."""
        if self.path.exists():
            self.load()
        else:
            self._client()

    def create(self, version: int = 1) -> MemoryRootKey:
        """Make the file."""
        heading = Heading(KIND, version, self._arn)
        key = os.urandom(_KEY_BYTES)
        client = self._client()
        sealed = client.encrypt(self._arn, key, _context(heading))
        # Before anything is wrapped: what could not be decrypted later would be lost.
        if not compare_digest(client.decrypt(self._arn, sealed, _context(heading)), key):
            raise OperatorError(
                "the KMS of the root key does not decrypt what it encrypts: check --root-kms-endpoint"
            )
        SealedFile(heading, sealed).write(self.path)
        self._opened = MemoryRootKey(key, heading.version)
        return self._opened

    def load(self) -> MemoryRootKey:
        """Have the KMS open the file, the first time."""
        if self._opened is None:
            heading, sealed = SealedFile.read(self.path, KIND)
            if heading.parameters != self._arn:
                raise OperatorError(
                    f"{self.path} is sealed by another key: give --root-key kms:{heading.parameters}"
                )
            key = self._client().decrypt(self._arn, sealed, _context(heading))
            if len(key) != _KEY_BYTES:
                raise OperatorError(f"{self.path} holds no root key: restore it from a backup")
            self._opened = MemoryRootKey(key, heading.version)
        return self._opened

    def _client(self) -> RootKmsClient:
        tls = trusted() if self._endpoint.secure else None
        return RootKmsClient(Connections(self._endpoint, tls), self._region)


def _context(heading: Heading) -> dict[str, str]:
    return {"kms-server:root-key": sha256(heading.encode()).hexdigest()}


def _endpoint(url: str | None, arn: Arn) -> Endpoint:
    if url is None:
        suffix = "amazonaws.com.cn" if arn.partition == "aws-cn" else "amazonaws.com"
        return Endpoint(secure=True, host=f"kms.{arn.region}.{suffix}", port=443)
    endpoint = endpoint_of(url, "--root-kms-endpoint")
    if not endpoint.secure and not _is_loopback(endpoint.host):
        raise OperatorError(
            "the root key could be read by others on its way: --root-kms-endpoint needs https"
        )
    return endpoint


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
