"""Work that falls due: rotations and deletions, each in its own transaction with its own service event.

Any number of processes may attempt it: a step reads the key inside its transaction and does nothing when
another process was first.
"""

from kms_server.audit.record import service_event, to_row
from kms_server.clock import Clock
from kms_server.keys import rotation
from kms_server.keys.key import KmsKey
from kms_server.keys.states import KeyState
from kms_server.operations import material
from kms_server.root_keys.provider import RootKey
from kms_server.storage import events, keys
from kms_server.storage.database import Database, Transaction


class Lifecycle:
    """Carries out what is due on the keys of one database."""

    def __init__(self, database: Database, root: RootKey, clock: Clock) -> None:
        self._database = database
        self._root = root
        self._clock = clock
        # A deletion whose pages are not erased yet may stem from a process that died: begin with erasing.
        self._unerased = True

    def run_due(self) -> int:
        """Do everything that is due now and return how many steps that took."""
        now = self._clock.now()
        with self._database.read() as connection:
            pending = [key.key_id for key in keys.due(connection, now)]
        steps = [self._run_key(key_id, now) for key_id in pending]
        self._unerased = self._unerased or any(deleted for _, deleted in steps)
        if self._unerased:
            self._unerased = not self._database.erase_freed_pages()
        return sum(count for count, _ in steps)

    @property
    def erased(self) -> bool:
        """Whether nothing of a deleted key is left in the files."""
        return not self._unerased

    def _run_key(self, key_id: str, now: float) -> tuple[int, bool]:
        count, deleted = 0, False
        while not deleted:
            with self._database.write() as tx:
                key = keys.get(tx.connection, key_id)
                if key is None:
                    break
                if key.state is KeyState.PENDING_DELETION:
                    deleted = _delete(tx, key, now)
                    return count + deleted, deleted
                due = rotation.due_at(key, now)
                if due is None:
                    break
                rotate(tx, key, self._root, *due)
                count += 1
        return count, deleted


def rotate(tx: Transaction, key: KmsKey, root: RootKey, when: float, kind: rotation.RotationType) -> None:
    """Give a key new current material as of `when` and record the service event RotateKey."""
    versions = keys.get_backing_keys(tx.connection, key.key_id)
    rotation_type = "AUTOMATIC" if kind is rotation.RotationType.AUTOMATIC else "ON_DEMAND"
    fresh = material.new(key, root, number=versions[-1].number + 1, when=when, rotation_type=rotation_type)
    keys.add_backing_key(tx, key.key_id, fresh)
    changed = rotation.after_rotation(key, when, kind)
    if changed:
        keys.change(tx, key.key_id, **changed)
    details = {
        "rotationType": rotation_type,
        "keyOrigin": key.origin,
        "previousKeyMaterialId": versions[-1].material_id,
        "currentKeyMaterialId": fresh.material_id,
        "keyId": key.key_id,
    }
    event = service_event("RotateKey", key.account, key.region, key.arn, when, details)
    events.add(tx, to_row(event)._asdict())


def _delete(tx: Transaction, key: KmsKey, now: float) -> bool:
    if key.deletion_date is None or key.deletion_date > now:
        return False
    keys.remove(tx, key.key_id, now)
    event = service_event(
        "DeleteKey", key.account, key.region, key.arn, key.deletion_date, {"keyId": key.key_id}
    )
    events.add(tx, to_row(event)._asdict())
    return True
