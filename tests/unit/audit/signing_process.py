"""Another process that asks for the current signing key: `python -m tests.unit.audit.signing_process <directory> <url> <now>`.

It says that it is ready, waits for a line, and tells the key's fingerprint.
"""

import os
import sys

from kms_server.audit.chain import ChainKey
from kms_server.audit.signing import SigningKeys
from tests.databases import Place
from tests.root_keys import root_of

SECRET = bytes(range(32))


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def main(where: list[str], now: float) -> None:
    """Ask once."""
    database = Place.of(where).open()
    keys = SigningKeys(database, root_of(SECRET), ChainKey(SECRET))
    say("ready")
    sys.stdin.readline()
    say(keys.current(now).public.fingerprint)
    database.close()


if __name__ == "__main__":
    main(sys.argv[1:3], float(sys.argv[3]))
