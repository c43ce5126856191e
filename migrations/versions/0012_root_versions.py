"""Versions of the root key; each wrapped value tells its own, and the database holds it to that."""

import base64

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_FIRST = "0200000001"
# Table, wrapped column, and the column that tells the version.
_WRAPPED = (
    ("backing_keys", "wrapped", "root_prefix"),
    ("backing_keys", "fingerprint", "fingerprint_root_prefix"),
    ("access_keys", "wrapped_secret", "root_prefix"),
    ("signing_keys", "wrapped", "root_prefix"),
)


def upgrade() -> None:
    op.create_table(
        "root_versions",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "state", sa.String(length=16), nullable=False, comment="announced, current, former or retired"
        ),
        sa.Column("prefix", sa.LargeBinary(), nullable=True, comment="null: nothing may be wrapped under it"),
        sa.Column("fingerprint", sa.String(length=64), nullable=True, comment="null: before the first start"),
        sa.Column("place", sa.Text(), nullable=True, comment="null: where the server is told"),
        sa.Column(
            "endorsement",
            sa.LargeBinary(),
            nullable=True,
            comment="by the version before: fingerprint and place",
        ),
        sa.Column("current_from", sa.Double(), nullable=True, comment="null: since before this was kept"),
        sa.Column("current_until", sa.Double(), nullable=True),
        sa.Column("retired_at", sa.Double(), nullable=True),
        sa.CheckConstraint(
            "(state IN ('current', 'former')) = (prefix IS NOT NULL)", name=op.f("ck_root_versions_prefix")
        ),
        sa.CheckConstraint(
            "(state = 'retired') = (retired_at IS NOT NULL)", name=op.f("ck_root_versions_retired_at")
        ),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_root_versions")),
        sa.UniqueConstraint("prefix", name=op.f("uq_root_versions_prefix")),
    )
    current = sa.text("state = 'current'")
    op.create_index(
        "uq_root_versions_one_current", "root_versions", ["state"], unique=True,
        sqlite_where=current, postgresql_where=current,
    )  # fmt: skip
    op.create_table(
        "root_holders",
        sa.Column("holder", sa.String(length=32), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("holds", sa.Text(), nullable=False, comment="versions between commas"),
        sa.Column("wraps", sa.Integer(), nullable=False, comment="the version it wraps under"),
        sa.Column("problem", sa.Text(), nullable=True, comment="why it does not hold all versions"),
        sa.Column("answered_at", sa.Double(), nullable=False, comment="by the database's clock"),
        sa.PrimaryKeyConstraint("holder", name=op.f("pk_root_holders")),
        comment="one row for each process that serves",
    )
    op.create_table(
        "wrapped_secrets",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("root_prefix", sa.LargeBinary(), sa.Computed("substr(wrapped, 1, 5)", persisted=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["root_prefix"], ["root_versions.prefix"],
            name=op.f("fk_wrapped_secrets_root_prefix_root_versions"),
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_wrapped_secrets")),
        comment="the key of the audit log's chains, the key of tokens",
    )  # fmt: skip
    _add_first_version()
    for table, column, prefix in _WRAPPED:
        _tell_version(table, column, prefix)
    if op.get_bind().dialect.name == "postgresql":
        op.create_table_comment("settings", "single values: mode, clock offset")
    op.create_index(
        "ix_backing_keys_root_prefix", "backing_keys", ["root_prefix", "material_id", "region"], unique=False
    )


def _add_first_version() -> None:
    """Until now there was one root key, with its fingerprint in the settings if it was made yet."""
    connection = op.get_bind()
    settings = dict(map(tuple, connection.execute(sa.text("SELECT name, value FROM settings"))))
    first = bytes.fromhex(_FIRST)
    connection.execute(
        sa.text(
            "INSERT INTO root_versions (version, state, prefix, fingerprint) VALUES (1, 'current', :prefix, :told)"
        ),
        {"prefix": first, "told": settings.get("root_fingerprint")},
    )
    if "chain_key" in settings:
        connection.execute(
            sa.text("INSERT INTO wrapped_secrets (name, wrapped) VALUES ('chain_key', :wrapped)"),
            {"wrapped": first + base64.b64decode(settings["chain_key"])},
        )
    connection.execute(sa.text("DELETE FROM settings WHERE name IN ('root_fingerprint', 'chain_key')"))


def _tell_version(table: str, column: str, prefix: str) -> None:
    computed = f"GENERATED ALWAYS AS (substr({column}, 1, 5))"
    if op.get_bind().dialect.name == "sqlite":
        # || makes a text of the very same bytes.
        _add_prefix(table, column, f"CAST(X'{_FIRST}' || {column} AS BLOB)")
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN {prefix} BLOB {computed} VIRTUAL "
            f"CONSTRAINT fk_{table}_{prefix}_root_versions REFERENCES root_versions (prefix)"
        )
        return
    _add_prefix(table, column, f"'\\x{_FIRST}'::bytea || {column}")
    op.execute(f"ALTER TABLE {table} ADD COLUMN {prefix} BYTEA {computed} STORED")
    op.create_foreign_key(f"fk_{table}_{prefix}_root_versions", table, "root_versions", [prefix], ["prefix"])


def _add_prefix(table: str, column: str, value: str) -> None:
    op.execute(f"UPDATE {table} SET {column} = {value} WHERE {column} IS NOT NULL")  # noqa: S608 - constants of this file
