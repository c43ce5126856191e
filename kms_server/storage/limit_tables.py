"""The tables of limits: what was set, what was asked for, and faults that tests inject."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

from kms_server.storage.schema import metadata

limits = Table(
    "limits",
    metadata,
    Column("subject", String(1024), primary_key=True, comment="a quota of an account and Region, a key, or a pattern"),
    Column("rate", Double, nullable=False, comment="calls per second; of a resource quota, how many"),
    Column("burst", Double, nullable=True, comment="null: derived from the rate"),
    CheckConstraint("rate > 0", name="rate"),
    CheckConstraint("burst IS NULL OR burst >= 1", name="burst"),
)  # fmt: skip

_OPEN = text("status = 'PENDING'")

quota_requests = Table(
    "quota_requests",
    metadata,
    Column("request_id", String(64), primary_key=True),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("service", String(32), nullable=False),
    Column("quota_id", String(64), nullable=False),
    Column("desired", Double, nullable=False),
    Column("status", String(16), nullable=False, comment="PENDING, APPROVED or DENIED"),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("requester", Text, nullable=False, comment="JSON: account and ARN of the caller"),
    CheckConstraint("status IN ('PENDING', 'APPROVED', 'DENIED')", name="status"),
    Index("ix_quota_requests_history", "account", "region", "created_at"),
    Index("uq_quota_requests_one_open", "account", "region", "quota_id", unique=True,
          sqlite_where=_OPEN, postgresql_where=_OPEN),
)  # fmt: skip

injected_faults = Table(
    "injected_faults",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, comment="the oldest goes first"),
    Column("fault_id", String(64), nullable=False, unique=True),
    Column("account", String(12), nullable=True, comment="of the callers; null: of all"),
    Column("operation", String(64), nullable=True, comment="null: any"),
    Column("key_id", String(64), nullable=True, comment="null: any, or none"),
    Column("principal", String(1024), nullable=True, comment="a pattern of ARNs; null: anybody"),
    Column("error", String(64), nullable=True, comment="the code; null: calls are slow but do not fail"),
    Column("delay", Double, nullable=False, comment="seconds"),
    Column("schedule", Text, nullable=False, comment="a digit for each call in turn, 1: the call is met; then from the start"),
    Column("calls", BigInteger, nullable=True, comment="how many calls it counts; null: all until it is removed"),
    Column("seen", BigInteger, nullable=False, comment="how many it has counted"),
    Column("created_at", Double, nullable=False),
    CheckConstraint("delay >= 0", name="delay"),
    CheckConstraint("calls IS NULL OR seen <= calls", name="calls"),
)  # fmt: skip
