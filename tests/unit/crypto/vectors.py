"""Known answers of `cryptography_vectors` (NIST, RFC, PKCS#1), as records."""

from collections.abc import Iterator

import cryptography_vectors


class Record(dict[str, str]):
    """The values of one case, and those that hold for its whole section."""

    def raw(self, name: str) -> bytes:
        return bytes.fromhex(self[name])

    def number(self, name: str) -> int:
        return int(self[name], 16)


def lines(path: str) -> Iterator[str]:
    with cryptography_vectors.open_vector_file(path, "r") as file:
        for line in file:
            yield line.strip()


def records(path: str, *last: str) -> Iterator[Record]:
    """The cases of a file of `name = value` lines; each ends with a line that has one of the names in `last`.

    The headings in brackets directly above are the value of "". Values hold until the next of their name, those in
    `last` once.
    """
    found = Record()
    headings: list[str] = []
    for line in lines(path):
        if line.startswith("["):
            headings.append(line[1:-1])
            found[""] = " ".join(headings)
        elif line and not line.startswith("#"):
            headings = []
            name, _, value = line.partition("=")
            found[name.strip()] = value.strip()
            if name.strip() in last:
                yield found
                found = Record({name: value for name, value in found.items() if name not in last})


def titled(path: str) -> Iterator[tuple[str, bytes]]:
    """The values of a file that has each below a comment which is its title and ends in a colon."""
    title, digits = "", ""
    for line in [*lines(path), "#"]:
        if line.startswith("#"):
            if digits:
                yield title, bytes.fromhex(digits.zfill(len(digits) + len(digits) % 2))
            title, digits = line.strip("# :") if line.endswith(":") else "", ""
        elif title:
            digits += line.replace(" ", "")
