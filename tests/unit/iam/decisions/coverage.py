"""Which tests cover what AWS documents: `python -m tests.unit.iam.decisions.coverage` writes the document anew."""

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.unit.iam.decisions import marks, tables

ROOT = Path(__file__).parents[4]
DOCUMENT = ROOT / "docs" / "authorization-coverage.md"
HEAD = """# What tests of authorization cover

Made by `python -m tests.unit.iam.decisions.coverage` of the tables in tests/unit/iam/decisions and of the tests that are
marked `covers`; do not edit. A number counts cases of the tables, each a request with its documents, its decision and
the statement or grant that decides. Tests that are named show what an evaluator alone can not.
"""

# A row, with its section, and a direction.
Place = tuple[str, str]


@dataclass(frozen=True)
class Row:
    """What is documented, and what its directions mean."""

    section: str
    name: str
    directions: Mapping[str, str]
    needs_tests: bool = False

    @property
    def places(self) -> list[Place]:
        return [(f"{self.section}: {self.name}", direction) for direction in self.directions]


def rows() -> Iterator[Row]:
    """All there is to cover."""
    for section in tables.table("rows"):
        title = section["section"]
        for row in section.get("rows", []):
            directions = {name: meaning for name, meaning in row.items() if name != "row"}
            yield Row(title, row["row"], directions)
        for name in section.get("names", "").split():
            for form in section.get("forms", [""]):
                if name == "Null" and form.endswith("IfExists"):
                    continue
                over, colon, end = form.rpartition(":")
                directions = section["directions"]
                yield Row(title, f"{over}{colon}{name}{end}", directions, section.get("needs") == "tests")


@cache
def by_tables() -> Mapping[Place, int]:
    """How many cases of the tables cover a place."""
    found: defaultdict[Place, int] = defaultdict(int)
    for case in tables.all_cases():
        for place in case.covers:
            found[place] += 1
    return found


@cache
def by_tests() -> Mapping[Place, list[str]]:
    """The tests that are marked with a place; pytest says which, since marks may be worked out."""
    files = [
        path for path in (ROOT / "tests").rglob("test_*.py") if "mark.covers(" in path.read_text("utf-8")
    ]
    with tempfile.TemporaryDirectory() as directory:
        marks_file = Path(directory) / "marks.json"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", marks.__name__, *files],
            cwd=ROOT, env=os.environ | {marks.VARIABLE: str(marks_file)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        # What cannot be collected fails by itself.
        assert marks_file.exists(), done.stdout[-2_000:]
        listed = json.loads(marks_file.read_text("utf-8"))
    found: defaultdict[Place, list[str]] = defaultdict(list)
    for test, row, direction in listed:
        found[row, direction].append(test)
    return found


def uncovered() -> list[Place]:
    """Places that no case and no test covers; of a row that `needs` tests, also where only cases do."""
    cases, tests = by_tables(), by_tests()
    found = [place for row in rows() for place in row.places if place not in cases and place not in tests]
    lacking = [row for row in rows() if row.needs_tests and not any(place in tests for place in row.places)]
    return [*found, *((f"{row.section}: {row.name}", "by a test") for row in lacking)]


def unknown() -> list[Place]:
    """What tables and marks name that is no row."""
    known = {place for row in rows() for place in row.places}
    return sorted((by_tables().keys() | by_tests().keys()) - known)


def document() -> str:
    """The coverage table."""
    cases, tests = by_tables(), by_tests()
    grouped: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows():
        grouped[row.section].append(row)
    parts = [HEAD]
    for section in tables.table("rows"):
        listed = grouped[section["section"]]
        parts.append(f"## {section['section'].capitalize()}\n\n{section['source']}.\n")
        parts.append(_table(section, listed, cases, tests))
    return "\n".join(parts)


def _table(
    section: Mapping[str, Any],
    listed: list[Row],
    cases: Mapping[Place, int],
    tests: Mapping[Place, list[str]],
) -> str:
    directions = list(listed[0].directions)
    lines = [
        [
            "",
            *(
                f"{name}: {section['directions'][name]}" if "directions" in section else name
                for name in directions
            ),
        ]
    ]
    lines.append(["---"] * len(lines[0]))
    for row in listed:
        cells = []
        for place in row.places:
            meaning = "" if "directions" in section else f"{row.directions[place[1]]}: "
            cells.append(meaning + _by(cases.get(place, 0), tests.get(place, [])))
        lines.append([row.name, *cells])
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _by(cases: int, tests: list[str]) -> str:
    named = [f"`{test.removeprefix('tests/')}`" for test in tests]
    return ", ".join([*([f"{cases}"] if cases else []), *named]) or "**not covered**"


def main() -> None:
    """Write the document."""
    DOCUMENT.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main()
