"""A database that has committed and cannot say so: outcomes are unknown, and nothing is there twice."""

import json
from collections import Counter

import psycopg
import pytest
from botocore.exceptions import ClientError

from tests.databases import new_url
from tests.functional.server_process import ServerProcess, StartServer
from tests.postgres_proxy import between
from tests.postgres_server import Postgres

# As often as `times` says, a transaction that makes a key is undone; a sequence goes on all the same.
_IN_THE_WAY = """
CREATE SEQUENCE tries;
CREATE FUNCTION stand_in_the_way() RETURNS trigger AS $$ BEGIN
  IF nextval('tries') <= %d THEN RAISE SQLSTATE '40P01'; END IF; RETURN NEW;
END $$ LANGUAGE plpgsql;
CREATE TRIGGER in_the_way BEFORE INSERT ON keys FOR EACH ROW EXECUTE FUNCTION stand_in_the_way()
"""


def recorded(server: ServerProcess) -> Counter[str]:
    """How many records each request has."""
    return Counter(record.get("requestID") or record["eventID"] for record in server.audit_records())


def test_what_was_committed_unheard_is_there_once(start_server: StartServer, postgres: Postgres) -> None:
    with between(new_url(postgres)) as proxy:
        server = start_server("--database-url", proxy.url, workers=1)
        kms = server.client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.encrypt(KeyId=key, Plaintext=b"x")
        # A mutation is not tried again: nobody knows whether it has happened.
        proxy.lose_answer(b"alias/unheard", b"COMMIT")
        with pytest.raises(ClientError) as failed:
            kms.create_alias(AliasName="alias/unheard", TargetKeyId=key)
        assert failed.value.response["Error"]["Code"] == "KMSInternalException"
        assert proxy.lost == 1
        assert [one["AliasName"] for one in kms.list_aliases(KeyId=key)["Aliases"]] == ["alias/unheard"]
        # The record of a call that changes nothing is stored, or found to be.
        proxy.lose_answer(b"Encrypt")
        answer = kms.encrypt(KeyId=key, Plaintext=b"x")
        assert proxy.lost == 2
        found = recorded(server)
        assert found[answer["ResponseMetadata"]["RequestId"]] == 1
        assert found[failed.value.response["ResponseMetadata"]["RequestId"]] == 1
        assert max(found.values()) == 1
        assert server.cli("audit", "verify").returncode == 0


def test_a_database_that_restarts_costs_no_call(start_server: StartServer, postgres: Postgres) -> None:
    url = new_url(postgres)
    server = start_server("--database-url", url)
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    for _ in range(8):
        kms.encrypt(KeyId=key, Plaintext=b"x")
    with psycopg.connect(url) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                           "WHERE datname = current_database() AND pid <> pg_backend_pid()")  # fmt: skip
    for number in range(8):
        kms.encrypt(KeyId=key, Plaintext=b"x")
        kms.create_alias(AliasName=f"alias/{number}", TargetKeyId=key)
        kms.describe_key(KeyId=key)


@pytest.mark.parametrize("times", [2, 3])
def test_what_a_deadlock_has_undone_is_done_again(
    start_server: StartServer, postgres: Postgres, times: int
) -> None:
    url = new_url(postgres)
    server = start_server("--database-url", url, workers=1)
    with psycopg.connect(url) as connection:
        connection.execute((_IN_THE_WAY % times).encode())
    kms = server.client("kms")
    if times == 3:
        with pytest.raises(ClientError, match="KMSInternalException"):
            kms.create_key()
        assert kms.list_keys()["Keys"] == []
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    assert [one["KeyId"] for one in kms.list_keys()["Keys"]] == [key]
    record = server.audit_records("--event", "CreateKey")[-1]
    assert json.dumps(record["resources"]).count("arn:aws:kms") == 1
    assert record["resources"][0]["ARN"].endswith(key)
