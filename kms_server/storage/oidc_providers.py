"""OpenID Connect providers: whose web identities an account takes."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from kms_server.storage.database import Transaction
from kms_server.storage.identities import account_scope
from kms_server.storage.identity_tables import identity_tags, oidc_providers


@dataclass(frozen=True, slots=True)
class OidcProvider:
    """An issuer that an account trusts; `url` is without scheme, `jwks` its pinned keys (JSON Web Key Set) or None."""

    arn: str
    account: str
    url: str
    client_ids: tuple[str, ...]
    thumbprints: tuple[str, ...]
    jwks: str | None
    created_at: float


def add(tx: Transaction, provider: OidcProvider) -> None:
    """Store a new provider."""
    tx.connection.execute(
        insert(oidc_providers).values(
            arn=provider.arn, account=provider.account, url=provider.url,
            client_ids=json.dumps(provider.client_ids), thumbprints=json.dumps(provider.thumbprints),
            jwks=provider.jwks, created_at=provider.created_at,
        )
    )  # fmt: skip
    tx.mark(account_scope(provider.account))


def get(connection: Connection, arn: str) -> OidcProvider | None:
    """The provider of that ARN, or None."""
    row = connection.execute(select(oidc_providers).where(oidc_providers.c.arn == arn)).one_or_none()
    return _provider(row) if row else None


def of_account(connection: Connection, account: str) -> list[OidcProvider]:
    """The providers of an account, in the order of their ARNs."""
    statement = select(oidc_providers).where(oidc_providers.c.account == account)
    return [_provider(row) for row in connection.execute(statement.order_by(oidc_providers.c.arn))]


def set_client_ids(tx: Transaction, provider: OidcProvider, client_ids: tuple[str, ...]) -> None:
    """Replace the audiences that are taken."""
    _update(tx, provider, client_ids=json.dumps(client_ids))


def set_thumbprints(tx: Transaction, provider: OidcProvider, thumbprints: tuple[str, ...]) -> None:
    """Replace the thumbprints."""
    _update(tx, provider, thumbprints=json.dumps(thumbprints))


def set_jwks(tx: Transaction, provider: OidcProvider, jwks: str) -> None:
    """Pin the issuer's keys."""
    _update(tx, provider, jwks=jwks)


def remove(tx: Transaction, provider: OidcProvider) -> None:
    """Delete a provider with its tags."""
    tx.connection.execute(delete(identity_tags).where(identity_tags.c.owner == provider.arn))
    tx.connection.execute(delete(oidc_providers).where(oidc_providers.c.arn == provider.arn))
    tx.mark(account_scope(provider.account))


def _update(tx: Transaction, provider: OidcProvider, **values: str) -> None:
    tx.connection.execute(update(oidc_providers).where(oidc_providers.c.arn == provider.arn).values(**values))
    tx.mark(account_scope(provider.account))


def _provider(row: Row[Any]) -> OidcProvider:
    return OidcProvider(
        row.arn, row.account, row.url, tuple(json.loads(row.client_ids)), tuple(json.loads(row.thumbprints)),
        row.jwks, row.created_at,
    )  # fmt: skip
