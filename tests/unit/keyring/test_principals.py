"""From stored identities to those who call: what they may do, and that every change of it holds at once."""

import json
from collections.abc import Callable
from typing import TypeVar

import pytest

from kms_server.clock import Clock
from kms_server.errors import KeyUnavailableException
from kms_server.iam.context import NOTHING
from kms_server.iam.evaluate import authorize
from kms_server.keyring import access_keys as access_secrets
from kms_server.keyring.cache import WouldBlock
from kms_server.keyring.keyring import Identity as Signer
from kms_server.keyring.keyring import Keyring
from kms_server.keyring.token_key import TokenKey
from kms_server.storage import (
    access_keys,
    attachments,
    identities,
    identity_tags,
    inline_policies,
    managed_policies,
    memberships,
)
from kms_server.storage.access_keys import AccessKey
from kms_server.storage.database import Database, Transaction
from kms_server.storage.identities import Kind
from kms_server.storage.identity_tags import Owner
from tests.root_keys import root_of
from tests.unit.storage.storage_rows import ACCOUNT, group, managed, user

Result = TypeVar("Result")
MIRA, STAFF, POLICY, BOUNDARY = user(path="/eng/"), group(), managed(), managed("boundary")
TAGS = Owner(ACCOUNT, MIRA.unique_id, ignores_case=True)


def allowing(*actions: str) -> str:
    return json.dumps({"Statement": {"Effect": "Allow", "Action": actions, "Resource": "*"}})


class Scene:
    """A user with an access key, and the keyring of a worker that serves it."""

    def __init__(self, database: Database) -> None:
        self.database, self.root = database, root_of()
        self.keyring = Keyring(database, self.root, TokenKey(bytes(32)), Clock(0.0), 100)
        self.key, self.secret = self.write(self._furnish)

    def _furnish(self, tx: Transaction) -> tuple[AccessKey, str]:
        identities.add_account(tx, ACCOUNT)
        for one in (MIRA, STAFF):
            identities.add(tx, one)
        for policy in (POLICY, BOUNDARY):
            managed_policies.add(tx, policy, allowing("kms:*"))
        return access_secrets.create(tx, self.root, ACCOUNT, MIRA, 1.0)

    def write(self, verb: Callable[[Transaction], Result]) -> Result:
        with self.database.write() as tx:
            return verb(tx)

    def signer(self) -> Signer | None:
        self.keyring.refresh(may_block=True)
        return self.keyring.identity(self.key.access_key_id, may_block=True)

    def found(self) -> Signer:
        signer = self.signer()
        assert signer is not None
        return signer

    def may(self, action: str) -> bool:
        return authorize(self.found().principal, action, "*", NOTHING).allowed


@pytest.fixture
def scene(database: Database) -> Scene:
    return Scene(database)


def test_a_warm_principal_needs_no_database(scene: Scene) -> None:
    signer = scene.found()
    assert (signer.secret, signer.active) == (scene.secret, True)
    assert scene.secret not in repr(signer)
    principal = signer.principal
    assert (principal.kind, principal.arn, principal.unique_id) == ("IAMUser", MIRA.arn, MIRA.unique_id)
    assert (principal.access_key_id, principal.user_name) == (scene.key.access_key_id, "mira")
    again = scene.keyring.identity(scene.key.access_key_id, may_block=False)
    assert again is not None
    assert again.principal is principal


def _join_with_a_policy(tx: Transaction) -> None:
    inline_policies.put(tx, STAFF, "p", allowing("kms:Encrypt"))
    memberships.add(tx, MIRA, STAFF)


def _join_with_an_attachment(tx: Transaction) -> None:
    attachments.add(tx, STAFF, POLICY.arn)
    memberships.add(tx, MIRA, STAFF)


def _bound(tx: Transaction) -> None:
    managed_policies.add_version(tx, BOUNDARY, allowing("kms:Decrypt"), 9.0, is_default=True)
    identities.change(tx, MIRA, boundary=BOUNDARY.arn)


GIVING: list[tuple[str, Callable[[Transaction], object], Callable[[Transaction], object]]] = [
    (
        "inline policy p of user mira",
        lambda tx: inline_policies.put(tx, MIRA, "p", allowing("kms:Encrypt")),
        lambda tx: inline_policies.put(tx, MIRA, "p", allowing("kms:Decrypt")),
    ),
    (
        POLICY.arn,
        lambda tx: attachments.add(tx, MIRA, POLICY.arn),
        lambda tx: managed_policies.add_version(tx, POLICY, allowing("kms:Decrypt"), 9.0, is_default=True),
    ),
    (
        "inline policy p of group staff",
        _join_with_a_policy,
        lambda tx: memberships.remove(tx, MIRA, STAFF),
    ),
    (
        POLICY.arn,
        _join_with_an_attachment,
        lambda tx: identities.remove(tx, STAFF),
    ),
    (
        POLICY.arn,
        lambda tx: attachments.add(tx, MIRA, POLICY.arn),
        _bound,
    ),
]


@pytest.mark.parametrize(("name", "give", "take"), GIVING)
def test_what_gives_and_takes_permission_holds_at_once(
    scene: Scene, name: str, give: Callable[[Transaction], object], take: Callable[[Transaction], object]
) -> None:
    assert not scene.may("kms:Encrypt")
    scene.write(give)
    assert scene.may("kms:Encrypt")
    assert [policy.name for policy in scene.found().principal.policies] == [name]
    scene.write(take)
    with pytest.raises(WouldBlock):
        scene.keyring.refresh(may_block=False)
    assert not scene.may("kms:Encrypt")


def test_tags_belong_to_the_principal(scene: Scene) -> None:
    assert scene.found().principal.tags == {}
    scene.write(lambda tx: identity_tags.put(tx, TAGS, {"Team": "x"}))
    assert scene.found().principal.tags == {"Team": "x"}


def test_a_key_that_is_not_active_is_known_and_may_not_sign(scene: Scene) -> None:
    assert scene.found().active
    scene.write(lambda tx: access_keys.set_status(tx, scene.key, access_keys.INACTIVE))
    assert not scene.found().active
    scene.write(lambda tx: access_keys.set_status(tx, scene.key, access_keys.ACTIVE))
    assert scene.found().active


def test_who_is_deleted_signs_no_more_and_gives_a_namesake_nothing(scene: Scene) -> None:
    assert scene.signer() is not None
    scene.write(lambda tx: identities.remove(tx, MIRA))
    assert scene.signer() is None
    scene.write(lambda tx: identities.add(tx, user(path="/eng/")))
    assert scene.signer() is None


def test_a_user_keeps_the_keys_under_another_name(scene: Scene) -> None:
    before = scene.found()
    scene.write(lambda tx: access_secrets.rename_user(tx, scene.root, MIRA, "Mira.B"))
    after = scene.found()
    assert after.secret == before.secret
    assert after.principal.user_name == "Mira.B"
    fresh = Keyring(scene.database, scene.root, TokenKey(bytes(32)), Clock(0.0), 100)
    fresh.refresh(may_block=True)
    opened = fresh.identity(scene.key.access_key_id, may_block=True)
    assert opened is not None
    assert opened.secret == before.secret


def test_a_secret_does_not_open_for_another_user(scene: Scene) -> None:
    other = user("other")
    with scene.database.write() as tx:
        identities.add(tx, other)
        moved = access_keys.get(tx.connection, scene.key.access_key_id)
        assert moved is not None
        access_keys.remove(tx, moved)
        access_keys.add(tx, AccessKey(
            moved.access_key_id, ACCOUNT, other.unique_id, other.name, moved.wrapped_secret, 1.0,
        ))  # fmt: skip
    with pytest.raises(KeyUnavailableException):
        scene.signer()


def test_the_root_needs_no_policies(scene: Scene) -> None:
    key, secret = scene.write(lambda tx: access_secrets.create(tx, scene.root, ACCOUNT, None, 1.0))
    scene.keyring.refresh(may_block=True)
    signer = scene.keyring.identity(key.access_key_id, may_block=True)
    assert signer is not None
    assert (signer.principal.is_root, signer.secret) == (True, secret)
    assert identities.new_unique_id(Kind.ROLE).startswith("AROA")
