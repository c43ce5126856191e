"""Redis SET with `appendfsync always`: the least that a store can do which has every write on disk before its answer."""

from contextlib import ExitStack

from bench.audit_rows import rows
from bench.servers import free_port, running_program
from bench.setup import Setup
from bench.targets import OPERATIONS, Target
from tests.redis_server import program

_VALUES = 64


def redis_set(stack: ExitStack, setup: Setup) -> Target:
    """A Redis server on the same disk as our data; its values are as large as our audit records."""
    port = free_port()
    data_dir = setup.directory / "redis"
    data_dir.mkdir(mode=0o700)
    options = (
        "--bind", "127.0.0.1", "--port", str(port), "--dir", str(data_dir), "--save", "",
        "--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0",
    )  # fmt: skip
    with setup.on_servers():
        server = stack.enter_context(running_program(str(program()), *options, port=port, scheme="redis"))
    records = [row.record for row in rows(_VALUES)]
    return Target(server, "", "", dict.fromkeys(OPERATIONS, records), checks=False)
