"""Runs the statements of a JSON list in DuckDB, in the directory given, and writes the rows of all but the first."""

import json
import os
import sys

import duckdb

os.chdir(sys.argv[1])
load, *questions = json.load(sys.stdin)
with duckdb.connect() as connection:
    connection.execute(load)
    json.dump([connection.execute(one).fetchall() for one in questions], sys.stdout, default=str)
