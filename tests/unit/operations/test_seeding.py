"""Seeding a database: what is made, what is kept, and what is refused without a trace."""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from kms_server.errors import KMSInvalidStateException, OperatorError
from kms_server.keys import specs
from kms_server.keys.key import CURRENT, NON_CURRENT
from kms_server.keys.seeds.seed import Home
from kms_server.keys.states import KeyState
from kms_server.operations import seeding
from kms_server.operations.seeding import Sown
from kms_server.quotas import profiles, subjects
from kms_server.storage import aliases, identities, keys, limits, settings, tables, tags
from kms_server.storage.database import Database
from kms_server.storage.identities import Identity, Kind
from kms_server.storage.limits import SetLimit
from tests import seed_files as files
from tests.root_keys import root_of
from tests.unit.storage.storage_rows import backing

ACCOUNT, REGION = "111122223333", "us-east-1"
ROOT = root_of()
ID = files.AES
HEX = files.material(0x5C)


def sow(database: Database, text: str, *, now: float = 1_000.0, profile: str = "relaxed") -> Sown:
    seed = seeding.parse(text.encode(), Home(ACCOUNT, REGION))
    with database.write() as tx:
        return seeding.sow(tx, seed, ROOT, now, profiles.find(profile))


def one(members: str = "", key_id: str = ID, material: str = f"{{Hex: {HEX}}}") -> str:
    return f"Keys: [{{KeyId: {key_id}, Material: {material}, {members}}}]"


def rows(database: Database) -> list[list[tuple[object, ...]]]:
    with database.read() as connection:
        return [
            [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in (tables.keys, tables.key_ids, tables.backing_keys, tables.aliases, tables.tags)
        ]


@contextmanager
def refused(database: Database, message: str) -> Iterator[None]:
    before = rows(database)
    with pytest.raises(OperatorError) as error:
        yield
    assert message in str(error.value)
    assert HEX[:16] not in str(error.value)
    assert rows(database) == before


def test_a_rotated_key(database: Database) -> None:
    material = f"[{{Hex: {HEX}}}, {{Hex: {files.material(1)}}}]"
    sown = sow(database, one("Tags: {a: b}, Aliases: [alias/x]", material=material))
    ((key, _),) = sown.keys
    with database.read() as connection:
        versions = keys.get_backing_keys(connection, key)
        assert keys.get(connection, ID, REGION) == key
        assert tags.of_key(connection, key) == {"a": "b"}
        assert aliases.of_key(connection, ID, REGION) == list(sown.aliases)
    assert [version.status for version in versions] == [NON_CURRENT, CURRENT]
    assert [version.rotated_at for version in versions] == [None, 1_000.0]


def test_again_and_again(database: Database) -> None:
    text = files.of_local_kms(files.fresh_rsa(), files.fresh_ecc())
    assert len(sow(database, text).keys) == 8
    before = rows(database)
    again = sow(database, text, now=2_000.0)
    assert (again.keys, again.aliases, again.differing, len(again.kept)) == ([], [], [], 8)
    assert rows(database) == before


def test_the_same_material_has_the_same_id_on_every_server(database: Database) -> None:
    hmac_key = one("KeySpec: HMAC_256", key_id=files.HMAC)
    sown = [sow(database, one()), sow(database, one(key_id=files.GIVEN)), sow(database, hmac_key)]
    with database.read() as connection:
        ids = [keys.get_backing_keys(connection, each.keys[0][0])[0].material_id for each in sown]
    # SP 800-108 in counter mode, written out.
    message = b"\0\0\0\1kms-server seeded material id v1\0" + ID.encode() + (256).to_bytes(4)
    assert ids[0] == hmac.digest(bytes.fromhex(HEX), message, "sha256").hex()
    assert len(set(ids)) == 3


def test_what_is_missing_is_added_and_what_differs_is_told(database: Database) -> None:
    sow(database, one("Description: then, Tags: {a: b}"))
    policy = '{Statement: {Effect: Allow, Principal: "*", Action: "kms:*"}}'
    sown = sow(database, one(f"Description: now, Tags: {{a: c}}, Policy: {policy}, Aliases: [alias/x]"))
    ((key, differing),) = sown.differing
    assert (key.description, differing) == ("then", ["Description", "Policy", "Tags"])
    assert [alias.name for alias in sown.aliases] == ["alias/x"]
    assert sown.keys == []


def test_a_key_that_rotated_or_was_changed_is_the_same(database: Database) -> None:
    ((key, _),) = sow(database, one("RotationPeriodInDays: 90")).keys
    with database.write() as tx:
        keys.change(tx, key, state=KeyState.DISABLED, rotation_period_days=None, next_rotation_at=None)
        keys.add_backing_key(tx, key, backing(number=2))
    assert sow(database, one("RotationPeriodInDays: 90")).kept[0].state is KeyState.DISABLED


def test_imported_material_that_was_deleted_is_still_known(database: Database) -> None:
    ((key, _),) = sow(database, one("Origin: EXTERNAL")).keys
    with database.write() as tx:
        version = keys.get_backing_keys(tx.connection, key)[0]
        keys.empty_backing_key(tx, key, version.material_id)
    assert len(sow(database, one("Origin: EXTERNAL")).kept) == 1
    with refused(database, "exists with other material"):
        sow(database, one("Origin: EXTERNAL", material=f"{{Hex: {files.material(2)}}}"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (one(material=f"{{Hex: {files.material(2)}}}"), "exists with other material than the file gives"),
        (one(material=f"[{{Hex: {HEX}}}, {{Hex: {files.material(2)}}}]"), "exists with less material"),
        (one("KeySpec: HMAC_256"), "key spec SYMMETRIC_DEFAULT; the file says HMAC_256"),
        (one("Origin: EXTERNAL"), "the origin AWS_KMS; the file says EXTERNAL"),
        (one("Account: 444455556666"), "the account 111122223333; the file says 444455556666"),
        (one("Region: eu-west-1"), "deleted key, or of one in another Region"),
        (one("Aliases: [alias/taken]", key_id=files.GIVEN), f"exists for key {ID}; the file says {files.GIVEN}"),
    ],
)  # fmt: skip
def test_contradictions(database: Database, text: str, message: str) -> None:
    sow(database, one("Aliases: [alias/taken]"))
    good = f"{{KeyId: {files.ROTATED}, Material: {{Hex: {HEX}}}}}"
    with refused(database, message):
        sow(database, text.replace("Keys: [", f"Keys: [{good}, "))


def test_key_pairs_are_told_apart(database: Database) -> None:
    first, second = files.fresh_ecc(), files.fresh_ecc()
    head = f"Keys:\n  - KeyId: {ID}\n    KeySpec: ECC_NIST_P256\n    KeyUsage: SIGN_VERIFY\n    Material:\n"
    sow(database, f"{head}        Pem: {files.pem(first)}")
    assert sow(database, f"{head}        Pem: {files.pem(first)}").keys == []
    with refused(database, "exists with other material"):
        sow(database, f"{head}        Pem: {files.pem(second)}")
    with refused(database, "the key usage SIGN_VERIFY; the file says KEY_AGREEMENT"):
        sow(database, f"{head.replace('SIGN_VERIFY', 'KEY_AGREEMENT')}        Pem: {files.pem(first)}")


def test_the_id_of_a_deleted_key(database: Database) -> None:
    ((key, _),) = sow(database, one()).keys
    with database.write() as tx:
        keys.remove(tx, key, 5.0)
    with refused(database, "is that of a deleted key"):
        sow(database, one())


def test_aliases_of_keys_elsewhere(database: Database) -> None:
    text = f"Aliases: [{{AliasName: alias/x, TargetKeyId: {ID}}}]"
    with refused(database, f"Aliases[0]: there is no key {ID}"):
        sow(database, text)
    ((key, _),) = sow(database, one()).keys
    assert len(sow(database, text).aliases) == 1
    with database.write() as tx:
        keys.change(tx, key, state=KeyState.PENDING_DELETION, deletion_date=9e9)
    with pytest.raises(KMSInvalidStateException):
        sow(database, text.replace("alias/x", "alias/y"))


def test_limits_of_the_profile_and_limits_that_are_set(database: Database, tmp_path: Path) -> None:
    profile = tmp_path / "narrow.toml"
    profile.write_text("quotas = { KeysPerRegion = 0.5, AliasesPerKey = 1 }")
    with refused(database, "has no room for more keys in us-east-1"):
        sow(database, one(), profile=str(profile))
    with database.write() as tx:
        limits.put(tx, SetLimit(subjects.of_quota(ACCOUNT, REGION, "KeysPerRegion"), 1.0, None))
    with refused(database, "would have more than 1 aliases"):
        sow(database, one("Aliases: [alias/a, alias/b]"), profile=str(profile))
    sow(database, one("Aliases: [alias/a, alias/b]"))
    with refused(database, "has no room for more keys in us-east-1"):
        sow(database, one(key_id="11111111-0000-4000-8000-000000000000"))


def test_every_kind_of_key_is_made_and_known_again(database: Database) -> None:
    entries = []
    for number, (spec, usage, material) in enumerate(files.every_spec()):
        key_id = f"{number:08d}-0000-4000-8000-000000000000"
        entries.append(f"{{KeyId: {key_id}, KeySpec: {spec}, KeyUsage: {usage}, Material: {material}}}")
    text = f"Keys: [{', '.join(entries)}]"
    made = [key for key, _ in sow(database, text).keys]
    assert {key.spec for key in made} == {spec.name for spec in specs.KEY_SPECS.values() if spec.wrapping}
    assert len(sow(database, text).kept) == len(entries)


def policy_for(principal: str) -> str:
    statement = f'{{Effect: Allow, Principal: {{AWS: "{principal}"}}, Action: "kms:*", Resource: "*"}}'
    return f"Policy: {{Statement: {statement}}}"


def test_policies_name_who_exists(database: Database) -> None:
    user = Identity(identities.new_unique_id(Kind.USER), ACCOUNT, Kind.USER, "mira", "/", 0.0)
    text = one(policy_for(user.arn))
    expected = f"Keys[0].Policy names {user.arn}, a principal that does not exist: make it first"
    with refused(database, expected):
        sow(database, text)
    with database.write() as tx:
        identities.add_account(tx, ACCOUNT)
        identities.add(tx, user)
    ((key, _),) = sow(database, text).keys
    assert f'"{user.unique_id}"' in key.policy
    assert sow(database, text).differing == []
    with database.write() as tx:
        identities.remove(tx, user)
    ((_, different),) = sow(database, text).differing
    assert different == ["Policy"]


def test_accounts_of_a_policy_exist_too(database: Database) -> None:
    text = one(policy_for("444455556666"))
    with refused(database, "Keys[0].Policy names 444455556666, a principal that does not exist"):
        sow(database, text)
    # The account of a key is there with the key.
    assert len(sow(database, one(policy_for(ACCOUNT), key_id=files.HMAC)).keys) == 1
    with database.write() as tx:
        settings.put(tx, settings.MODE, settings.DEV)
    assert len(sow(database, text).keys) == 1
