"""`make bench`: everything that is measured, in one run on one machine, as tables of medians with their spread.

The servers, references among them, share one core, and what loads them has the other. They take turns, so that a slow
spell of the machine does not fall on one of them; ratios are medians of the ratios of each turn. The data lies on the
disk of --directory, since every answer waits for its audit record to be synced. Everything found is kept as
bench/results/latest.json after each section, and as charts in bench/results/latest.svg at the end.

Two cores of a machine that does nothing else are needed for figures that mean something; the table marks figures that
the load generator set, rather than the server.
"""

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.charts import drawn
from bench.machine import describe
from bench.report import table
from bench.sections import SECTIONS, Section
from bench.servers import cores
from bench.setup import RESULTS, Setup

_DEFAULT = Setup(Path(), frozenset(), frozenset())


def chosen(names: str | None) -> list[Section]:
    """The sections that `--only` names; all of them without it.

    Raises:
        ArgumentTypeError: there is none of that name.
    """
    known = {section.name: section for section in SECTIONS}
    if names is None:
        return list(SECTIONS)
    unknown = [name for name in names.split(",") if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no section {unknown[0]}: they are {', '.join(known)}")
    return [known[name] for name in names.split(",")]


def arguments() -> argparse.Namespace:
    """What the command line says."""
    sections = "\n".join(
        f"  {section.name:12} {section.module.TITLE} (about {section.minutes:g} min)" for section in SECTIONS
    )
    parser = argparse.ArgumentParser(
        prog="make bench", usage='make bench [ARGS="--only SECTION,... --seconds S ..."]', description=__doc__,
        epilog=f"sections:\n{sections}", formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--only", type=chosen, default=list(SECTIONS), metavar="SECTION,...", help="which sections; all of them by default")  # fmt: skip
    parser.add_argument("--seconds", type=float, default=_DEFAULT.seconds, help="of one measurement, after a third as much of warm-up; %(default)g by default")  # fmt: skip
    parser.add_argument("--repeats", type=int, default=_DEFAULT.repeats, help="of each measurement; %(default)d by default")  # fmt: skip
    parser.add_argument("--connections", type=int, nargs="+", default=list(_DEFAULT.connections), help="of the closed loop; %(default)s by default")  # fmt: skip
    parser.add_argument("--directory", type=Path, default=RESULTS, help="on the disk to measure; bench/results by default")  # fmt: skip
    return parser.parse_args()


def announced(sections: Sequence[Section], scale: float) -> Iterator[Section]:
    """The sections one after the other; says on standard error which one it is and about how long is left."""
    begin, expected = time.monotonic(), 0.0
    for number, section in enumerate(sections, 1):
        if expected:
            scale = (time.monotonic() - begin) / 60 / expected
        left = sum(one.minutes for one in sections[number - 1 :]) * scale
        print(
            f"[{number}/{len(sections)}] {section.name}, about {math.ceil(left)} min left",
            file=sys.stderr,
            flush=True,
        )
        yield section
        expected += section.minutes


def main() -> None:
    """Measure, print the tables, keep what was found."""
    wanted = arguments()
    RESULTS.mkdir(exist_ok=True)
    of_servers, of_load = cores()
    with tempfile.TemporaryDirectory(prefix="run-", dir=wanted.directory) as directory:
        # PostgreSQL runs as another user when root measures, and must find its own directory below.
        Path(directory).chmod(0o711)
        setup = Setup(
            Path(directory), of_servers, of_load, wanted.seconds, wanted.repeats, tuple(wanted.connections)
        )
        machine = describe(setup.directory)
        print(", ".join(f"{name} {value}" for name, value in machine.items()), flush=True)
        os.sched_setaffinity(0, setup.of_load)
        found: dict[str, Any] = {"machine": machine, "sections": {}}
        scale = setup.seconds * setup.repeats / _DEFAULT.seconds / _DEFAULT.repeats
        for section in announced(wanted.only, scale):
            place = setup.directory / section.name
            place.mkdir(mode=0o711)
            rows = list(section.module.measure(replace(setup, directory=place)))
            print(table(section.module.TITLE, rows), flush=True)
            found["sections"][section.name] = rows
            (RESULTS / "latest.json").write_text(json.dumps(found, indent=1) + "\n")
    picture = drawn(found["sections"])
    if picture is not None:
        (RESULTS / "latest.svg").write_text(picture)


if __name__ == "__main__":
    main()
