"""Users, roles, groups, their policies, tags and boundaries; OpenID Connect providers; whom a grant is matched by."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BYTEWISE = sa.String(length=256).with_variant(sa.String(length=256, collation="C"), "postgresql")
_ARN = sa.String(length=768)
_ASIDE = ("access_keys", "users", "grants")


def upgrade() -> None:
    for table in _ASIDE:
        op.execute(f"CREATE TEMPORARY TABLE old_{table} AS SELECT * FROM {table}")  # noqa: S608 - our own names
    for table in _ASIDE:
        op.drop_table(table)
    _create_managed_policies()
    _create_identities()
    _create_what_hangs_on_identities()
    _create_access_keys()
    _create_oidc_providers()
    _create_grants()
    for statement in _REFILL:
        op.execute(statement)
    _move_inline_policies()
    _add_policies_of_aws()
    for table in _ASIDE:
        op.drop_table(f"old_{table}")


# Names used to be told apart by case: of several that are one name now, each keeps its own, under another key.
_REFILL = (
    """
    INSERT INTO identities (unique_id, account, kind, name, name_key, path, created_at)
    SELECT
        unique_id, account, 'user', name,
        CASE WHEN EXISTS (
            SELECT 1 FROM old_users AS earlier
            WHERE earlier.account = old_users.account AND lower(earlier.name) = lower(old_users.name)
                AND earlier.unique_id < old_users.unique_id
        ) THEN lower(name) || ' ' || unique_id ELSE lower(name) END,
        '/', created_at
    FROM old_users
    """,
    """
    INSERT INTO access_keys (access_key_id, account, user_id, wrapped_secret, status, created_at)
    SELECT access_key_id, old_access_keys.account, unique_id, wrapped_secret, 'Active', old_access_keys.created_at
    FROM old_access_keys LEFT JOIN old_users
    ON old_users.account = old_access_keys.account AND old_users.name = old_access_keys.user_name
    """,
    """
    INSERT INTO grants (
        grant_id, key_id, region, name, grantee, grantee_is_service, retiring, retiring_is_service, grantee_key,
        retiring_key, operations, constraints, issuing_account, created_at, request
    ) SELECT
        grant_id, key_id, region, name, grantee, grantee_is_service, retiring, retiring_is_service, grantee,
        retiring, operations, constraints, issuing_account, created_at, request
    FROM old_grants
    """,
)

# AWS's identifiers and, where it is not said otherwise, AWS's documents.
_OF_AWS = (
    ("AdministratorAccess", "ANPAIWMBCKSKIEE64ZLYK", "Provides full access to AWS services and resources.", ["*"]),
    (
        "AWSKeyManagementServicePowerUser",
        "ANPAJNPP7PPPPMJRV2SA4",
        "Provides access to AWS Key Management Service (KMS).",
        [
            "kms:CreateAlias", "kms:CreateKey", "kms:DeleteAlias", "kms:Describe*", "kms:GenerateRandom", "kms:Get*",
            "kms:List*", "kms:TagResource", "kms:UntagResource", "iam:ListGroups", "iam:ListRoles", "iam:ListUsers",
        ],
    ),
    (
        # AWS's has several hundred services, this one those that are here.
        "ReadOnlyAccess",
        "ANPAILL3HVNFSB6DCOWYQ",
        "Provides read-only access to AWS services and resources.",
        [
            "cloudtrail:Describe*", "cloudtrail:Get*", "cloudtrail:List*", "cloudtrail:LookupEvents",
            "iam:Generate*", "iam:Get*", "iam:List*", "iam:Simulate*", "kms:Describe*", "kms:Get*", "kms:List*",
            "s3:Get*", "s3:List*", "servicequotas:Get*", "servicequotas:List*", "sts:GetAccessKeyInfo",
            "sts:GetCallerIdentity", "sts:GetSessionToken",
        ],
    ),
)  # fmt: skip
_MADE_AT = 1_423_162_757.0  # 2015-02-05, when AWS made them


def _move_inline_policies() -> None:
    connection = op.get_bind()
    rows = [
        {"unique_id": user.unique_id, "name": name, "document": document}
        for user in connection.execute(sa.text("SELECT unique_id, policies FROM old_users"))
        for name, document in json.loads(user.policies).items()
    ]
    if rows:
        statement = (
            "INSERT INTO inline_policies (unique_id, name, document) VALUES (:unique_id, :name, :document)"
        )
        connection.execute(sa.text(statement), rows)


def _add_policies_of_aws() -> None:
    policies = sa.table(
        "managed_policies",
        *map(
            sa.column,
            (
                "arn",
                "name",
                "name_key",
                "path",
                "policy_id",
                "description",
                "versions_made",
                "created_at",
                "updated_at",
            ),
        ),
    )
    versions = sa.table(
        "managed_policy_versions",
        *map(sa.column, ("policy_arn", "number", "document", "is_default", "created_at")),
    )
    for name, policy_id, description, actions in _OF_AWS:
        arn = f"arn:aws:iam::aws:policy/{name}"
        # A list of one is written without brackets, as AWS writes it.
        statement = {
            "Effect": "Allow",
            "Action": actions if len(actions) > 1 else actions[0],
            "Resource": "*",
        }
        op.execute(
            policies.insert().values(
                arn=arn, name=name, name_key=name.lower(), path="/", policy_id=policy_id, description=description,
                versions_made=1, created_at=_MADE_AT, updated_at=_MADE_AT,
            )
        )  # fmt: skip
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=4)
        op.execute(
            versions.insert().values(
                policy_arn=arn, number=1, document=document, is_default=True, created_at=_MADE_AT
            )
        )


def _create_managed_policies() -> None:
    op.create_table(
        "managed_policies",
        sa.Column("arn", _ARN, nullable=False),
        sa.Column("account", sa.String(length=12), nullable=True, comment="null: AWS's own"),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("name_key", _BYTEWISE, nullable=False, comment="the name in lower case"),
        sa.Column("path", sa.String(length=512), nullable=False),
        sa.Column("policy_id", sa.String(length=32), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column(
            "versions_made", sa.Integer(), nullable=False, comment="no number of a version comes twice"
        ),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.account"], name=op.f("fk_managed_policies_account")),
        sa.PrimaryKeyConstraint("arn", name=op.f("pk_managed_policies")),
        sa.UniqueConstraint("account", "name_key", name=op.f("uq_managed_policies_account_name_key")),
        sa.UniqueConstraint("policy_id", name=op.f("uq_managed_policies_policy_id")),
    )
    op.create_table(
        "managed_policy_versions",
        sa.Column("policy_arn", _ARN, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["policy_arn"],
            ["managed_policies.arn"],
            name=op.f("fk_managed_policy_versions_policy_arn"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("policy_arn", "number", name=op.f("pk_managed_policy_versions")),
    )
    op.create_index(
        "uq_managed_policy_versions_one_default",
        "managed_policy_versions",
        ["policy_arn"],
        unique=True,
        sqlite_where=sa.text("is_default"),
        postgresql_where=sa.text("is_default"),
    )


def _create_identities() -> None:
    op.create_table(
        "identities",
        sa.Column("unique_id", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("name", _BYTEWISE, nullable=False),
        sa.Column("name_key", _BYTEWISE, nullable=False, comment="the name in lower case"),
        sa.Column("path", sa.String(length=512), nullable=False),
        sa.Column("boundary", _ARN, nullable=True),
        sa.Column(
            "trust_policy", sa.Text(), nullable=True, comment="names users and roles by their unique ids"
        ),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("max_session_seconds", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.CheckConstraint("kind IN ('user', 'role', 'group')", name=op.f("ck_identities_kind")),
        sa.CheckConstraint(
            "(kind = 'role') = (trust_policy IS NOT NULL)", name=op.f("ck_identities_trust_policy")
        ),
        sa.CheckConstraint(
            "(kind = 'role') = (max_session_seconds IS NOT NULL)",
            name=op.f("ck_identities_max_session_seconds"),
        ),
        sa.CheckConstraint(
            "max_session_seconds BETWEEN 3600 AND 43200", name=op.f("ck_identities_session_range")
        ),
        sa.CheckConstraint("kind <> 'group' OR boundary IS NULL", name=op.f("ck_identities_boundary")),
        sa.ForeignKeyConstraint(["account"], ["accounts.account"], name=op.f("fk_identities_account")),
        sa.ForeignKeyConstraint(["boundary"], ["managed_policies.arn"], name=op.f("fk_identities_boundary")),
        sa.PrimaryKeyConstraint("unique_id", name=op.f("pk_identities")),
        sa.UniqueConstraint("account", "kind", "name_key", name=op.f("uq_identities_account_kind_name_key")),
        sa.UniqueConstraint("unique_id", "account", name=op.f("uq_identities_unique_id_account")),
    )
    op.create_index(op.f("ix_identities_boundary"), "identities", ["boundary"], unique=False)


def _of_identity(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], ["identities.unique_id"], name=op.f(f"fk_{table}_{column}"), ondelete="CASCADE"
    )


def _create_what_hangs_on_identities() -> None:
    op.create_table(
        "inline_policies",
        sa.Column("unique_id", sa.String(length=32), nullable=False),
        sa.Column("name", _BYTEWISE, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        _of_identity("inline_policies", "unique_id"),
        sa.PrimaryKeyConstraint("unique_id", "name", name=op.f("pk_inline_policies")),
    )
    op.create_table(
        "attachments",
        sa.Column("unique_id", sa.String(length=32), nullable=False),
        sa.Column("policy_arn", _ARN, nullable=False),
        _of_identity("attachments", "unique_id"),
        sa.ForeignKeyConstraint(
            ["policy_arn"], ["managed_policies.arn"], name=op.f("fk_attachments_policy_arn")
        ),
        sa.PrimaryKeyConstraint("unique_id", "policy_arn", name=op.f("pk_attachments")),
    )
    op.create_index(op.f("ix_attachments_policy_arn"), "attachments", ["policy_arn"], unique=False)
    op.create_table(
        "memberships",
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("group_id", sa.String(length=32), nullable=False),
        _of_identity("memberships", "user_id"),
        _of_identity("memberships", "group_id"),
        sa.PrimaryKeyConstraint("user_id", "group_id", name=op.f("pk_memberships")),
    )
    op.create_index(op.f("ix_memberships_group_id"), "memberships", ["group_id"], unique=False)
    op.create_table(
        "identity_tags",
        sa.Column("owner", _ARN, nullable=False, comment="a unique id, or an ARN of what has none"),
        sa.Column(
            "key_key",
            sa.String(length=128),
            nullable=False,
            comment="the key, of users and roles in lower case",
        ),
        sa.Column("tag_key", sa.String(length=128), nullable=False),
        sa.Column("tag_value", sa.String(length=256), nullable=False),
        sa.Column(
            "position",
            sa.Integer(),
            nullable=False,
            comment="tags are listed in the order in which they came",
        ),
        sa.PrimaryKeyConstraint("owner", "key_key", name=op.f("pk_identity_tags")),
    )


def _create_access_keys() -> None:
    op.create_table(
        "access_keys",
        sa.Column("access_key_id", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=True, comment="null: the account's root"),
        sa.Column("wrapped_secret", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.CheckConstraint("status IN ('Active', 'Inactive')", name=op.f("ck_access_keys_status")),
        sa.ForeignKeyConstraint(
            ["user_id", "account"],
            ["identities.unique_id", "identities.account"],
            name=op.f("fk_access_keys_user_id_account"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["account"], ["accounts.account"], name=op.f("fk_access_keys_account")),
        sa.PrimaryKeyConstraint("access_key_id", name=op.f("pk_access_keys")),
    )
    op.create_index(op.f("ix_access_keys_user_id"), "access_keys", ["user_id"], unique=False)


def _create_oidc_providers() -> None:
    op.create_table(
        "oidc_providers",
        sa.Column("arn", _ARN, nullable=False),
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("url", sa.String(length=255), nullable=False, comment="the issuer without its scheme"),
        sa.Column("client_ids", sa.Text(), nullable=False, comment="JSON list"),
        sa.Column("thumbprints", sa.Text(), nullable=False, comment="JSON list"),
        sa.Column("jwks", sa.Text(), nullable=True, comment="the issuer's pinned keys, JSON Web Key Set"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.account"], name=op.f("fk_oidc_providers_account")),
        sa.PrimaryKeyConstraint("arn", name=op.f("pk_oidc_providers")),
        sa.UniqueConstraint("account", "url", name=op.f("uq_oidc_providers_account_url")),
    )


def _create_grants() -> None:
    op.create_table(
        "grants",
        sa.Column("grant_id", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=True),
        sa.Column(
            "grantee", sa.String(length=256), nullable=False, comment="a principal's ARN, or a service"
        ),
        sa.Column("grantee_is_service", sa.Boolean(), nullable=False),
        sa.Column(
            "retiring", sa.String(length=256), nullable=True, comment="a principal's ARN, or a service"
        ),
        sa.Column("retiring_is_service", sa.Boolean(), nullable=False),
        sa.Column(
            "grantee_key",
            sa.String(length=256),
            nullable=False,
            comment="what a caller is matched by: a unique id or an ARN",
        ),
        sa.Column(
            "retiring_key",
            sa.String(length=256),
            nullable=True,
            comment="what a caller is matched by: a unique id or an ARN",
        ),
        sa.Column("operations", sa.Text(), nullable=False, comment="JSON list"),
        sa.Column("constraints", sa.Text(), nullable=False, comment="JSON object"),
        sa.Column("issuing_account", sa.String(length=12), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column(
            "request",
            sa.String(length=64),
            nullable=True,
            comment="digest of all that was asked for, where it has a name",
        ),
        sa.ForeignKeyConstraint(
            ["key_id", "region"],
            ["keys.key_id", "keys.region"],
            name=op.f("fk_grants_key_id_region"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("grant_id", name=op.f("pk_grants")),
        sa.UniqueConstraint("key_id", "region", "request", name=op.f("uq_grants_key_id_region_request")),
    )
    op.create_index("ix_grants_key_id", "grants", ["key_id", "region", "grant_id"], unique=False)
    op.create_index("ix_grants_retiring", "grants", ["retiring", "region", "grant_id"], unique=False)
    op.create_index("ix_grants_grantee_key", "grants", ["key_id", "region", "grantee_key"], unique=False)
    op.create_index("ix_grants_retiring_key", "grants", ["retiring_key", "region", "grant_id"], unique=False)
