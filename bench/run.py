"""`make bench`: our server beside the bare loop and moto, in one run on one machine, as one table.

The servers run on one core and the load on another, where there are two. Limits are high but checked: the default
profile allows 100,000 cryptographic operations per second in us-east-1. The data lies on the disk of `--directory`,
since every answer waits for its audit record to be synced.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from bench.servers import cores, free_port, running
from bench.targets import Target, bodies, credentials, median_run

OPERATIONS = ("Encrypt", "Decrypt", "GenerateDataKey")
RESULTS = Path(__file__).parent / "results"
_COLUMNS = f"{'operation':15} {'conns':>5} {'server':10} {'req/s':>8} {'p50 ms':>8} {'p99 ms':>8} {'CPU µs':>7} {'of bare':>8} {'of moto':>8}"


def targets(stack: ExitStack, directory: Path, workers: int) -> dict[str, Target]:
    """The three servers, ready for load."""
    data_dir, port = directory / "data", free_port()
    serve = ("serve", "--port", "0", "--workers", str(workers), "--data-dir", str(data_dir))
    ours = stack.enter_context(running("kms_server.cli.main", *serve))
    bare = stack.enter_context(running("bench.bare_loop"))
    moto = stack.enter_context(running("moto.server", "-H", "127.0.0.1", "-p", str(port), port=port))
    access = credentials(data_dir)
    prepared = bodies(ours.url, *access)
    return {
        "kms-server": Target(ours, *access, prepared, checks=True),
        "bare loop": Target(bare, *access, prepared, checks=False),
        "moto": Target(moto, *access, bodies(moto.url, *access), checks=False),
    }


def measurements(arguments: argparse.Namespace, servers: dict[str, Target]) -> Iterator[list[dict[str, Any]]]:
    """For each operation and number of connections a row of each server: the run of median rate.

    The servers take turns, so that a slow spell of the machine does not fall on one of them.
    """
    for operation in OPERATIONS:
        for connections in arguments.connections:
            runs: dict[str, list[dict[str, Any]]] = {name: [] for name in servers}
            for _ in range(arguments.repeats):
                for name, target in servers.items():
                    runs[name].append(target.load(operation, connections, arguments.seconds))
            rows = [
                {"operation": operation, "connections": connections, "server": name} | median_run(runs[name])
                for name in servers
            ]
            rates = {row["server"]: row["rate"] for row in rows}
            for row in rows:
                row["of_bare"] = row["rate"] / rates["bare loop"]
                row["of_moto"] = row["rate"] / rates["moto"]
            yield rows


def line(row: dict[str, Any]) -> str:
    """One line of the table."""
    of_bare = f"1/{1 / row['of_bare']:.1f}"
    return (
        f"{row['operation']:15} {row['connections']:5} {row['server']:10} {row['rate']:8.0f} {row['p50_ms']:8.2f} "
        f"{row['p99_ms']:8.2f} {row['server_cpu_us']:7.1f} {of_bare:>8} {row['of_moto']:7.1f}x"
    )


def sync_microseconds(directory: Path) -> int:
    """What one synced write of 4 KiB costs in a directory: the median of 50."""
    costs = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(50):
            begin = time.perf_counter()
            os.write(file.fileno(), bytes(4_096))
            os.fdatasync(file.fileno())
            costs.append(time.perf_counter() - begin)
    return round(median(costs) * 1e6)


def main() -> None:
    """Measure, print the table, keep the results as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16, 64, 256])
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="measured time per run, after a third of warm-up"
    )
    parser.add_argument("--repeats", type=int, default=3, help="runs, of which the median counts")
    parser.add_argument(
        "--workers", type=int, default=1, help="workers of kms-server, all on the servers' core"
    )
    parser.add_argument("--directory", type=Path, default=RESULTS, help="where the server keeps its data")
    arguments = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    of_servers, of_load = cores()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=arguments.directory)))
        machine = {
            "python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count(),
            "workers": arguments.workers, "sync_us": sync_microseconds(directory),
        }  # fmt: skip
        print(", ".join(f"{name} {value}" for name, value in machine.items()))
        os.sched_setaffinity(0, of_servers)
        servers = targets(stack, directory, arguments.workers)
        os.sched_setaffinity(0, of_load)
        print(_COLUMNS, flush=True)
        rows = []
        for measured in measurements(arguments, servers):
            print("\n".join(line(row) for row in measured), flush=True)
            rows += measured
    (RESULTS / "latest.json").write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
