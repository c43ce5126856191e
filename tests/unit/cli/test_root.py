"""`kms-server root` without a server: what it shows and records, and that it goes on wherever it was killed."""

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kms_server.config import Settings
from kms_server.errors import OperatorError
from kms_server.root_keys.places import place_told
from kms_server.server.health import root_key_can_be_read_again
from kms_server.server.root_custody import open_root
from kms_server.server.root_holding import RootHolding
from kms_server.server.startup import check_state
from kms_server.server.state import open_state
from kms_server.storage import root_holders
from kms_server.storage.root_holders import RootHolder
from tests.databases import prepared
from tests.functional.command_line import Done, refused, run, serve
from tests.functional.root_commands import killed_rotation, status_of


class Scene:
    """What a first start makes, and commands on it."""

    def __init__(self, directory: Path) -> None:
        self.settings = Settings(directory / "data")
        self.path = self.settings.root_key_file
        prepared(self.settings)

    def root(self, *arguments: str, ends: int = 0) -> Done:
        done = run("root", *arguments, "--data-dir", str(self.settings.data_dir))
        assert done.returncode == ends, done.stderr
        return done

    def status(self) -> dict[str, Any]:
        return status_of("--data-dir", str(self.settings.data_dir))

    def states(self) -> list[str]:
        return [one["state"] for one in self.status()["versions"]]

    def events(self) -> list[str]:
        done = run("audit", "query", "--format", "jsonl", "--data-dir", str(self.settings.data_dir))
        return [
            name for line in done.stdout.splitlines() if "Root" in (name := json.loads(line)["eventName"])
        ]

    @contextmanager
    def holder(self, **changes: Any) -> Iterator[None]:
        """A process of this host that holds version 1 for as long as the block takes."""
        state = open_state(self.settings)
        alive = self.settings.state_dir / "holders" / "abc"
        alive.parent.mkdir(exist_ok=True)
        with alive.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with state.database.index() as connection:
                root_holders.tell(connection, RootHolder("abc", "here", 4711, frozenset({1}), 1, **changes))
            state.database.close()
            yield


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_version_takes_the_place_of_another(scene: Scene) -> None:
    before = scene.path.read_bytes()
    assert "version 2 of the root key is in use, and version 1 has retired" in scene.root("rotate").stdout
    assert scene.path.read_bytes().startswith(before)
    first, second = scene.status()["versions"]
    assert (first["state"], first["values"], second["state"], second["values"]) == (
        "retired",
        0,
        "current",
        3,
    )
    assert (second["kind"], second["place"]) == ("file", f"file:{scene.path}")
    assert "version 1 is destroyed" in scene.root("shred").stdout
    assert before not in scene.path.read_bytes()
    assert "no retired root key" in scene.root("shred").stdout
    assert scene.events() == ["RotateRootKey", "ActivateRootKey", "RetireRootKey", "ShredRootKey"]
    lines = scene.root("status").stdout.splitlines()
    assert [line.split()[:3] for line in lines[1:3]] == [["1", "retired", "file"], ["2", "current", "file"]]


def test_it_moves_and_is_found_where_it_is(scene: Scene, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.key"
    scene.root("migrate", "--to", f"file:{elsewhere}", "--shred")
    assert not scene.path.exists()
    assert scene.states() == ["retired", "current"]
    refused(
        scene.root("migrate", "--to", f"file:{elsewhere}", ends=2), "already: use `kms-server root rotate`"
    )
    scene.root("migrate", "--to", f"file:{scene.path}", "--shred")
    assert (scene.path.exists(), elsewhere.exists()) == (True, False)
    scene.path.write_bytes(scene.path.read_bytes().replace(b" 1 3 ", b" 1 2 "))
    refused(serve("--data-dir", str(scene.settings.data_dir)), "version 3 of the root key is not in")


def test_where_it_has_moved_is_looked_after(scene: Scene, tmp_path: Path) -> None:
    moved, hidden = tmp_path / "moved.key", tmp_path / "hidden"
    scene.root("migrate", "--to", f"file:{moved}")
    state = open_state(scene.settings)
    assert root_key_can_be_read_again(scene.settings, state.root_key) is None
    moved.rename(hidden)
    assert "put it back" in str(root_key_can_be_read_again(scene.settings, state.root_key))
    hidden.rename(moved)
    moved.chmod(0o644)
    with pytest.raises(OperatorError, match=f"version 2 .* not in .*{moved} .* others"):
        open_root(scene.settings, state.database)
    moved.chmod(0o600)
    scene.path.write_text("garbage")
    assert root_key_can_be_read_again(scene.settings, state.root_key) is None
    check_state(scene.settings, place_told(scene.settings))
    scene.root("rotate")
    state.database.close()
    secret = tmp_path / "passphrase"
    secret.touch(mode=0o600)
    secret.write_text("correct horse battery")
    protection = ["--with-root-key", "--passphrase-file", str(secret)]
    done = run("backup", str(tmp_path / "a.backup"), *protection, "--data-dir", str(scene.settings.data_dir))
    assert done.returncode == 0, done.stderr
    moved.rename(hidden)
    with pytest.raises(OperatorError, match="moved"):
        check_state(scene.settings, place_told(scene.settings))


def test_it_is_found_however_the_data_directory_is_called(scene: Scene, tmp_path: Path) -> None:
    home = scene.settings.data_dir
    scene.root("migrate", "--to", f"file:{home / 'second.key'}", "--shred")
    link, renamed = tmp_path / "link", tmp_path / "renamed"
    link.symlink_to(home)
    for called in (home / ".." / home.name, link):
        open_state(Settings(called)).database.close()
    home.rename(renamed)
    open_state(Settings(renamed)).database.close()
    (renamed / "root.moved").write_text(  # as it was noted before
        json.dumps({f"file:{renamed / 'root.key'}": f"file:{renamed / 'second.key'}"})
    )
    open_state(Settings(renamed)).database.close()


def test_it_waits_for_who_serves_and_can_be_given_up(scene: Scene) -> None:
    with scene.holder(problem="the disk is gone"):
        refused(
            scene.root("rotate", "--wait", "0s", ends=2),
            "process 4711 of here",
            "hold version 2",
            "disk is gone",
        )
        assert scene.states() == ["current", "announced"]
        assert "process 4711 of here does not hold version 2" in scene.status()["waitsFor"][0]
        scene.root("cancel")
        refused(scene.root("cancel", ends=2), "no change can be given up")
    assert scene.states() == ["current"]
    scene.root("rotate")  # the process is dead now
    assert scene.states() == ["retired", "current"]
    assert scene.status()["processes"] == []


def test_a_server_without_an_announced_version_does_not_start(scene: Scene, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.key"
    with scene.holder():
        scene.root("migrate", "--to", f"file:{elsewhere}", "--wait", "0s", ends=2)
        refused(
            scene.root("migrate", "--to", "file:/other", ends=2), f"a change to file:{elsewhere} is under way"
        )
    elsewhere.rename(tmp_path / "hidden")
    where = ["--data-dir", str(scene.settings.data_dir)]
    refused(serve(*where), "version 2 of the root key is not in", "kms-server root cancel")
    state = open_state(scene.settings)
    with RootHolding(state):  # a worker that takes another's place goes on, and says so
        assert "version 2" in scene.status()["processes"][0]["problem"]
        elsewhere.with_name("hidden").rename(elsewhere)
        while scene.status()["processes"][0]["holds"] != [1, 2]:
            time.sleep(0.05)
    state.database.close()


def test_a_forged_successor_is_not_taken_up(scene: Scene, tmp_path: Path) -> None:
    forged = tmp_path / "forged.key"
    with scene.holder():
        scene.root("migrate", "--to", f"file:{tmp_path / 'true.key'}", "--wait", "0s", ends=2)
    (tmp_path / "true.key").rename(forged)
    state = open_state(scene.settings)
    with state.database.write() as tx:
        tx.connection.exec_driver_sql(
            "UPDATE root_versions SET place = ? WHERE version = 2", (f"file:{forged}",)
        )
    state.database.close()
    assert "version 2 of the root key was announced by nobody" in scene.root("rotate", ends=2).stderr


def test_wherever_it_is_killed_nothing_is_lost_and_it_goes_on(scene: Scene) -> None:
    # Each run but the first gets one commit further.
    killed = 0
    while killed_rotation("--data-dir", str(scene.settings.data_dir), fatal=min(killed + 1, 2)):
        killed += 1
        open_state(scene.settings).database.close()
    assert killed == 6
    assert (scene.states(), scene.status()["waitsFor"]) == (["retired", "current"], [])
