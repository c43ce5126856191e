"""What a database tells of its tables, and what is in them."""

from typing import Any

from sqlalchemy import Engine, MetaData, inspect, select, text


def shape(engine: Engine) -> dict[str, Any]:
    """Everything that the database tells of its tables; names of constraints that nothing refers to are left out."""
    seen = inspect(engine)
    return {
        table: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], column["default"])
                for column in seen.get_columns(table)
            },
            "primary key": seen.get_pk_constraint(table)["constrained_columns"],
            "foreign keys": sorted(map(_foreign_key, seen.get_foreign_keys(table))),
            "checks": sorted(check["sqltext"] for check in seen.get_check_constraints(table)),
            "unique": sorted(str(key["column_names"]) for key in seen.get_unique_constraints(table)),
            "indexes": sorted(map(_index, seen.get_indexes(table))),
            "of expressions": sorted(_expression_indexes(engine, table)),
        }
        for table in seen.get_table_names()
        if table != "alembic_version"
    }


def _foreign_key(key: Any) -> str:
    return f"{key['constrained_columns']} {key['referred_table']} {key['referred_columns']} {key['options']}"


def _index(index: Any) -> str:
    options = [*map(str, index.get("dialect_options", {}).values()), str(index.get("column_sorting"))]
    return " ".join((index["name"], str(index["column_names"]), str(index["unique"]), *options))


def _expression_indexes(engine: Engine, table: str) -> list[str]:
    """What creates the indexes that SQLAlchemy reads of PostgreSQL alone."""
    if engine.dialect.name != "sqlite":
        return []
    statement = text("SELECT sql FROM sqlite_master WHERE tbl_name = :name AND sql LIKE '%(CASE%'")
    with engine.connect() as connection:
        return list(connection.execute(statement, {"name": table}).scalars())


def contents(engine: Engine) -> dict[str, list[Any]]:
    """Every row of every table."""
    everything = MetaData()
    everything.reflect(engine)
    with engine.connect() as connection:
        return {
            name: sorted(map(tuple, connection.execute(select(table))), key=repr)
            for name, table in everything.tables.items()
        }
