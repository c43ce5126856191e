"""The machine of a run, and what it runs."""

import os
import platform
import sysconfig
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median

from cryptography.hazmat.backends.openssl.backend import backend
from pysqlite3 import dbapi2

_SYNCS = 50
_LIBRARIES = ("cryptography", "uvloop", "httptools", "orjson", "msgspec")


def describe(directory: Path) -> dict[str, str | int]:
    """What a reader has to know before comparing figures with those of another machine."""
    optimized = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    return {
        "processor": _line("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count() or 0,
        "memory": f"{int(_line('/proc/meminfo', 'MemTotal').split()[0]) / 2**20:.0f} GiB",
        "kernel": platform.release(),
        "load before": f"{os.getloadavg()[0]:.1f}",
        "Python": f"{platform.python_version()} {'with' if optimized else 'without'} --enable-optimizations",
        "disk sync": f"{sync_microseconds(directory)} µs",
        "OpenSSL": backend.openssl_version_text().split()[1],
        "SQLite": dbapi2.sqlite_version,
    } | {name: version(name) for name in _LIBRARIES}


def _line(path: str, name: str) -> str:
    """The first value of that name in a file of /proc; not every processor tells its model."""
    for line in Path(path).read_text().splitlines():
        found, _, value = line.partition(":")
        if found.strip() == name:
            return value.strip()
    return platform.machine()


def sync_microseconds(directory: Path) -> int:
    """What one synced write of 4 KiB costs in a directory: the median of 50."""
    costs = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(_SYNCS):
            begin = time.perf_counter()
            os.write(file.fileno(), bytes(4_096))
            os.fdatasync(file.fileno())
            costs.append(time.perf_counter() - begin)
    return round(median(costs) * 1e6)
