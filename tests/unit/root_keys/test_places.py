"""Which place a spec names: the same one from wherever a process is started."""

from pathlib import Path

import pytest

from kms_server.config import Settings
from kms_server.root_keys.places import place_of


@pytest.mark.parametrize("kind", ["file", "passphrase", "shares"])
def test_a_spec_means_the_same_wherever_a_process_starts(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place = place_of(f"{kind}:root.key", Settings(tmp_path))
    assert (place.spec, place.path) == (f"{kind}:{tmp_path / 'root.key'}", tmp_path / "root.key")


def test_a_file_that_is_a_link_keeps_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "root.key").symlink_to("of-today")
    assert place_of(f"file:{tmp_path / 'root.key'}", Settings(tmp_path)).path == tmp_path / "root.key"
