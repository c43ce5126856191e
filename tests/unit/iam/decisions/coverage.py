"""Which tests cover what AWS documents: `python -m tests.unit.iam.decisions.coverage` writes the document anew."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.unit.iam.decisions import tables

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
                yield Row(title, f"{over}{colon}{name}{end}", section["directions"])


def by_tables() -> Mapping[Place, int]:
    """How many cases of the tables cover a place."""
    found: defaultdict[Place, int] = defaultdict(int)
    for case in tables.all_cases():
        for place in case.covers:
            found[place] += 1
    return found


def by_tests() -> Mapping[Place, list[str]]:
    """The tests that are marked with a place."""
    found: defaultdict[Place, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "mark.covers(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                name = f"{path.relative_to(ROOT).as_posix()}::{node.name}"
                for place in dict.fromkeys(_marks(node)):
                    found[place].append(name)
    return found


def _marks(function: ast.FunctionDef) -> Iterator[Place]:
    for decorator in function.decorator_list:
        for node in ast.walk(decorator):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("mark.covers"):
                row, direction = (ast.literal_eval(argument) for argument in node.args)
                yield row, direction


def awaited() -> list[Place]:
    """Places that nothing covers yet."""
    return [(row, direction) for direction, listed in tables.table("awaited").items() for row in listed or []]


def uncovered() -> list[Place]:
    covered = by_tables().keys() | by_tests().keys()
    return [place for row in rows() for place in row.places if place not in covered]


def unknown() -> list[Place]:
    """What tables and marks name that is no row."""
    known = {place for row in rows() for place in row.places}
    return sorted((by_tables().keys() | by_tests().keys() | set(awaited())) - known)


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
