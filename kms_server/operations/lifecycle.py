"""Work that falls due: rotations, expiries and deletions, each in its own transaction with its own service event.

Any number of processes may attempt it: a step reads the key inside its transaction and does nothing when
another process was first.
"""

import logging
from collections.abc import Mapping

from sqlalchemy.exc import SQLAlchemyError

from kms_server.audit.ledger import Ledger
from kms_server.audit.record import service_event
from kms_server.clock import Clock
from kms_server.errors import KMSInternalException
from kms_server.keys import deletion, imports, rotation, specs
from kms_server.keys.identifiers import new_material_id
from kms_server.keys.key import CURRENT, BackingKey, KmsKey
from kms_server.keys.states import KeyState
from kms_server.operations import material
from kms_server.root_keys.ring import RootKeys
from kms_server.storage import grants, keys, settings
from kms_server.storage.database import Database, Transaction

_LOG = logging.getLogger(__name__)
# 50,000 would take seconds, and every other change would wait for them.
_GRANTS_AT_ONCE = 1_000


class Lifecycle:
    """Carries out what is due on the keys of one database."""

    def __init__(self, database: Database, root: RootKeys, clock: Clock, ledger: Ledger) -> None:
        self._database = database
        self._ledger = ledger
        self._root = root
        self._clock = clock

    def run_due(self) -> int:
        """Do everything that is due now and return how many steps that took.

        A key whose rows are damaged is passed over, and told of when the others are done.

        Raises:
            Exception: the first that one of the keys met.
        """
        now, steps, failures = self._clock.now(), 0, []
        with self._database.read() as connection:
            pending = keys.due(connection, now)
        for key_id, region in pending:
            try:
                steps += self._run_key(key_id, region, now)
            except (SQLAlchemyError, KMSInternalException):
                raise  # it would meet the other keys as well
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one key must not hold up the others
                _LOG.error("what is due on key %s in %s fails: %s", key_id, region, type(error).__name__)
                failures.append(error)
        self.erase()
        if failures:
            raise failures[0]
        return steps

    def erase(self) -> bool:
        """Take what is left of destroyed material out of the files; False: a reader was in the way, try again."""
        with self._database.read() as connection:
            noted = settings.get(connection, settings.UNERASED)
        if not noted:
            return True
        if not self._database.erase_freed_pages():
            return False
        with self._database.write() as tx:
            if settings.get(tx.connection, settings.UNERASED) == noted:
                settings.put(tx, settings.UNERASED, "")
        return True

    def _run_key(self, key_id: str, region: str, now: float) -> int:
        count = 0
        while self._step(key_id, region, now):
            count += 1
        return count

    def _step(self, key_id: str, region: str, now: float) -> bool:
        """Do the next thing that is due on a key, if there is one."""
        with self._database.write() as tx:
            key = keys.get(tx.connection, key_id, region)
            if key is None:
                return False
            return self._expire(tx, key, now) or self._delete(tx, key, now) or self._rotate(tx, key, now)

    def _expire(self, tx: Transaction, key: KmsKey, now: float) -> bool:
        versions = keys.get_backing_keys(tx.connection, key)
        expired = [one for one in versions if one.valid_to is not None and one.valid_to <= now]
        for version in expired:
            assert version.valid_to is not None  # noqa: S101 - that is what expired means
            material.destroy(tx, key, version)
            note(tx, self._ledger, "DeleteExpiredKeyMaterial", key, version.valid_to, {"keyId": key.key_id})
        return bool(expired)

    def _delete(self, tx: Transaction, key: KmsKey, now: float) -> bool:
        if key.deletion_date is None or not deletion.is_due(key, now):
            return False
        if grants.count(tx.connection, key) > _GRANTS_AT_ONCE:
            return grants.remove_some(tx, key, _GRANTS_AT_ONCE) > 0
        keys.remove(tx, key, now)
        note(tx, self._ledger, "DeleteKey", key, key.deletion_date, {"keyId": key.key_id})
        material.release_pending(tx, key.key_id)
        left = keys.members(tx.connection, key.key_id)
        if len(left) == 1 and left[0].state is KeyState.PENDING_REPLICA_DELETION:
            keys.change(tx, left[0], **deletion.after_last_replica(left[0], key.deletion_date))
        return True

    def _rotate(self, tx: Transaction, key: KmsKey, now: float) -> bool:
        due = rotation.due_at(key, now)
        if due is None:
            return False
        rotate(tx, self._ledger, key, self._root, *due)
        return True


def rotate(
    tx: Transaction, ledger: Ledger, key: KmsKey, root: RootKeys, when: float, kind: rotation.RotationType
) -> None:
    """Give a key and its replicas new current material as of `when`."""
    fresh = specs.find(key.spec).type.generate()
    former = keys.get_backing_keys(tx.connection, key)[-1]
    material_id = new_material_id()
    for member in keys.members(tx.connection, key.key_id):
        version = BackingKey(
            material_id, former.number + 1, CURRENT, material.wrap(member, root, material_id, fresh),
            created_at=when, rotation_type=_shown(kind), rotated_at=when,
        )  # fmt: skip
        keys.add_backing_key(tx, member, version)
    rotated(tx, ledger, key, former.material_id, material_id, when, kind)


def promote_imported(tx: Transaction, ledger: Ledger, key: KmsKey, when: float) -> None:
    """Make imported material that awaits it the current one, in all Regions.

    Raises:
        KMSInvalidStateException: there is none.
    """
    versions = keys.get_backing_keys(tx.connection, key)
    chosen = imports.require_rotatable(key, versions)
    former = next(version for version in versions if version.status == CURRENT)
    kind = rotation.RotationType.ON_DEMAND
    for member in keys.members(tx.connection, key.key_id):
        keys.promote(tx, member, chosen.material_id, when, _shown(kind))
    rotated(tx, ledger, key, former.material_id, chosen.material_id, when, kind)


def rotated(
    tx: Transaction, ledger: Ledger, key: KmsKey, former_id: str, current_id: str, when: float,
    kind: rotation.RotationType,
) -> None:  # fmt: skip
    """Note that a key was rotated: its dates and counts, and the service event RotateKey."""
    changed = rotation.after_rotation(key, when, kind)
    if changed:
        keys.change_members(tx, key, **changed)
    details = {
        "rotationType": _shown(kind),
        "keyOrigin": key.origin,
        "previousKeyMaterialId": former_id,
        "currentKeyMaterialId": current_id,
        "keyId": key.key_id,
    }
    note(tx, ledger, "RotateKey", key, when, details)


def note(
    tx: Transaction, ledger: Ledger, name: str, key: KmsKey, when: float, details: Mapping[str, str]
) -> None:
    """Record a service event about a key."""
    ledger.add(tx.connection, service_event(name, key.account, key.region, key.arn, when, details))


def _shown(kind: rotation.RotationType) -> str:
    return "AUTOMATIC" if kind is rotation.RotationType.AUTOMATIC else "ON_DEMAND"
