"""Our own seed files; docs/seeding.md describes them."""

import json
from collections.abc import Callable

from kms_server.errors import OperatorError
from kms_server.keys import specs
from kms_server.keys.seeds import common, material
from kms_server.keys.seeds.members import Item, Members, as_items, as_mapping, as_text
from kms_server.keys.seeds.seed import Home, Seed, SeedAlias, SeedKey

_KEY = frozenset({
    "KeyId", "Account", "Region", "KeySpec", "KeyUsage", "Origin", "Description", "Enabled", "Policy", "Tags",
    "Aliases", "Material", "RotationPeriodInDays", "NextRotationDate",
})  # fmt: skip
_ENCODINGS: dict[str, Callable[[specs.KeySpec, Item], bytes]] = {
    "Hex": material.from_hex,
    "Base64": material.from_base64,
    "Pem": material.from_pem,
}


def parse(document: Item, home: Home) -> Seed:
    """What a file of ours asks for; keys that name no account and Region are at `home`.

    Raises:
        OperatorError: it is no such file.
    """
    keys: list[SeedKey] = []
    aliases: list[SeedAlias] = []
    for item in Members(document, {"Keys"}).items("Keys"):
        members = Members(item, _KEY)
        key = _key(members, home)
        keys.append(key)
        aliases += [
            SeedAlias(name.where, key.account, key.region, as_text(name), key.key_id)
            for name in members.items("Aliases")
        ]
    return Seed(keys, aliases)


def _key(members: Members, home: Home) -> SeedKey:
    spec = common.spec_of(members, specs.SYMMETRIC_DEFAULT.name)
    next_rotation = common.next_rotation_of(members, "NextRotationDate")
    return SeedKey(
        where=members.where,
        key_id=members.text("KeyId"),
        account=members.text("Account", home.account),
        region=members.text("Region", home.region),
        spec=spec.name,
        usage=common.usage_of(members, spec),
        material=_material(members, spec),
        origin=common.origin_of(members),
        enabled=members.flag("Enabled", default=True),
        description=members.text("Description", ""),
        policy=_policy(members),
        tags=_tags(members),
        rotation_period_days=common.period(members.integer("RotationPeriodInDays"), next_rotation),
        next_rotation=next_rotation,
    )


def _material(members: Members, spec: specs.KeySpec) -> tuple[bytes, ...]:
    if "Material" not in members:
        return ()
    given = members.item("Material")
    items = as_items(given) if isinstance(given.value, list) else [given]
    return tuple(_one_material(item, spec) for item in items)


def _one_material(item: Item, spec: specs.KeySpec) -> bytes:
    members = Members(item, _ENCODINGS)
    names = [name for name in _ENCODINGS if name in members]
    if len(names) != 1:
        raise OperatorError(f"{item.where} must have one of {', '.join(_ENCODINGS)}")
    return _ENCODINGS[names[0]](spec, members.item(names[0]))


def _policy(members: Members) -> str | None:
    if "Policy" not in members:
        return None
    policy = members.item("Policy")
    return policy.value if isinstance(policy.value, str) else json.dumps(policy.value, ensure_ascii=False)


def _tags(members: Members) -> dict[str, str]:
    if "Tags" not in members:
        return {}
    tags = members.item("Tags")
    return {name: as_text(Item(tags.where, value)) for name, value in as_mapping(tags).items()}
