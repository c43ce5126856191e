"""Key specs: one row per kind of key the service can make (facts of AWS CreateKey)."""

import os
from dataclasses import dataclass

from kms_server.errors import UnsupportedOperationException


@dataclass(frozen=True, slots=True)
class KeySpec:
    """One kind of key.

    `algorithms` maps each usage to its algorithms, `algorithms_member` to the metadata member that lists them;
    `quota` is the shared request quota of its cryptographic operations.
    """

    name: str
    algorithms: dict[str, tuple[str, ...]]
    algorithms_member: dict[str, str]
    material_bytes: int
    quota: str
    rotates: bool

    @property
    def usages(self) -> tuple[str, ...]:
        """The usages a key of this spec can be created with."""
        return tuple(self.algorithms)

    def new_material(self) -> bytes:
        """Fresh key material from the operating system's generator."""
        return os.urandom(self.material_bytes)


SYMMETRIC_DEFAULT = KeySpec(
    name="SYMMETRIC_DEFAULT",
    algorithms={"ENCRYPT_DECRYPT": ("SYMMETRIC_DEFAULT",)},
    algorithms_member={"ENCRYPT_DECRYPT": "EncryptionAlgorithms"},
    material_bytes=32,
    quota="CryptographicOperationsSymmetric",
    rotates=True,
)

KEY_SPECS = {spec.name: spec for spec in (SYMMETRIC_DEFAULT,)}


def find(name: str) -> KeySpec:
    """The row of a key spec.

    Raises:
        UnsupportedOperationException: AWS knows the spec, this service does not serve it.
    """
    spec = KEY_SPECS.get(name)
    if spec is None:
        raise UnsupportedOperationException(f"KeySpec {name} is not supported.")
    return spec
