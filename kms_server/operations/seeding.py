"""Seeding: keys with given ids and material, from a file. It may be repeated, and changes nothing that exists."""

import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from kms_server.crypto.kdf import Prf
from kms_server.errors import OperatorError, ServiceError
from kms_server.iam.key_policies import default_key_policy
from kms_server.iam.policy import compile_key_policy
from kms_server.keyring.usable_key import open_material
from kms_server.keys import specs, states
from kms_server.keys.identifiers import new_material_id
from kms_server.keys.key import CURRENT, EXTERNAL, NON_CURRENT, BackingKey, KmsKey
from kms_server.keys.seeds import checks, local_kms, own
from kms_server.keys.seeds.members import TOP, Item
from kms_server.keys.seeds.seed import Home, Seed, SeedAlias, SeedKey
from kms_server.operations import limits, material, principals
from kms_server.protocol import yaml_reader
from kms_server.quotas.profiles import Profile
from kms_server.quotas.table import ALIASES, KEYS
from kms_server.root_keys.ring import RootKeys
from kms_server.storage import aliases, identities, keys, tags
from kms_server.storage.aliases import Alias
from kms_server.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class Sown:
    """What a seed made, and which keys were there already; `differing` lists what the file says otherwise of them."""

    keys: Sequence[tuple[KmsKey, SeedKey]]
    aliases: Sequence[Alias]
    kept: Sequence[KmsKey]
    differing: Sequence[tuple[KmsKey, Sequence[str]]]


def parse(raw: bytes, home: Home) -> Seed:
    """The seed in a file, ours or local-kms's, with everything checked that can be without the keys that exist.

    Raises:
        OperatorError: with the place in the file; it quotes no material.
    """
    document = Item(TOP, yaml_reader.read(raw))
    parse_kind = local_kms.parse if local_kms.is_one(document) else own.parse
    seed = parse_kind(document, home)
    checks.check(seed)
    for key in seed.keys:
        _check_policy(key)
    return seed


def sow(tx: Transaction, seed: Seed, root: RootKeys, now: float, profile: Profile) -> Sown:
    """Make the keys and aliases of a seed that are missing; `profile` has the limits that hold where none is set.

    Raises:
        OperatorError: the seed contradicts what exists; the transaction must not be committed.
        ServiceError: a key that exists cannot be opened, or be named by an alias now.
    """
    made, kept, differing = [], [], []
    for wanted in seed.keys:
        existing = keys.get(tx.connection, wanted.key_id, wanted.region)
        if existing is None:
            made.append((_make_key(tx, wanted, root, now, profile), wanted))
            continue
        _require_same(tx.connection, wanted, existing, root)
        kept.append(existing)
        if different := _differences(tx.connection, wanted, existing):
            differing.append((existing, different))
    named = [_make_alias(tx, wanted, now, profile) for wanted in seed.aliases]
    return Sown(made, [alias for alias in named if alias is not None], kept, differing)


def _check_policy(key: SeedKey) -> None:
    if key.policy is None:
        return
    try:
        compile_key_policy(key.policy)
    except ServiceError as error:
        raise OperatorError(f"{key.where}.Policy: {error}") from None


def _make_key(tx: Transaction, wanted: SeedKey, root: RootKeys, now: float, profile: Profile) -> KmsKey:
    if keys.id_was_used(tx.connection, wanted.key_id):
        raise OperatorError(
            f"the key id {wanted.key_id} is that of a deleted key, or of one in another Region"
        )
    account, region = wanted.account, wanted.region
    most = int(limits.value_within(tx.connection, profile, account, region, KEYS))
    if keys.count_customer_keys(tx.connection, account, region) >= most:
        raise OperatorError(f"account {account} has no room for more keys in {region}")
    identities.add_account(tx, account)
    key = wanted.planned(_policy(tx.connection, wanted), now)
    keys.add(tx, key, _versions(key, root, wanted.material))
    tags.put(tx, key, wanted.tags)
    return key


def _policy(connection: Connection, wanted: SeedKey) -> str:
    """The policy of a key as it is stored.

    Raises:
        OperatorError: it names a principal that does not exist.
    """
    if wanted.policy is None:
        return default_key_policy(wanted.account)

    def invalid(_kind: str, name: str) -> OperatorError:
        return OperatorError(
            f"{wanted.where}.Policy names {name}, a principal that does not exist: make it first"
        )

    return principals.stored(connection, wanted.policy, invalid)


def _versions(key: KmsKey, root: RootKeys, given: Sequence[bytes]) -> list[BackingKey]:
    """The versions of a new key, the last one current."""
    return [
        _version(key, root, one, number, CURRENT if number == len(given) else NON_CURRENT)
        for number, one in enumerate(given, start=1)
    ]


def _version(key: KmsKey, root: RootKeys, given: bytes, number: int, status: str) -> BackingKey:
    material_id = _material_id(key, given)
    external = key.origin == EXTERNAL
    return BackingKey(
        material_id, number, status, material.wrap(key, root, material_id, given), created_at=key.created_at,
        rotation_type=None if number == 1 else "ON_DEMAND", rotated_at=None if number == 1 else key.created_at,
        fingerprint=material.fingerprint(key, root, material_id, given) if external else None,
    )  # fmt: skip


def _material_id(key: KmsKey, given: bytes) -> str:
    """The id of given material: always the same one where ciphertexts name it, so that any server seeded alike opens them."""
    if not specs.find(key.spec).is_symmetric:
        return new_material_id()
    return Prf(given).derive(b"kms-server seeded material id v1", key.key_id.encode(), 32).hex()


def _require_same(connection: Connection, wanted: SeedKey, existing: KmsKey, root: RootKeys) -> None:
    """Check that a key that exists is the one in the file; it may have rotated since.

    Raises:
        OperatorError: it is another.
    """
    if existing.manager != "CUSTOMER":
        raise OperatorError(f"the key {existing.arn} exists and is an AWS managed key")
    for name, now, asked in (
        ("account", existing.account, wanted.account),
        ("key spec", existing.spec, wanted.spec),
        ("key usage", existing.usage, wanted.usage),
        ("origin", existing.origin, wanted.origin),
    ):
        if now != asked:
            raise OperatorError(f"the key {existing.arn} exists with the {name} {now}; the file says {asked}")
    versions = keys.get_backing_keys(connection, existing)
    if len(wanted.material) > len(versions):
        raise OperatorError(f"the key {existing.arn} exists with less material than the file gives")
    for version, given in zip(versions, wanted.material, strict=False):
        if not _is_same(existing, root, version, given):
            raise OperatorError(f"the key {existing.arn} exists with other material than the file gives")


def _is_same(key: KmsKey, root: RootKeys, version: BackingKey, given: bytes) -> bool:
    if version.wrapped is None:
        return material.is_same(key, root, version, given)
    spec = specs.find(key.spec)
    mine = open_material(key, version, root)
    if spec.has_public_key:
        return spec.public_der(mine) == spec.public_der(given)
    return hmac.compare_digest(mine, given)


def _differences(connection: Connection, wanted: SeedKey, existing: KmsKey) -> list[str]:
    """What may change in the life of a key, and is now otherwise than in the file."""
    same = {
        "Description": wanted.description == existing.description,
        "Policy": _is_same_policy(connection, wanted, existing),
        "Tags": dict(wanted.tags) == tags.of_key(connection, existing),
    }
    return [name for name, is_same in same.items() if not is_same]


def _is_same_policy(connection: Connection, wanted: SeedKey, existing: KmsKey) -> bool:
    try:
        policy = _policy(connection, wanted)
    except OperatorError:
        return False
    return bool(json.loads(policy) == json.loads(existing.policy))


def _make_alias(tx: Transaction, wanted: SeedAlias, now: float, profile: Profile) -> Alias | None:
    existing = aliases.get(tx.connection, wanted.account, wanted.region, wanted.name)
    if existing is not None:
        if existing.key_id != wanted.key_id:
            raise OperatorError(
                f"the alias {existing.arn} exists for key {existing.key_id}; the file says {wanted.key_id}"
            )
        return None
    target = keys.get(tx.connection, wanted.key_id, wanted.region)
    if target is None or target.account != wanted.account:
        raise OperatorError(
            f"{wanted.where}: there is no key {wanted.key_id} in account and Region of the alias"
        )
    states.CHANGE.require(target.state, target.arn)
    most = int(limits.value_within(tx.connection, profile, target.account, target.region, ALIASES))
    if aliases.count_of_key(tx.connection, target.key_id, target.region) >= most:
        raise OperatorError(f"the key {target.arn} would have more than {most} aliases")
    alias = Alias(wanted.account, wanted.region, wanted.name, wanted.key_id, now, now)
    aliases.add(tx, alias)
    return alias
