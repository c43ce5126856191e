"""A restore that was declared is accepted, though a bucket has newer checkpoints; an older copy that was not, is not."""

import json

import pytest

from kms_server.audit.verification.findings import Severity
from kms_server.cli.audit_verify import Run
from kms_server.storage import trails as kept_trails
from tests.audit_delivery import HOUR, Bucket, Delivering
from tests.audit_log_copies import LogCopy, filled
from tests.backups import Vault


class Story:
    """A log and its backup; what was delivered afterwards; and the restored log."""

    def __init__(self, before: LogCopy, vault: Vault, restored: LogCopy, bucket: Bucket) -> None:
        self.before = before
        self.vault = vault
        self.restored = restored
        self.bucket = bucket


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Story:
    postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    directory = tmp_path_factory.mktemp("log")
    log = filled(directory, postgres)
    with log.opened() as state:
        Delivering.begin(state)
    before = log.copy()
    vault = Vault(directory)
    where = ["--data-dir", str(log.directory)]
    url = log.settings.database_url
    backup = vault.make("a.backup", "--with-root-key", *where, *(["--database-url", url] if url else []))
    with log.service() as service:
        service.ok("DisableKey", KeyId=service.key()["Arn"])
    with log.opened() as state:
        delivering = Delivering.resume(state)
        delivering.checkpoint()
        delivering.ends_at -= HOUR
        delivering.hour()
    restored = LogCopy.new(directory, postgres)
    there = ["--data-dir", str(restored.directory)]
    if restored.settings.database_url:
        there += ["--database-url", restored.settings.database_url]
    done = vault.restore(backup, *there)
    assert done.returncode == 0, done.stderr
    (restored.directory / "credentials.env").write_bytes((log.directory / "credentials.env").read_bytes())
    return Story(before, vault, restored, delivering.bucket)


def wrong(log: LogCopy, bucket: Bucket) -> list[str]:
    return [one.what for one in log.errors(lambda _: bucket)]


def grown(log: LogCopy) -> LogCopy:
    """A copy that a server has gone on with."""
    made = log.copy()
    with made.service() as service:
        service.ok("DisableKey", KeyId=service.key()["Arn"])
    return made


def test_a_declared_restore_is_accepted_and_told(story: Story) -> None:
    assert wrong(story.restored, story.bucket) == []
    with story.restored.opened() as state:
        with state.database.read() as connection:
            chosen = kept_trails.every(connection)
        found = list(Run(state, chosen, lambda _: story.bucket).findings(None, None, log=True))
    told = [one.what for one in found if one.severity is Severity.NOTICE]
    assert "is lost" in told[0]
    assert any("delivered before a restore" in one for one in told)


def test_a_server_that_goes_on_with_it(story: Story) -> None:
    log = grown(story.restored)
    assert wrong(log, story.bucket) == []


def test_an_older_copy_that_nobody_declared(story: Story) -> None:
    assert "it was rolled back" in "\n".join(wrong(story.before.copy(), story.bucket))


def test_an_older_copy_of_the_restored_server(story: Story) -> None:
    newer = grown(story.restored)
    bucket = Bucket(dict(story.bucket.files))
    with newer.opened() as state:
        delivering = Delivering.resume(state)
        delivering.bucket = bucket
        delivering.checkpoint()
    assert wrong(newer, bucket) == []
    found = "\n".join(wrong(story.restored.copy(), bucket))
    assert "it was rolled back" in found
    assert "the newest rows are missing" in found


def test_a_declaration_put_into_an_older_copy(story: Story) -> None:
    """It does not fit to what is older than the backup, and nobody without the root key changes it."""
    (kept,) = story.restored.main("SELECT value FROM settings WHERE name = 'restores'")
    older = story.before.copy()
    put = "INSERT INTO settings (name, value) VALUES ('restores', :value)"
    older.main(put, value=kept.value)
    assert "the restore of" in "\n".join(wrong(older, story.bucket))
    forged = story.before.copy()
    (one,) = json.loads(kept.value)
    body = json.dumps(json.loads(one["body"]) | {"heads": {}})
    forged.main(put, value=json.dumps([one | {"body": body}]))
    assert "it was rolled back" in "\n".join(wrong(forged, story.bucket))


def test_rows_of_before_the_backup_that_are_missing(story: Story) -> None:
    log = story.restored.copy()
    log.main("DELETE FROM audit_events WHERE writer = 'main' AND seq = 3")
    assert "rows are missing" in wrong(log, story.bucket)
