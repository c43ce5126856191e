"""What is installed with the service may be given on under its license, by the packages' own metadata."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution, metadata
from pathlib import Path

import pytest

LOCK = (Path(__file__).parents[2] / "requirements.lock").read_text()
NAMES = re.findall(r"^([a-z0-9.-]+)==", LOCK, re.MULTILINE)
EXTRAS = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"][
    "optional-dependencies"
]
# SPDX ids. Of those that ask for something in return, MPL-2.0 and LGPL-3.0 ask for the package's own source alone.
ALLOWED = {
    "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "LGPL-3.0-only", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0", "Zlib",
}  # fmt: skip
# What metadata of the older form say.
SPDX = {
    "MIT License": "MIT", "BSD License": "BSD-3-Clause", "Apache Software License": "Apache-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0", "3-Clause BSD License": "BSD-3-Clause",
}  # fmt: skip
# Metadata that say nothing; the license is in the package's repository.
SILENT = {"pysqlite3": "Zlib"}


def licenses(name: str) -> set[str]:
    """The SPDX ids that a package's metadata give, all of them, whether it is under one or the other."""
    told = metadata(name)
    expression = " ".join(told.get_all("License-Expression") or [])
    if not expression:
        expression = " AND ".join(
            SPDX.get(one.rpartition(" :: ")[2], one) for one in told.get_all("Classifier") or [] if one.startswith("License ::")
        )  # fmt: skip
    text = " ".join(told.get_all("License") or [])
    expression = expression or SPDX.get(text, text) or SILENT.get(name, "")
    return {one for one in re.split(r"\s+(?:AND|OR|WITH)\s+|[()]", expression) if one}


def needed(requirements: Iterable[str]) -> Iterator[str]:
    """What is installed for some requirements, and for those of each, once or more often."""
    for one in requirements:
        if "extra ==" not in one and (found := re.match(r"[A-Za-z0-9._-]+", one)) is not None:
            yield found[0]
            try:
                yield from needed(distribution(found[0]).requires or ())
            except PackageNotFoundError:
                continue  # this platform or this Python does without it


OPTIONAL = sorted({*needed(one for extra in EXTRAS.values() for one in extra)} - {*NAMES})


@pytest.mark.parametrize("name", [*NAMES, *OPTIONAL])
def test_the_license_of_each_package_is_allowed(name: str) -> None:
    try:
        found = licenses(name)
    except PackageNotFoundError:
        pytest.skip("this platform does without it")
    assert found, "its metadata tell of no license"
    assert found <= ALLOWED


def test_all_packages_are_looked_at() -> None:
    assert {"opentelemetry-sdk", "protobuf", "python-pkcs11"} <= {*OPTIONAL}
    assert len(NAMES) == len([line for line in LOCK.splitlines() if line[:1] not in ("", " ", "#")]) > 30
