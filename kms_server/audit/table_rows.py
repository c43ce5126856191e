"""Batches of rows on their way into a table of PostgreSQL.

A text with a line for each row costs the driver and the server least: of an array both would look at every character for
what has to be quoted, and a record is full of that. What rows have in common, the caller, the operation and the key, is
sent once, as JSON, since what callers name may be anything.
"""

from collections.abc import Sequence
from operator import itemgetter

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Integer,
    Select,
    String,
    Table,
    Text,
    bindparam,
    case,
    column,
    func,
    select,
)

from kms_server.audit.chain import COLUMNS
from kms_server.audit.heading import text
from kms_server.audit.record import Row

_SHARED = Row._fields[1:-1]
_shared = itemgetter(*range(1, len(Row._fields) - 1))
# Neither ids nor JSON have line ends, and neither is empty. A row with a line end would come apart, and the parts break the
# table's rules.
_LINE_END = "\n"
_LINES = ("ids", "common", "records")


def sent(rows: Sequence[Row]) -> dict[str, str]:
    """What `received` takes of rows, by name."""
    shared = [*map(_shared, rows)]
    numbers = {one: number for number, one in enumerate(dict.fromkeys(shared))}
    return {
        "shared": text([{"id": number, **dict(zip(_SHARED, one, strict=True))} for one, number in numbers.items()]),
        "ids": _LINE_END.join([row.event_id for row in rows]),
        "common": _LINE_END.join([str(numbers[one]) for one in shared]),
        "records": _LINE_END.join([row.record for row in rows]),
    }  # fmt: skip


def received(table: Table) -> Select[*tuple[object, ...]]:
    """The rows that were sent, with all columns: those behind `was` in the chain `chain`, which `end` ends at `now`."""
    ids, common, records = (func.string_to_array(bindparam(name, type_=Text), _LINE_END) for name in _LINES)
    own = (
        func.unnest(ids, common.cast(ARRAY(Integer)), records)
        .table_valued("event_id", "common", "record", with_ordinality="place")
        .render_derived()
    )
    # Without a length: a cast to one would cut what is too long, and say nothing.
    types = [Text() if isinstance(table.c[name].type, String) else table.c[name].type for name in _SHARED]
    shared = (
        func.json_to_recordset(bindparam("shared", type_=Text).cast(JSON))
        .table_valued(column("id", Integer), *map(column, _SHARED, types))
        .render_derived(with_types=True)
    )
    seq = bindparam("was", type_=BigInteger) + own.c.place
    link = case((seq == bindparam("now", type_=BigInteger), bindparam("end", type_=table.c.link.type)))
    chain = bindparam("chain", type_=Text)
    values = {"event_id": own.c.event_id, "record": own.c.record, "writer": chain, "seq": seq, "link": link}
    values |= {name: shared.c[name] for name in _SHARED}
    # A row that found nothing in common must break the table's rules, not go missing.
    return select(*map(values.__getitem__, COLUMNS)).outerjoin_from(own, shared, shared.c.id == own.c.common)
