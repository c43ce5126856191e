"""The tables of the audit log, which segments have too; `tables` has all others."""

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, MetaData, String, Table, Text

from kms_server.storage.resource_types import resource_type

audit_metadata = MetaData()
# Characters of an ARN; keys of objects have up to 1,024.
MOST_RESOURCE = 512
MOST_DATA_RESOURCE = 1_152


def _records(name: str, longest_resource: int) -> Table:
    return Table(
        name,
        audit_metadata,
        Column(
            "event_id", String(36), primary_key=True, comment="time-ordered: 48 bits of milliseconds first"
        ),
        Column("account", String(12), nullable=False),
        Column("region", String(32), nullable=False),
        Column("event_name", String(64), nullable=False),
        Column("event_source", String(64), nullable=False),
        Column("read_only", Boolean, nullable=False),
        Column("username", String(64), nullable=True),
        Column("access_key_id", String(128), nullable=True),
        Column("resource_1", String(longest_resource), nullable=True),
        Column("resource_2", String(longest_resource), nullable=True),
        Column("error_code", String(64), nullable=True),
        Column("record", Text, nullable=False, comment="the whole CloudTrail record as JSON"),
        Column(
            "writer", String(64), nullable=True, comment="whose chain the row is in; null: older than chains"
        ),
        Column(
            "seq", BigInteger, nullable=True, comment="place in the writer's chain: 1, 2, 3, without a gap"
        ),
        Column(
            "link", LargeBinary(32), nullable=True, comment="of the last row of a batch; see audit/chain.py"
        ),
    )


audit_events = _records("audit_events", MOST_RESOURCE)
# Events about objects. Questions and pruning go by time, which is the primary key.
audit_data_events = _records("audit_data_events", MOST_DATA_RESOURCE)

# A segment has one writer, whose sequence is that of its rows, and needs no such index.
for _table in (audit_events, audit_data_events):
    Index(f"uq_{_table.name}_writer_seq", _table.c.writer, _table.c.seq, unique=True)

audit_writers = Table(
    "audit_writers",
    audit_metadata,
    Column("writer", String(64), primary_key=True),
    Column("is_data", Boolean, nullable=False, comment="whether its rows are in audit_data_events"),
    Column("seq", BigInteger, nullable=False, comment="of its newest row"),
    Column("link", LargeBinary(32), nullable=False, comment="of its newest batch"),
    Column(
        "pruned_seq",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="its rows up to here were pruned",
    ),
    Column("pruned_link", LargeBinary(32), nullable=True, comment="of the last batch that was pruned"),
    comment="the heads of the chains in these tables, moved in the transaction that adds rows",
)

# An open segment has the table alone; sealing adds these. The shared databases have them from the start.
_SOUGHT = ("event_name", "event_source", "read_only", "username", "access_key_id", "resource_1", "resource_2")
audit_indexes = (
    *(
        Index(
            f"ix_audit_events_{more[0] if more else 'account'}",
            *(audit_events.c[column] for column in ("account", "region", *more, "event_id")),
        )
        for more in ((), *((column,) for column in _SOUGHT))
    ),
    *(
        Index(
            f"ix_audit_events_{column}_type",
            audit_events.c.account,
            audit_events.c.region,
            resource_type(column),
            audit_events.c.event_id,
            sqlite_where=audit_events.c[column].is_not(None),
            postgresql_where=audit_events.c[column].is_not(None),
        )
        for column in ("resource_1", "resource_2")
    ),
)
