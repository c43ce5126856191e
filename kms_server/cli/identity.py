"""`kms-server identity`: accounts, users and access keys."""

import json
import re
from pathlib import Path
from typing import Unpack

import click

from kms_server.arn import root_arn
from kms_server.cli.operator import change, opened
from kms_server.cli.options import Where, account_id, option, state_options, state_settings
from kms_server.config import DEFAULT_ACCOUNT
from kms_server.errors import OperatorError, ServiceError
from kms_server.iam.policy import compile_identity_policy
from kms_server.keyring import access_keys as access_secrets
from kms_server.storage import access_keys, identities, inline_policies
from kms_server.storage.identities import Identity, Kind

_ADMIN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
_USER_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)

account_option = option("--account", callback=account_id, default=DEFAULT_ACCOUNT, help="Twelve digits.")


@click.group()
def identity() -> None:
    """Accounts, users and their access keys."""


@identity.command("create-account")
@click.argument("account", callback=account_id)
@state_options
def create_account(account: str, **where: Unpack[Where]) -> None:
    """Add an account and print an access key of its root."""
    _create_key(account, None, where)


@identity.command("create-key")
@option("--root", "for_root", is_flag=True, help="A key of the account's root.")
@option("--user", help="A key of this user.")
@account_option
@state_options
def create_key(*, for_root: bool, user: str | None, account: str, **where: Unpack[Where]) -> None:
    """Make another access key and print it; the secret is shown this once."""
    if for_root == (user is not None):
        raise OperatorError("give either --root or --user NAME")
    _create_key(account, user, where)


@identity.command("create-user")
@click.argument("name")
@option(
    "--policy",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Identity policy, a JSON file.",
)
@option("--admin", is_flag=True, help="Allow everything that key policies leave to the account.")
@account_option
@state_options
def create_user(*, name: str, policy: Path | None, admin: bool, account: str, **where: Unpack[Where]) -> None:
    """Make a user with an identity policy, and an access key for it."""
    if admin == (policy is not None):
        raise OperatorError("give either --policy FILE or --admin")
    if _USER_NAME.fullmatch(name) is None:
        raise OperatorError(f"{name!r} is not a user name: up to 64 ASCII letters, digits and +=,.@_-")
    document = _document(policy) if policy else json.dumps(_ADMIN)
    with (
        opened(state_settings(**where)) as state,
        change(state, "CreateUser", account, userName=name) as made,
    ):
        if identities.name_is_taken(made.tx.connection, account, Kind.USER, name):
            raise OperatorError(f"the user {name} exists already in account {account}")
        now = state.clock.now()
        user = Identity(identities.new_unique_id(Kind.USER), account, Kind.USER, name, "/", now)
        identities.add_account(made.tx, account)
        identities.add(made.tx, user)
        inline_policies.put(made.tx, user, "policy", document)
        key, secret = access_secrets.create(made.tx, state.root_key, account, user, now)
        made.parameters["accessKeyId"] = key.access_key_id
    _print_key(key.access_key_id, secret)


@identity.command("list")
@option("--account", callback=account_id, help="Only this account. Default: all.")
@state_options
def list_(account: str | None, **where: Unpack[Where]) -> None:
    """List access keys and whom they belong to."""
    with opened(state_settings(**where)) as state, state.database.read() as connection:
        keys = access_keys.of_accounts(connection, account)
        owners = identities.arns(connection, {key.user_id for key in keys if key.user_id})
    for key in keys:
        owner = owners[key.user_id] if key.user_id else root_arn(key.account)
        click.echo(f"{key.access_key_id}  {key.status:8}  {owner}")


@identity.command("delete-key")
@click.argument("access_key_id")
@state_options
def delete_key(access_key_id: str, **where: Unpack[Where]) -> None:
    """Delete an access key; requests signed with it are refused from now on."""
    with opened(state_settings(**where)) as state:
        with state.database.read() as connection:
            key = access_keys.get(connection, access_key_id)
        if key is None:
            raise OperatorError(f"there is no access key {access_key_id}: see `kms-server identity list`")
        with change(state, "DeleteAccessKey", key.account, accessKeyId=access_key_id) as made:
            access_keys.remove(made.tx, key)


def _document(path: Path) -> str:
    try:
        text = path.read_text("utf-8")
        compile_identity_policy(text)
    except OSError as error:
        raise OperatorError(f"cannot read {path}: {error.strerror}") from None
    except (UnicodeDecodeError, ServiceError) as error:
        raise OperatorError(f"{path} is not an identity policy: {error}") from None
    return text


def _create_key(account: str, user: str | None, where: Where) -> None:
    with (
        opened(state_settings(**where)) as state,
        change(state, "CreateAccessKey", account, userName=user) as made,
    ):
        owner = identities.get(made.tx.connection, account, Kind.USER, user) if user is not None else None
        if user is not None and owner is None:
            raise OperatorError(f"there is no user {user} in account {account}")
        key, secret = access_secrets.create(made.tx, state.root_key, account, owner, state.clock.now())
        made.parameters["accessKeyId"] = key.access_key_id
    _print_key(key.access_key_id, secret)


def _print_key(access_key_id: str, secret: str) -> None:
    click.echo(f"export AWS_ACCESS_KEY_ID={access_key_id}")
    click.echo(f"export AWS_SECRET_ACCESS_KEY={secret}")
