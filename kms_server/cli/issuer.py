"""`kms-server identity trust-issuer`: web identities and the keys that sign them."""

import json
from pathlib import Path
from typing import Any, Unpack

import click

from kms_server.arn import oidc_provider_arn
from kms_server.cli.identity import account_option
from kms_server.cli.operator import change, opened
from kms_server.cli.options import Where, option, state_options, state_settings
from kms_server.errors import OperatorError, ServiceError
from kms_server.operations.iam.oidc import issuer
from kms_server.storage import identities, oidc_providers
from kms_server.storage.oidc_providers import OidcProvider

# What only the private half of a key has, or a key that has no public half (RFC 7518 section 6).
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


@click.command("trust-issuer")
@click.argument("url")
@option(
    "--keys",
    "path",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The issuer's public keys, a JSON Web Key Set: what its jwks_uri answers.",
)
@option(
    "--client-id",
    "client_ids",
    multiple=True,
    help="An audience that tokens may be for; give it once for each. Those the provider has already stay.",
)
@account_option
@state_options
def trust_issuer(
    *, url: str, path: Path, client_ids: tuple[str, ...], account: str, **where: Unpack[Where]
) -> None:
    """Pin the keys of an OpenID Connect issuer for an account.

    AssumeRoleWithWebIdentity takes the tokens that are signed with these keys, where a role's trust policy lets
    it. The server never fetches keys itself: when the issuer changes them, run this again. The provider is the
    one that IAM's CreateOpenIDConnectProvider makes; where there is none yet, it is made here.
    """  # fmt: skip
    jwks = _public_keys(path)
    try:
        plain = issuer(url)
    except ServiceError:
        raise OperatorError(f"{url!r} is not the URL of an issuer: write https://HOST/PATH") from None
    arn = oidc_provider_arn(account, plain)
    with (
        opened(state_settings(**where)) as state,
        change(state, "PinOpenIDConnectProviderKeys", account, openIDConnectProviderArn=arn) as made,
    ):
        provider = oidc_providers.get(made.tx.connection, arn)
        if provider is None:
            provider = OidcProvider(arn, account, plain, (), (), None, state.clock.now())
            identities.add_account(made.tx, account)
            oidc_providers.add(made.tx, provider)
        oidc_providers.set_jwks(made.tx, provider, jwks)
        taken = tuple(dict.fromkeys((*provider.client_ids, *client_ids)))
        oidc_providers.set_client_ids(made.tx, provider, taken)
        made.parameters["clientIDList"] = list(taken)
    click.echo(arn)


def _public_keys(path: Path) -> str:
    """The key set in a file, written anew.

    Raises:
        OperatorError: it is none, or it holds a key that must not leave its issuer.
    """
    try:
        content: Any = json.loads(path.read_bytes())
        keys = content["keys"]
    except OSError as error:
        raise OperatorError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise OperatorError(f'{path} is not a JSON Web Key Set: an object with a list "keys"') from None
    if (
        not isinstance(keys, list)
        or not keys
        or not all(isinstance(key, dict) and "kty" in key for key in keys)
    ):
        raise OperatorError(
            f'{path} is not a JSON Web Key Set: each of its "keys" must be an object with "kty"'
        )
    if any(not _PRIVATE.isdisjoint(key) for key in keys):
        raise OperatorError(f"{path} holds a private or symmetric key, which belongs to the issuer alone")
    return json.dumps({"keys": keys})
