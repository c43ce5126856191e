"""Secrets in every form in which text or bytes could hold them, and where they are looked for."""

import base64
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path


def forms(secret: bytes) -> Iterator[bytes]:
    """A secret as it is, in hexadecimal, as Python shows it, and in base64 wherever in longer data it stands."""
    yield from (secret, secret.hex().encode(), secret.hex().upper().encode(), repr(secret)[2:-1].encode())
    for before in range(3):
        # Only characters that no neighbouring byte has a part in.
        whole = base64.b64encode(bytes(before) + secret)[
            -(-before * 4 // 3) : (before + len(secret)) * 4 // 3
        ]
        yield whole
        yield whole.translate(bytes.maketrans(b"+/", b"-_"))


class Planted:
    """Secrets by name, which must be nowhere."""

    def __init__(self, secrets: dict[str, bytes]) -> None:
        assert all(len(secret) >= 16 for secret in secrets.values()), "chance could bring shorter ones"
        self._forms = [(name, form) for name, secret in secrets.items() for form in set(forms(secret))]

    def found_in(self, content: bytes) -> list[str]:
        """The names of the secrets that are in a content."""
        return sorted({name for name, form in self._forms if form in content})


def processes(pids: Iterable[int]) -> Iterator[tuple[str, bytes]]:
    """What every process of the user may read of these."""
    for pid in pids:
        for name in ("cmdline", "environ", "comm"):
            yield f"/proc/{pid}/{name}", Path(f"/proc/{pid}/{name}").read_bytes()


def files(*directories: Path, but: Iterable[str] = ()) -> Iterator[tuple[str, bytes]]:
    """All files below directories, but for some names."""
    skipped = frozenset(but)
    for path in chain.from_iterable(directory.rglob("*") for directory in directories):
        if path.is_file() and path.name not in skipped:
            yield str(path), path.read_bytes()
