"""`make profile`: where a live worker spends its time under load, by py-spy: the functions with the most self time.

A sample counts for the function that holds Python's lock, C code that it calls included; what runs without the lock
(syncs, encryption of large texts, waiting) does not count. With --native C functions stand for themselves. The share is
of all samples, and `with callees` that of the samples in which the function is anywhere on the stack.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from bench.report import table
from bench.servers import cores
from bench.setup import Row, Setup
from bench.targets import OPERATIONS, ours

_TOP = 15
_SAMPLES = 250  # a second


def rows(stacks: Iterable[str]) -> list[Row]:
    """The functions in which most samples were taken, of stacks as py-spy writes them raw, outermost first."""
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        own[frames[-1]] += int(count)
        within.update(dict.fromkeys(frames, int(count)))
    everything = own.total()
    return [
        {
            "self %": count / everything * 100, "with callees %": within[name] / everything * 100,
            "samples": count, "function": name,
        }
        for name, count in own.most_common(_TOP)
    ]  # fmt: skip


def main() -> None:
    """Load a server, look into its worker, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--operation", choices=OPERATIONS, default="Encrypt")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--native", action="store_true", help="C functions for themselves")
    arguments = parser.parse_args()
    of_servers, of_load = cores()
    os.sched_setaffinity(0, of_load)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = ours(stack, Setup(directory, of_servers, of_load), module="bench.traced_server")
        (_, worker) = server.server.pids()
        output = directory / "stacks"
        profiler = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(worker), "--function",
                "--format", "raw", "--output", str(output), "--rate", str(_SAMPLES),
                "--gil", *(["--native"] if arguments.native else []),
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        run = server.load(arguments.operation, arguments.connections, arguments.seconds)
        profiler.send_signal(signal.SIGINT)
        _, said = profiler.communicate()
        if not output.exists():
            sys.exit(f"py-spy cannot look into the worker: {said}")
        found = rows(output.read_text().splitlines())
    title = f"{arguments.operation}, {arguments.connections} connections, {run.rate:,.0f} requests a second while it was looked into"
    print(table(title, found))


if __name__ == "__main__":
    main()
