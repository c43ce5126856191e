"""`kms-server identity`: accounts, users, access keys and issuers of web identities."""

import re
from pathlib import Path
from typing import Unpack

import click

from kms_server.arn import root_arn
from kms_server.cli.command_group import CommandGroup, Elsewhere
from kms_server.cli.operator import change, opened
from kms_server.cli.options import Where, account_id, option, state_options, state_settings
from kms_server.config import DEFAULT_ACCOUNT
from kms_server.errors import OperatorError, ServiceError
from kms_server.iam.policy import compile_identity_policy
from kms_server.keyring import access_keys as access_secrets
from kms_server.storage import access_keys, attachments, identities, inline_policies
from kms_server.storage.database import Transaction
from kms_server.storage.identities import Identity, Kind

_ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
_USER_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)

account_option = option("--account", callback=account_id, default=DEFAULT_ACCOUNT, help="Twelve digits.")


@click.group(
    cls=CommandGroup,
    elsewhere={
        "explain": Elsewhere("kms_server.cli.explain:explain", "Tell why a call is allowed or denied, and what would help."),
        "trust-issuer": Elsewhere(
            "kms_server.cli.issuer:trust_issuer", "Pin the keys of an OpenID Connect issuer for an account."
        ),
    },
)  # fmt: skip
def identity() -> None:
    """Accounts, users and their access keys, issuers of web identities, and why a call is allowed or denied.

    This is what one needs before the first call and when all access is lost. Everything else about users, roles,
    groups and policies is IAM's API, which the server answers too: `aws iam help`.
    """


@identity.command("create-account")
@click.argument("account", callback=account_id)
@state_options
def create_account(account: str, **where: Unpack[Where]) -> None:
    """Add an account and print an access key of its root.

    The key is printed as two lines for a shell, and its secret is shown this once.
    """
    _create_key(account, None, where)


@identity.command("create-key")
@option("--root", "for_root", is_flag=True, help="A key of the account's root: the way back in.")
@option("--user", help="A key of this user.")
@account_option
@state_options
def create_key(*, for_root: bool, user: str | None, account: str, **where: Unpack[Where]) -> None:
    """Make another access key and print it; the secret is shown this once.

    A user has two at most, as on AWS; the root may have any number.
    """
    if for_root == (user is not None):
        raise OperatorError("give either --root or --user NAME")
    _create_key(account, user, where)


@identity.command("create-user")
@click.argument("name")
@option(
    "--policy",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A policy document, a JSON file: what the user may do. It becomes an inline policy called `policy`.",
)
@option(
    "--admin", is_flag=True, help="Everything that key policies leave to the account: AdministratorAccess."
)
@account_option
@state_options
def create_user(*, name: str, policy: Path | None, admin: bool, account: str, **where: Unpack[Where]) -> None:
    """Make a user that may do something, and print an access key for it.

    More policies, groups, tags and a permissions boundary are given by IAM's API.
    """
    if admin == (policy is not None):
        raise OperatorError("give either --policy FILE or --admin")
    if _USER_NAME.fullmatch(name) is None:
        raise OperatorError(f"{name!r} is not a user name: up to 64 ASCII letters, digits and +=,.@_-")
    document = _document(policy) if policy else None
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
        if document is None:
            attachments.add(made.tx, user, _ADMINISTRATOR)
        else:
            inline_policies.put(made.tx, user, "policy", document)
        key, secret = access_secrets.create(made.tx, state.root_key, account, user, now)
        made.parameters["accessKeyId"] = key.access_key_id
    _print_key(key.access_key_id, secret)


@identity.command("list")
@option("--account", callback=account_id, help="Only this account. Default: all.")
@state_options
def list_(account: str | None, **where: Unpack[Where]) -> None:
    """List access keys, whether they may be used, and whom they belong to."""
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


def _create_key(account: str, name: str | None, where: Where) -> None:
    with (
        opened(state_settings(**where)) as state,
        change(state, "CreateAccessKey", account, userName=name) as made,
    ):
        user = None if name is None else _user(made.tx, account, name)
        key, secret = access_secrets.create(made.tx, state.root_key, account, user, state.clock.now())
        made.parameters["accessKeyId"] = key.access_key_id
    _print_key(key.access_key_id, secret)


def _user(tx: Transaction, account: str, name: str) -> Identity:
    user = identities.get(tx.connection, account, Kind.USER, name)
    if user is None:
        raise OperatorError(f"there is no user {name} in account {account}")
    if access_keys.count(tx.connection, account, user.unique_id) >= access_secrets.MOST_OF_USER:
        raise OperatorError(
            f"the user {name} has {access_secrets.MOST_OF_USER} access keys already: delete one by "
            "`kms-server identity delete-key`"
        )
    return user


def _print_key(access_key_id: str, secret: str) -> None:
    click.echo(f"export AWS_ACCESS_KEY_ID={access_key_id}")
    click.echo(f"export AWS_SECRET_ACCESS_KEY={secret}")
