"""New backing keys, wrapped before anything sees them."""

from kms_server.keyring.keyring import key_binding
from kms_server.keys import specs
from kms_server.keys.identifiers import new_material_id
from kms_server.keys.key import BackingKey, KmsKey
from kms_server.root_keys.provider import RootKey


def new(key: KmsKey, root: RootKey, *, number: int, when: float, rotation_type: str | None) -> BackingKey:
    """Fresh material for version `number` of a key, wrapped under the root key."""
    material_id = new_material_id()
    wrapped = root.wrap(specs.find(key.spec).type.generate(), key_binding(key, material_id, root.version))
    return BackingKey(
        material_id=material_id, number=number, is_current=True, wrapped=wrapped, created_at=when,
        rotation_type=rotation_type,
    )  # fmt: skip
