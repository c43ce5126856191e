"""Users, roles, groups, their keys, policies and tags: the rules that the schema keeps, and the answers."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from kms_server.storage import (
    access_keys,
    attachments,
    identities,
    identity_tags,
    inline_policies,
    managed_policies,
    memberships,
    oidc_providers,
)
from kms_server.storage import identity_tables as tables
from kms_server.storage.access_keys import AccessKey
from kms_server.storage.database import Database, Transaction
from kms_server.storage.identities import Identity, Kind
from kms_server.storage.identity_tags import Owner
from kms_server.storage.managed_policies import PolicyVersion
from kms_server.storage.oidc_providers import OidcProvider
from tests.unit.storage.storage_rows import ACCOUNT, OTHER_ACCOUNT, access_key, group, managed, role, user


@pytest.fixture
def accounts(database: Database) -> Database:
    """A database with two accounts."""
    with database.write() as tx:
        for account in (ACCOUNT, ACCOUNT, OTHER_ACCOUNT):
            identities.add_account(tx, account)
    return database


def refused(database: Database, verb: Callable[[Transaction], Any]) -> None:
    with pytest.raises(IntegrityError), database.write() as tx:
        verb(tx)


def store(tx: Transaction, one: Identity | AccessKey) -> None:
    if isinstance(one, Identity):
        identities.add(tx, one)
    else:
        access_keys.add(tx, one)


def test_users_and_access_keys_belong_to_accounts(database: Database) -> None:
    mira, root = user(), access_key()
    hers = access_key(mira)
    for orphan in (mira, root, hers):
        refused(database, lambda tx, orphan=orphan: store(tx, orphan))  # type: ignore[misc]
    with database.write() as tx:
        for account in (ACCOUNT, ACCOUNT, OTHER_ACCOUNT):
            identities.add_account(tx, account)
        assert identities.account_exists(tx.connection, ACCOUNT)
        assert not identities.account_exists(tx.connection, "999999999999")
        for known in (mira, root, hers):
            store(tx, known)
    with database.read() as connection:
        assert identities.get(connection, ACCOUNT, Kind.USER, "mira") == mira
        assert identities.get(connection, ACCOUNT, Kind.USER, "MIRA") is None
        assert identities.get(connection, ACCOUNT, Kind.GROUP, "mira") is None
        assert identities.get(connection, OTHER_ACCOUNT, Kind.USER, "mira") is None
        assert identities.by_id(connection, mira.unique_id) == mira
        assert access_keys.of_accounts(connection, OTHER_ACCOUNT) == []
        assert {one.access_key_id for one in access_keys.of_accounts(connection, ACCOUNT)} == {
            root.access_key_id,
            hers.access_key_id,
        }
        assert access_keys.get(connection, hers.access_key_id) == hers
        assert access_keys.of_owner(connection, ACCOUNT, None) == [root]
        assert access_keys.of_owner(connection, ACCOUNT, mira.unique_id) == [hers]
        assert access_keys.count(connection, ACCOUNT, None) == 1
    refused(database, lambda tx: store(tx, access_key(mira, OTHER_ACCOUNT)))


def test_names_are_unique_in_any_case_in_their_account_and_kind(accounts: Database) -> None:
    with accounts.write() as tx:
        for one in (user("Mira"), group("mira"), role("mira"), user("mira", OTHER_ACCOUNT), user("bert")):
            identities.add(tx, one)
    for again in (user("mira"), group("MIRA"), role("Mira")):
        refused(accounts, lambda tx, again=again: identities.add(tx, again))  # type: ignore[misc]
    with accounts.write() as tx:
        bert = identities.get(tx.connection, ACCOUNT, Kind.USER, "bert")
        assert bert is not None
        identities.change(tx, bert, name="Bert", path="/x/")
        assert identities.name_is_taken(tx.connection, ACCOUNT, Kind.USER, "BERT")
        assert identities.named(tx.connection, f"arn:aws:iam::{ACCOUNT}:user/x/Bert") == bert.unique_id
    refused(accounts, lambda tx: identities.change(tx, bert, name="MIRA"))
    with accounts.write() as tx:
        managed_policies.add(tx, managed("Use"), "{}")
    refused(accounts, lambda tx: managed_policies.add(tx, managed("use"), "{}"))


@pytest.mark.parametrize(
    "wrong",
    [
        user(trust_policy="{}"), user(max_session_seconds=3600), role(trust_policy=None), user(kind="service"),
        role(max_session_seconds=None), role(max_session_seconds=3599), role(max_session_seconds=43_201),
        user(boundary="arn:aws:iam::aws:policy/None"), group(boundary="arn:aws:iam::aws:policy/ReadOnlyAccess"),
    ],
)  # fmt: skip
def test_what_an_identity_cannot_have(accounts: Database, wrong: Identity) -> None:
    refused(accounts, lambda tx: identities.add(tx, wrong))


def test_an_identity_takes_all_that_is_its_own_along(accounts: Database) -> None:
    mira, staff, root = user(), group(), access_key()
    hers, policy = access_key(mira), managed()
    with accounts.write() as tx:
        for one in (mira, staff, root, hers):
            store(tx, one)
        managed_policies.add(tx, policy, "{}")
        inline_policies.put(tx, mira, "p", "{}")
        attachments.add(tx, mira, policy.arn)
        memberships.add(tx, mira, staff)
        identity_tags.put(tx, Owner(ACCOUNT, mira.unique_id, ignores_case=True), {"a": "b"})
        identities.remove(tx, mira)
    with accounts.read() as connection:
        assert access_keys.of_accounts(connection, None) == [root]
        assert memberships.members_of(connection, staff) == []
        assert managed_policies.uses(connection, ACCOUNT) == {}
        assert identity_tags.of_owner(connection, mira.unique_id) == {}
        assert inline_policies.of_owner(connection, mira) == {}


def test_a_policy_that_is_in_use_stays(accounts: Database) -> None:
    attached, bounding, mira = managed("attached"), managed("bounding"), user()
    with accounts.write() as tx:
        for policy in (attached, bounding):
            managed_policies.add(tx, policy, "{}")
        identities.add(tx, mira)
        attachments.add(tx, mira, attached.arn)
        attachments.add(tx, mira, attached.arn)
        identities.change(tx, mira, boundary=bounding.arn)
    for policy in (attached, bounding):
        refused(accounts, lambda tx, policy=policy: managed_policies.remove(tx, policy))  # type: ignore[misc]
    refused(accounts, lambda tx: attachments.add(tx, mira, "arn:aws:iam::aws:policy/None"))
    with accounts.write() as tx:
        assert managed_policies.uses(tx.connection, ACCOUNT) == {attached.arn: (1, 0), bounding.arn: (0, 1)}
        assert managed_policies.uses(tx.connection, ACCOUNT, bounding.arn) == {bounding.arn: (0, 1)}
        assert managed_policies.uses(tx.connection, OTHER_ACCOUNT) == {}
        assert attachments.holders(tx.connection, ACCOUNT, attached.arn)[0].unique_id == mira.unique_id
        assert attachments.bounded(tx.connection, ACCOUNT, bounding.arn)[0].unique_id == mira.unique_id
        assert attachments.remove(tx, mira, attached.arn)
        assert not attachments.remove(tx, mira, attached.arn)
        managed_policies.remove(tx, attached)


def test_one_version_of_a_policy_counts(accounts: Database) -> None:
    policy = managed()
    with accounts.write() as tx:
        managed_policies.add(tx, policy, "1")
        second = managed_policies.add_version(tx, policy, "2", 6.0, is_default=False)
    assert second == PolicyVersion(2, "2", is_default=False, created_at=6.0)
    row = {"policy_arn": policy.arn, "number": 9, "document": "", "is_default": True, "created_at": 1.0}
    refused(accounts, lambda tx: tx.connection.execute(insert(tables.managed_policy_versions), row))
    with accounts.write() as tx:
        assert managed_policies.document(tx.connection, policy.arn) == "1"
        managed_policies.set_default(tx, policy, 2, 7.0)
        assert managed_policies.document(tx.connection, policy.arn) == "2"
        managed_policies.remove_version(tx, policy, 2, 8.0)  # the default stays
        managed_policies.remove_version(tx, policy, 1, 8.0)
        found = managed_policies.get(tx.connection, policy.arn)
        assert found is not None
        assert (found.default_version, found.versions_made, found.updated_at) == (2, 2, 8.0)
        managed_policies.remove_version(tx, found, 1, 8.0)
        third = managed_policies.add_version(tx, found, "3", 9.0, is_default=True)
        versions = managed_policies.versions(tx.connection, policy)
    assert (
        [(one.number, one.is_default) for one in versions]
        == [(third.number, True), (2, False)]
        == [(3, True), (2, False)]
    )


def test_the_status_of_a_key_is_one_of_two(accounts: Database) -> None:
    root = access_key()
    with accounts.write() as tx:
        access_keys.add(tx, root)
        access_keys.set_status(tx, root, access_keys.INACTIVE)
        stored = access_keys.get(tx.connection, root.access_key_id)
        assert stored is not None
        assert stored.status == "Inactive"
    refused(accounts, lambda tx: access_keys.set_status(tx, root, "Expired"))


def test_arns_stand_for_those_who_exist_now(accounts: Database) -> None:
    mira, batch = user(path="/eng/"), role(path="/jobs/")
    names = {
        f"arn:aws:iam::{ACCOUNT}:user/eng/mira": mira.unique_id,
        f"arn:aws:iam::{ACCOUNT}:role/jobs/batch": batch.unique_id,
        f"arn:aws:sts::{ACCOUNT}:assumed-role/batch/a b": f"{batch.unique_id}:a b",
    }
    nobody = [
        f"arn:aws:iam::{ACCOUNT}:user/mira", f"arn:aws:iam::{ACCOUNT}:user/eng/Mira", f"arn:aws:iam::{ACCOUNT}:root",
        f"arn:aws:iam::{OTHER_ACCOUNT}:user/eng/mira", f"arn:aws:sts::{ACCOUNT}:assumed-role/batch/",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/none/s", f"arn:aws:iam::{ACCOUNT}:group/staff", "mira", "*",
        f"arn:aws:iam:us-east-1:{ACCOUNT}:user/eng/mira", f"arn:aws:sts::{ACCOUNT}:federated-user/mira",
    ]  # fmt: skip
    with accounts.write() as tx:
        for one in (mira, batch, group()):
            identities.add(tx, one)
        for arn, unique_id in names.items():
            assert identities.named(tx.connection, arn) == unique_id
        assert {identities.named(tx.connection, arn) for arn in nobody} == {None}
        reverse = {unique_id: arn for arn, unique_id in names.items()}
        assert identities.arns(tx.connection, [*reverse, "AIDAGONE", "AROAGONE:s"]) == reverse
        identities.remove(tx, mira)
        identities.add(tx, user(path="/eng/"))
        assert identities.named(tx.connection, f"arn:aws:iam::{ACCOUNT}:user/eng/mira") != mira.unique_id
        assert identities.arns(tx.connection, [mira.unique_id]) == {}


def test_pages_are_below_a_path_and_in_the_order_of_bytes(accounts: Database) -> None:
    with accounts.write() as tx:
        for name, path in (("b", "/x_/"), ("B", "/xa/"), ("_", "/X_/"), ("a", "/x_/y/"), ("c", "/")):
            if name != "B":
                identities.add(tx, user(name, path=path))
        identities.add(tx, user("Z", path="/xa/"))
    with accounts.read() as connection:

        def names(prefix: str, after: str = "", limit: int = 9) -> list[str]:
            return [one.name for one in identities.page(connection, ACCOUNT, Kind.USER, prefix, after, limit)]

        assert names("/") == ["Z", "_", "a", "b", "c"]
        assert names("/x_") == ["a", "b"]
        assert names("/x") == ["Z", "a", "b"]
        assert names("/%") == []
        assert names("/", "Z", 2) == ["_", "a"]
        assert identities.count(connection, ACCOUNT, Kind.USER) == 5


def test_members_and_groups(accounts: Database) -> None:
    mira, staff, other = user(), group(), group("other")
    with accounts.write() as tx:
        for one in (mira, staff, other):
            identities.add(tx, one)
        for one in (staff, staff, other):
            memberships.add(tx, mira, one)
        assert memberships.groups_of(tx.connection, mira) == [other, staff]
        assert memberships.groups_of(tx.connection, mira, "other", 1) == [staff]
        assert memberships.members_of(tx.connection, staff) == [mira]
        assert memberships.count_of_user(tx.connection, mira) == 2
        assert memberships.remove(tx, mira, staff)
        assert not memberships.remove(tx, mira, staff)


@pytest.mark.parametrize("ignores_case", [True, False])
def test_tags_keep_their_order(accounts: Database, ignores_case: bool) -> None:
    owner = Owner(ACCOUNT, "AIDA", ignores_case)
    with accounts.write() as tx:
        identity_tags.put(tx, owner, {"b": "1", "a": "2"})
        identity_tags.put(tx, owner, {"B": "3", "c": "4"})
        identity_tags.remove(tx, owner, ["A", "none"])
        found = identity_tags.of_owner(tx.connection, "AIDA")
    assert list(found.items()) == (
        [("B", "3"), ("c", "4")] if ignores_case else [("b", "1"), ("a", "2"), ("B", "3"), ("c", "4")]
    )


def test_an_issuer_is_trusted_once_by_an_account(accounts: Database) -> None:
    one = OidcProvider("arn:1", ACCOUNT, "issuer.example/x", ("a", "b"), ("0" * 40,), None, 1.0)
    with accounts.write() as tx:
        oidc_providers.add(tx, one)
        oidc_providers.add(tx, OidcProvider("arn:2", OTHER_ACCOUNT, one.url, (), (), "{}", 1.0))
        oidc_providers.set_client_ids(tx, one, ("c",))
        oidc_providers.set_thumbprints(tx, one, ())
        oidc_providers.set_jwks(tx, one, "{}")
        assert oidc_providers.get(tx.connection, "arn:1") == OidcProvider(
            "arn:1", ACCOUNT, one.url, ("c",), (), "{}", 1.0
        )
        assert [found.arn for found in oidc_providers.of_account(tx.connection, ACCOUNT)] == ["arn:1"]
    refused(
        accounts,
        lambda tx: oidc_providers.add(tx, OidcProvider("arn:3", ACCOUNT, one.url, (), (), None, 1.0)),
    )
    with accounts.write() as tx:
        oidc_providers.remove(tx, one)
        assert oidc_providers.get(tx.connection, "arn:1") is None


def test_policies_of_aws_are_in_every_database(accounts: Database) -> None:
    with accounts.read() as connection:
        found = managed_policies.of_account(connection, ACCOUNT, "/")
        assert {policy.name for policy in found} == {
            "AdministratorAccess", "AWSKeyManagementServicePowerUser", "ReadOnlyAccess",
        }  # fmt: skip
        assert managed_policies.of_account(connection, ACCOUNT, "/", of_aws=False) == []
        assert managed_policies.count(connection, ACCOUNT) == 0
