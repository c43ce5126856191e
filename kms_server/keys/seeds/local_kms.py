"""Seed files of local-kms (github.com/nsmithuk/local-kms).

Up to its version 3 they have `Keys: {Symmetric: {Aes, Hmac}, Asymmetric: {Rsa, Ecc}}`, long ago a list of AES keys; its
version 4 has `Version: 2` and a list in which each key names its spec. Backing keys stand oldest first. Account and
Region are not in the file.
"""

from kms_server.errors import OperatorError
from kms_server.keys import specs
from kms_server.keys.key import EXTERNAL
from kms_server.keys.seeds import common, material
from kms_server.keys.seeds.members import Item, Members
from kms_server.keys.seeds.seed import Home, Seed, SeedAlias, SeedKey
from kms_server.keys.specs import KeySpec

_METADATA = frozenset({"KeyId", "Description", "KeyUsage", "KeySpec", "Origin", "Enabled"})
_AES = frozenset({"Metadata", "BackingKeys", "NextKeyRotation"})
_HMAC = frozenset({"Metadata", "BackingKeys"})
_PAIR = frozenset({"Metadata", "PrivateKeyPem"})
_OF_VERSION_2 = frozenset({"KeyId", "Metadata", "Material", "NextKeyRotation"})
_RSA_SPECS = [name for name in specs.KEY_SPECS if name.startswith("RSA_")]
_ECC_SPECS = [name for name in specs.KEY_SPECS if name.startswith("ECC_")]


def is_one(document: Item) -> bool:
    """Whether a document has the shape of such a file, right or wrong in its parts, and not of one of ours."""
    if not isinstance(document.value, dict):
        return False
    keys = document.value.get("Keys")
    if "Aliases" in document.value or "Version" in document.value or isinstance(keys, dict):
        return True
    return isinstance(keys, list) and any(isinstance(one, dict) and "Metadata" in one for one in keys)


def parse(document: Item, home: Home) -> Seed:
    """What such a file asks for; all its keys are at `home`.

    Raises:
        OperatorError: it is none.
    """
    top = Members(document, {"Keys", "Aliases", "Version"})
    if "Version" in top:
        if top.text("Version") != "2":
            raise OperatorError(f"{top.place('Version')} must be 2")
        keys = [_of_version_2(Members(item, _OF_VERSION_2), home) for item in top.items("Keys")]
    elif "Keys" in top and isinstance(top.item("Keys").value, list):
        keys = [_aes(Members(item, _AES), home) for item in top.items("Keys")]
    else:
        keys = _by_kind(top.inner("Keys", {"Symmetric", "Asymmetric"}), home)
    aliases = [Members(item, {"AliasName", "TargetKeyId"}) for item in top.items("Aliases")]
    return Seed(keys, [
        SeedAlias(one.where, home.account, home.region, one.text("AliasName"), one.text("TargetKeyId"))
        for one in aliases
    ])  # fmt: skip


def _by_kind(kinds: Members, home: Home) -> list[SeedKey]:
    symmetric = kinds.inner("Symmetric", {"Aes", "Hmac"})
    pairs = kinds.inner("Asymmetric", {"Rsa", "Ecc"})
    return [
        *(_aes(Members(item, _AES), home) for item in symmetric.items("Aes")),
        *(_hmac(Members(item, _HMAC), home) for item in symmetric.items("Hmac")),
        *(_pair(Members(item, _PAIR), home, _RSA_SPECS) for item in pairs.items("Rsa")),
        *(_pair(Members(item, _PAIR), home, _ECC_SPECS) for item in pairs.items("Ecc")),
    ]


def _aes(members: Members, home: Home) -> SeedKey:
    spec = specs.SYMMETRIC_DEFAULT
    next_rotation = common.next_rotation_of(members, "NextKeyRotation")
    return _key(_metadata(members), home, spec, _backing_keys(members, spec), next_rotation)


def _hmac(members: Members, home: Home) -> SeedKey:
    metadata = _metadata(members)
    spec = common.spec_of(metadata)
    return _key(metadata, home, spec, _backing_keys(members, spec))


def _pair(members: Members, home: Home, names: list[str]) -> SeedKey:
    spec, der = material.recognised(names, members.item("PrivateKeyPem"))
    return _key(_metadata(members), home, spec, (der,))


def _of_version_2(members: Members, home: Home) -> SeedKey:
    metadata = members.inner("Metadata", {"Description", "KeySpec", "KeyUsage"})
    spec = common.spec_of(metadata)
    given = members.inner("Material", {"BackingKeys", "PrivateKeyPem"})
    pem = [material.from_pem(spec, given.item("PrivateKeyPem"))] if "PrivateKeyPem" in given else []
    next_rotation = common.next_rotation_of(members, "NextKeyRotation")
    return _key(
        metadata, home, spec, (*_backing_keys(given, spec), *pem), next_rotation, key_id=members.text("KeyId")
    )


def _metadata(members: Members) -> Members:
    return Members(members.item("Metadata"), _METADATA)


def _backing_keys(members: Members, spec: KeySpec) -> tuple[bytes, ...]:
    return tuple(material.from_hex(spec, item) for item in members.items("BackingKeys"))


def _key(
    metadata: Members, home: Home, spec: KeySpec, given: tuple[bytes, ...], next_rotation: float | None = None,
    *, key_id: str | None = None,
) -> SeedKey:  # fmt: skip
    if "KeySpec" in metadata and common.spec_of(metadata) is not spec:
        raise OperatorError(f"{metadata.place('KeySpec')} is not {spec.name}, which the material is for")
    origin = common.origin_of(metadata)
    if origin == EXTERNAL and len(given) > 1:
        raise OperatorError(f"{metadata.where}: a key of Origin {EXTERNAL} has at most one backing key")
    return SeedKey(
        where=metadata.where,
        key_id=key_id or metadata.text("KeyId"),
        account=home.account,
        region=home.region,
        spec=spec.name,
        usage=common.usage_of(metadata, spec),
        material=given,
        origin=origin,
        enabled=metadata.flag("Enabled", default=True),
        description=metadata.text("Description", ""),
        rotation_period_days=common.period(None, next_rotation),
        next_rotation=next_rotation,
    )
