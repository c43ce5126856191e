"""Keys, aliases and users to store."""

from typing import Any
from uuid import uuid4

from kms_server.keys.key import CURRENT, BackingKey, KmsKey
from kms_server.keys.states import KeyState
from kms_server.storage import keys
from kms_server.storage.access_keys import AccessKey
from kms_server.storage.aliases import Alias
from kms_server.storage.database import Database
from kms_server.storage.identities import Identity, Kind
from kms_server.storage.managed_policies import ManagedPolicy

ACCOUNT, OTHER_ACCOUNT, REGION = "111122223333", "444455556666", "us-east-1"


def key(**changes: Any) -> KmsKey:
    """An enabled key, or another."""
    plain: dict[str, Any] = {
        "key_id": str(uuid4()), "account": ACCOUNT, "region": REGION, "spec": "SYMMETRIC_DEFAULT",
        "usage": "ENCRYPT_DECRYPT", "origin": "AWS_KMS", "manager": "CUSTOMER", "state": KeyState.ENABLED,
        "description": "Ω\n'\"", "policy": "{}", "created_at": 1.5,
    }  # fmt: skip
    return KmsKey(**plain | changes)


def backing(number: int = 1, **changes: Any) -> BackingKey:
    """The current material of a key, its first or a later one."""
    plain: dict[str, Any] = {
        "material_id": uuid4().hex * 2, "number": number, "status": CURRENT, "wrapped": b"\2\0\0\0\1\x00\xff",
        "created_at": 2.5, "rotation_type": None if number == 1 else "ON_DEMAND",
        "rotated_at": None if number == 1 else 2.5,
    }  # fmt: skip
    return BackingKey(**plain | changes)


def alias(key_id: str, name: str = "alias/a", **changes: Any) -> Alias:
    """A name for a key."""
    plain: dict[str, Any] = {
        "account": ACCOUNT, "region": REGION, "name": name, "key_id": key_id, "created_at": 1.0, "updated_at": 1.0,
    }  # fmt: skip
    return Alias(**plain | changes)


def user(name: str = "mira", account: str = ACCOUNT, **changes: Any) -> Identity:
    """A user."""
    plain: dict[str, Any] = {
        "unique_id": f"AIDA{uuid4().hex[:17]}", "account": account, "kind": Kind.USER, "name": name, "path": "/",
        "created_at": 3.5,
    }  # fmt: skip
    return Identity(**plain | changes)


def group(name: str = "staff", **changes: Any) -> Identity:
    """A group."""
    return user(name, **{"kind": Kind.GROUP, "unique_id": f"AGPA{uuid4().hex[:17]}"} | changes)


def role(name: str = "batch", **changes: Any) -> Identity:
    """A role."""
    plain: dict[str, Any] = {
        "kind": Kind.ROLE,
        "unique_id": f"AROA{uuid4().hex[:17]}",
        "trust_policy": "{}",
        "max_session_seconds": 3600,
    }
    return user(name, **plain | changes)


def managed(name: str = "use", **changes: Any) -> ManagedPolicy:
    """A managed policy."""
    plain: dict[str, Any] = {
        "arn": f"arn:aws:iam::{ACCOUNT}:policy/{name}", "account": ACCOUNT, "name": name, "path": "/",
        "policy_id": f"ANPA{uuid4().hex[:17]}", "description": None, "created_at": 5.5, "updated_at": 5.5,
    }  # fmt: skip
    return ManagedPolicy(**plain | changes)


def access_key(owner: Identity | None = None, account: str = ACCOUNT) -> AccessKey:
    """An access key of a user, or of the account's root."""
    user_id, user_name = (owner.unique_id, owner.name) if owner else (None, None)
    return AccessKey(f"AKIA{uuid4().hex[:16]}", account, user_id, user_name, b"\2\0\0\0\1\x00wrapped", 4.5)


def stored_key(database: Database, **changes: Any) -> KmsKey:
    """A key with its first material, stored."""
    made = key(**changes)
    with database.write() as tx:
        keys.add(tx, made, [backing()])
    return made
