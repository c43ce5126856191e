"""The master of SSE-S3: one KMS key for each Region, which belongs to the service.

Its account is none that a credential can name, and its policy lets nobody in. It rotates every 30 days like any key.
"""

import json
from typing import NamedTuple

from kms_server.audit.record import service_event
from kms_server.crypto.blob import CiphertextBlob
from kms_server.errors import InvalidCiphertextException, KeyUnavailableException
from kms_server.keyring.usable_key import UsableKey
from kms_server.keys import specs
from kms_server.keys.identifiers import new_key_id
from kms_server.keys.key import AWS_KMS, KmsKey
from kms_server.keys.rotation import next_after
from kms_server.keys.states import KeyState
from kms_server.operations import material
from kms_server.operations.call import Services
from kms_server.s3.errors import InternalError
from kms_server.storage import aliases, keys

ACCOUNT = "aws-s3"
ALIAS = "alias/aws-s3"
_ROTATION_DAYS = 30
_DESCRIPTION = "Protects the keys of objects that have no KMS key of their own"
_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Id": "service-owned",
        "Statement": [
            {
                "Sid": "Nobody but the service itself",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }
)
_SYMMETRIC = specs.SYMMETRIC_DEFAULT
_ALGORITHM = _SYMMETRIC.name
_BOUND_TO = "kms-server:s3"


class Sealed(NamedTuple):
    """What the master has sealed, and the backing key it is under."""

    data: bytes
    material: str


class Master:
    """Seals and opens under the master of a Region, which is made when it is first needed, outside any transaction."""

    def __init__(self, services: Services) -> None:
        self._database = services.database
        self._keyring = services.keyring
        self._root = services.root_key
        self._clock = services.clock
        self._ledger = services.ledger

    def seal(self, region: str, secret: bytes, binding: bytes) -> Sealed:
        """Seal under the current backing key; overhead 114 bytes."""
        usable = self._current(region)
        sealed = usable.encryption().encrypt(_ALGORITHM, secret, _context(binding))
        return Sealed(sealed, usable.current.material_id)

    def open(self, region: str, sealed: bytes, binding: bytes) -> bytes:
        """Open what was sealed under any backing key.

        Raises:
            InternalError: it is damaged, or bound to something else.
        """
        try:
            named = CiphertextBlob.parse(sealed)
            usable = self._with_material(named, region)
            return usable.encryption(named.material_id).decrypt(_ALGORITHM, sealed, _context(binding))
        except (InvalidCiphertextException, KeyUnavailableException):
            raise InternalError from None

    def material(self, region: str) -> str:
        """The id of the current backing key; what is under another one can be sealed anew."""
        return self._current(region).current.material_id

    def materials(self) -> frozenset[str]:
        """The ids of the current backing keys of all Regions that have a master."""
        with self._database.read() as connection:
            regions = aliases.regions(connection, ACCOUNT, ALIAS)
        return frozenset(map(self.material, regions))

    def _current(self, region: str) -> UsableKey:
        alias = self._keyring.alias(ACCOUNT, region, ALIAS, may_block=True)
        key_id = alias.key_id if alias else self._made(region)
        usable = self._keyring.key(key_id, region, may_block=True)
        if usable is None:
            raise InternalError
        return usable

    def _with_material(self, named: CiphertextBlob, region: str) -> UsableKey:
        usable = self._keyring.key(named.key_id, region, may_block=True)
        if usable is None or usable.key.account != ACCOUNT:
            raise InternalError
        if any(version.material_id == named.material_id for version in usable.versions):
            return usable
        # Another host may have rotated the key a moment ago.
        with self._database.read() as connection:
            return self._keyring.load_key(connection, named.key_id, region) or usable

    def _made(self, region: str) -> str:
        """The id of the master of a Region without one; of several callers at once one makes it."""
        with self._database.write() as tx:
            existing = aliases.get(tx.connection, ACCOUNT, region, ALIAS)
            if existing is not None:
                return existing.key_id
            now = self._clock.now()
            key = _proposed(region, now)
            keys.add(tx, key, [material.first(key, self._root, _SYMMETRIC.type.generate())])
            aliases.add(tx, aliases.Alias(ACCOUNT, region, ALIAS, key.key_id, now, now))
            created = service_event("CreateKey", ACCOUNT, region, key.arn, now, {"keyId": key.key_id})
            self._ledger.add(tx.connection, created)
        return key.key_id


def _proposed(region: str, now: float) -> KmsKey:
    return KmsKey(
        key_id=new_key_id(), account=ACCOUNT, region=region, spec=_SYMMETRIC.name, usage=specs.ENCRYPT,
        origin=AWS_KMS, manager="AWS", state=KeyState.ENABLED, description=_DESCRIPTION, policy=_POLICY,
        created_at=now, rotation_period_days=_ROTATION_DAYS, next_rotation_at=next_after(now, _ROTATION_DAYS),
    )  # fmt: skip


def _context(binding: bytes) -> dict[str, str]:
    return {_BOUND_TO: binding.hex()}
