"""A token of SoftHSM for tests: a real PKCS#11 library, where one is installed."""

import os
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

_PLACES = (
    "/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so", "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)  # fmt: skip
PIN = "a user's PIN"
_CONF = "SOFTHSM2_CONF"


@dataclass(frozen=True)
class Token:
    """A token of its own; `conf` is what SOFTHSM2_CONF must name."""

    module: str
    conf: Path
    pin: Path

    def uri(self, name: str, *, pin: Path | None = None, token: str = "test") -> str:
        """What --root-key names a key of this token by."""
        return f"pkcs11:token={token};object={name}?module-path={self.module}&pin-source={pin or self.pin}"


def make_token(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Token:
    """A new token, which this process and its children use; without SoftHSM the test is skipped."""
    module = os.environ.get("SOFTHSM2_MODULE") or next(filter(os.path.exists, _PLACES), None)
    program = shutil.which("softhsm2-util")
    if module is None or program is None:
        pytest.skip(
            "SoftHSM is not installed: `apt install softhsm2`, or name its library by SOFTHSM2_MODULE"
        )
    (directory / "tokens").mkdir()
    conf = directory / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {directory}/tokens\nlog.level = ERROR\n")
    monkeypatch.setenv(_CONF, str(conf))
    command = [program, "--init-token", "--free", "--label", "test", "--so-pin", "so-pin", "--pin", PIN]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with suppress(ImportError):
        # What is initialised keeps to the tokens of an earlier test.
        import_module("kms_server.root_keys.pkcs11_libraries").LIBRARIES.finalise()
    pin = directory / "pin"
    pin.touch(mode=0o600)
    pin.write_text(f"{PIN}\n")
    return Token(module, conf, pin)
