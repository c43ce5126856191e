"""Versions of a key's material, wrapped before anything sees them."""

import hashlib
import hmac
from dataclasses import replace

from kms_server.keyring.usable_key import key_binding, open_material
from kms_server.keys.identifiers import new_material_id
from kms_server.keys.key import CURRENT, EXTERNAL, PENDING_MULTI_REGION, PENDING_ROTATION, BackingKey, KmsKey
from kms_server.keys.states import KeyState
from kms_server.root_keys.binding import fingerprint_binding
from kms_server.root_keys.ring import RootKeys
from kms_server.storage import keys
from kms_server.storage.database import Transaction


def first(key: KmsKey, root: RootKeys, material: bytes) -> BackingKey:
    """The first version of a new key."""
    material_id = new_material_id()
    wrapped = wrap(key, root, material_id, material)
    return BackingKey(material_id, number=1, status=CURRENT, wrapped=wrapped, created_at=key.created_at)


def wrap(key: KmsKey, root: RootKeys, material_id: str, material: bytes) -> bytes:
    """Material under the root key, bound to the key it belongs to."""
    return root.wrap(material, key_binding(key, material_id))


def copy(source: KmsKey, version: BackingKey, target: KmsKey, root: RootKeys) -> BackingKey:
    """A version of a key for another member of the same multi-Region key; imported material is not copied."""
    if source.origin == EXTERNAL:
        return replace(version, wrapped=None, valid_to=None)
    opened = open_material(source, version, root)
    return replace(version, wrapped=wrap(target, root, version.material_id, opened))


def fingerprint(key: KmsKey, root: RootKeys, material_id: str, material: bytes) -> bytes:
    """What tells imported material again: its digest, wrapped, so that it is no oracle for weak material."""
    return root.wrap(hashlib.sha256(material).digest(), _fingerprint_binding(key, material_id))


def is_same(key: KmsKey, root: RootKeys, version: BackingKey, material: bytes) -> bool:
    """Whether `material` equals what was imported as `version`."""
    if version.fingerprint is None:
        return False
    binding = _fingerprint_binding(key, version.material_id)
    return hmac.compare_digest(root.unwrap(version.fingerprint, binding), hashlib.sha256(material).digest())


def _fingerprint_binding(key: KmsKey, material_id: str) -> bytes:
    return fingerprint_binding(account=key.account, key_id=key.key_id, material_id=material_id)


def release_pending(tx: Transaction, key_id: str) -> None:
    """Let new imported material be rotated to when it is in all Regions of its key."""
    members = keys.members(tx.connection, key_id)
    for version in keys.get_backing_keys(tx.connection, members[0]) if members else ():
        if version.status == PENDING_MULTI_REGION and keys.all_have(
            tx.connection, key_id, version.material_id
        ):
            for member in members:
                keys.change_backing_key(tx, member, version.material_id, status=PENDING_ROTATION)


def hold_pending(tx: Transaction, key_id: str) -> None:
    """Let new imported material wait for a Region that has just been added."""
    members = keys.members(tx.connection, key_id)
    for version in keys.get_backing_keys(tx.connection, members[0]):
        if version.status == PENDING_ROTATION and not keys.all_have(
            tx.connection, key_id, version.material_id
        ):
            for member in members:
                keys.change_backing_key(tx, member, version.material_id, status=PENDING_MULTI_REGION)


def destroy(tx: Transaction, key: KmsKey, version: BackingKey) -> None:
    """Destroy imported material: its key waits for the same material again, unless it was not in use yet."""
    members = keys.members(tx.connection, key.key_id)
    if version.is_permanent:
        keys.empty_backing_key(tx, key, version.material_id)
        if key.state in {KeyState.ENABLED, KeyState.DISABLED}:
            keys.change(tx, key, state=KeyState.PENDING_IMPORT)
    elif key.is_replica:
        keys.empty_backing_key(tx, key, version.material_id)
        for member in members:
            keys.change_backing_key(tx, member, version.material_id, status=PENDING_MULTI_REGION)
    else:
        for member in members:
            keys.drop_backing_key(tx, member, version.material_id)
