"""The export of the audit log in DuckDB, as docs/audit.md loads and asks it."""

import json
from pathlib import Path

from tests.functional.audit_exports import answers, blocks, expected, exported, questions
from tests.functional.server_process import ServerProcess
from tests.interop.toolchain import Program, client_environment, python


def test_the_questions_of_the_document(server: ServerProcess, tmp_path: Path) -> None:
    export = exported(server, tmp_path)
    duckdb = Program(python("ask_duckdb.py"), client_environment(server.credentials()))
    statements = [blocks("DuckDB", "sql")[0], *questions("DuckDB", export), "SELECT count(*) FROM audit"]
    *asked, counted = duckdb.answer(tmp_path, given=json.dumps(statements).encode())
    assert answers([[tuple(row) for row in rows] for rows in asked]) == expected(export)
    assert counted == [[len(export.records)]]
