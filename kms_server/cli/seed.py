"""`kms-server seed`: keys, aliases and tags from a file, with given ids and key material."""

import sys
from pathlib import Path
from typing import Any, Unpack

import click

from kms_server.audit.ledger import Ledger
from kms_server.cli.operator import Deed, note, opened
from kms_server.cli.options import (
    Where,
    account_id,
    option,
    profile_option,
    region_name,
    state_options,
    state_settings,
)
from kms_server.config import DEFAULT_ACCOUNT, DEFAULT_REGION
from kms_server.errors import OperatorError
from kms_server.keys.key import KmsKey
from kms_server.keys.seeds.seed import Home, SeedKey
from kms_server.operations import seeding
from kms_server.operations.access import ALIAS, KEY
from kms_server.operations.seeding import Sown
from kms_server.protocol.yaml_reader import MOST_BYTES
from kms_server.quotas import profiles
from kms_server.storage.aliases import Alias
from kms_server.storage.database import Transaction

_STDIN = Path("-")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@option("--account", callback=account_id, default=DEFAULT_ACCOUNT, help="Account of keys that name none.")
@option("--region", callback=region_name, default=DEFAULT_REGION, help="Region of keys that name none.")
@profile_option
@state_options
def seed(file: Path, *, account: str, region: str, quota_profile: str | None, **where: Unpack[Where]) -> None:
    """Make the keys and aliases of FILE.yaml that are missing; - reads standard input.

    Each key has the id and the key material that the file gives: for tests that need known keys, and for keys
    that move here. FILE is one of ours, or an unchanged seed.yaml of local-kms; docs/seeding.md describes both.

    \b
    Keys:
      - KeyId: 1234abcd-12ab-34cd-56ef-1234567890ab
        Aliases: [alias/orders]
        Material: {Hex: 64 hexadecimal digits}

    The server may run, and the keys can be used at once. What exists is never changed, so the same file may be
    seeded again. If a key or an alias exists and is another than in the file, nothing is made at all.
    """
    raw = _read(file)
    try:
        wanted = seeding.parse(raw, Home(account, region))
    except OperatorError as error:
        raise OperatorError(f"{_shown(file)}: {error}") from None
    with opened(state_settings(**where)) as state:
        now = state.clock.now()
        profile = profiles.find(quota_profile or profiles.noted(state.settings.state_dir))
        with state.database.write() as tx:
            sown = seeding.sow(tx, wanted, state.root_key, now, profile)
            _audit(tx, Ledger(state.chain_key), sown, now)
    _report(sown)


def _shown(file: Path) -> str:
    return "standard input" if file == _STDIN else str(file)


def _read(file: Path) -> bytes:
    """The file, or one byte more than is taken of it."""
    try:
        if file == _STDIN:
            return sys.stdin.buffer.read(MOST_BYTES + 1)
        with file.open("rb") as opened_file:
            return opened_file.read(MOST_BYTES + 1)
    except OSError as error:
        raise OperatorError(f"cannot read {file}: {error.strerror}") from None


def _audit(tx: Transaction, ledger: Ledger, sown: Sown, now: float) -> None:
    for key, wanted in sown.keys:
        deed = Deed("SeedKey", key.account, key.region, _of_key(key, wanted), ((KEY, key.arn),))
        note(tx, ledger, deed, now)
    for alias in sown.aliases:
        note(tx, ledger, Deed("SeedAlias", alias.account, alias.region, *_of_alias(alias)), now)


def _of_key(key: KmsKey, wanted: SeedKey) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "keyId": key.key_id, "keySpec": key.spec, "keyUsage": key.usage, "origin": key.origin,
        "description": key.description, "policy": wanted.policy, "keyMaterials": len(wanted.material),
        "tags": [{"tagKey": name, "tagValue": value} for name, value in wanted.tags.items()],
    }  # fmt: skip
    return {name: value for name, value in parameters.items() if value not in (None, "", [])}


def _of_alias(alias: Alias) -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    target = KEY, f"{alias.arn.removesuffix(alias.name)}key/{alias.key_id}"
    return {"aliasName": alias.name, "targetKeyId": alias.key_id}, (target, (ALIAS, alias.arn))


def _report(sown: Sown) -> None:
    for key, members in sown.differing:
        click.echo(f"{key.arn} has another {', '.join(members)} than the file; it stays as it is", err=True)
    click.echo(
        f"keys made: {len(sown.keys)}, aliases made: {len(sown.aliases)}, keys there already: {len(sown.kept)}"
    )
