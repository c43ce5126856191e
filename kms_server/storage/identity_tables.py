"""The tables of accounts, users, roles, groups and their policies; `tables` has all others."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from kms_server.storage.root_tables import root_prefix
from kms_server.storage.schema import BYTEWISE, metadata

accounts = Table("accounts", metadata, Column("account", String(12), primary_key=True))

# The longest: a path of 512 characters and a name of 128.
_ARN = 768

managed_policies = Table(
    "managed_policies",
    metadata,
    Column("arn", String(_ARN), primary_key=True),
    Column("account", String(12), ForeignKey("accounts.account"), nullable=True, comment="null: AWS's own"),
    Column("name", String(128), nullable=False),
    Column("name_key", BYTEWISE, nullable=False, comment="the name in lower case"),
    Column("path", String(512), nullable=False),
    Column("policy_id", String(32), nullable=False, unique=True),
    Column("description", Text, nullable=True),
    Column("versions_made", Integer, nullable=False, comment="no number of a version comes twice"),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    UniqueConstraint("account", "name_key"),
)

managed_policy_versions = Table(
    "managed_policy_versions",
    metadata,
    Column("policy_arn", String(_ARN), ForeignKey("managed_policies.arn", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("document", Text, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Index("uq_managed_policy_versions_one_default", "policy_arn", unique=True,
          sqlite_where=text("is_default"), postgresql_where=text("is_default")),
)  # fmt: skip

identities = Table(
    "identities",
    metadata,
    Column("unique_id", String(32), primary_key=True),
    Column("account", String(12), ForeignKey("accounts.account"), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("name", BYTEWISE, nullable=False),
    Column("name_key", BYTEWISE, nullable=False, comment="the name in lower case"),
    Column("path", String(512), nullable=False),
    Column("boundary", String(_ARN), ForeignKey("managed_policies.arn"), nullable=True, index=True),
    Column("trust_policy", Text, nullable=True, comment="names users and roles by their unique ids"),
    Column("description", Text, nullable=True),
    Column("max_session_seconds", Integer, nullable=True),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("account", "kind", "name_key"),
    UniqueConstraint("unique_id", "account"),
    CheckConstraint("kind IN ('user', 'role', 'group')", name="kind"),
    CheckConstraint("(kind = 'role') = (trust_policy IS NOT NULL)", name="trust_policy"),
    CheckConstraint("(kind = 'role') = (max_session_seconds IS NOT NULL)", name="max_session_seconds"),
    CheckConstraint("max_session_seconds BETWEEN 3600 AND 43200", name="session_range"),
    CheckConstraint("kind <> 'group' OR boundary IS NULL", name="boundary"),
)

inline_policies = Table(
    "inline_policies",
    metadata,
    Column("unique_id", String(32), ForeignKey("identities.unique_id", ondelete="CASCADE"), primary_key=True),
    Column("name", BYTEWISE, primary_key=True),
    Column("document", Text, nullable=False),
)

attachments = Table(
    "attachments",
    metadata,
    Column("unique_id", String(32), ForeignKey("identities.unique_id", ondelete="CASCADE"), primary_key=True),
    Column("policy_arn", String(_ARN), ForeignKey("managed_policies.arn"), primary_key=True, index=True),
)

memberships = Table(
    "memberships",
    metadata,
    Column("user_id", String(32), ForeignKey("identities.unique_id", ondelete="CASCADE"), primary_key=True),
    Column(
        "group_id", String(32), ForeignKey("identities.unique_id", ondelete="CASCADE"), primary_key=True,
        index=True,
    ),
)  # fmt: skip

identity_tags = Table(
    "identity_tags",
    metadata,
    Column("owner", String(_ARN), primary_key=True, comment="a unique id, or an ARN of what has none"),
    Column("key_key", String(128), primary_key=True, comment="the key, of users and roles in lower case"),
    Column("tag_key", String(128), nullable=False),
    Column("tag_value", String(256), nullable=False),
    Column("position", Integer, nullable=False, comment="tags are listed in the order in which they came"),
)

access_keys = Table(
    "access_keys",
    metadata,
    Column("access_key_id", String(32), primary_key=True),
    Column("account", String(12), ForeignKey("accounts.account"), nullable=False),
    Column("user_id", String(32), nullable=True, index=True, comment="null: the account's root"),
    Column("wrapped_secret", LargeBinary, nullable=False),
    Column("status", String(8), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("last_use", Text, nullable=True, comment="folded in when the log is pruned"),
    root_prefix("wrapped_secret"),
    ForeignKeyConstraint(
        ["user_id", "account"], ["identities.unique_id", "identities.account"], ondelete="CASCADE"
    ),
    CheckConstraint("status IN ('Active', 'Inactive')", name="status"),
)

oidc_providers = Table(
    "oidc_providers",
    metadata,
    Column("arn", String(_ARN), primary_key=True),
    Column("account", String(12), ForeignKey("accounts.account"), nullable=False),
    Column("url", String(255), nullable=False, comment="the issuer without its scheme"),
    Column("client_ids", Text, nullable=False, comment="JSON list"),
    Column("thumbprints", Text, nullable=False, comment="JSON list"),
    Column("jwks", Text, nullable=True, comment="the issuer's pinned keys, JSON Web Key Set"),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("account", "url"),
)
