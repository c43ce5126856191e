"""Options from the environment, on commands other than `serve`."""

import json

import pytest

from tests.functional.command_line import run
from tests.functional.server_process import StartServer


@pytest.mark.embedded("variables that name no database")
def test_options_from_the_environment(start_server: StartServer) -> None:
    server = start_server()
    kms = server.client("kms")
    for _ in range(2):
        kms.create_key()
    where = {"KMS_SERVER_DATA_DIR": str(server.data_dir)}
    records = run(
        "audit", "query", KMS_SERVER_LIMIT="1", KMS_SERVER_FORMAT="jsonl", **where
    ).stdout.splitlines()
    assert [json.loads(record)["eventName"] for record in records] == ["CreateKey"]
    assert len(run("audit", "query", KMS_SERVER_EVENT="CreateKey", **where).stdout.splitlines()) == 3

    assert (
        "profile aws in eu-west-1"
        in run("quota", "list", KMS_SERVER_QUOTA_PROFILE="aws", KMS_SERVER_REGION="eu-west-1", **where).stdout
    )
    assert "profile aws in" in run("quota", "list", "--quota-profile", "aws", **where).stdout
    assert run("quota", "list", KMS_SERVER_QUOTA_PROFILE="none", **where).returncode == 2

    made = run("identity", "create-key", KMS_SERVER_ROOT="1", KMS_SERVER_ACCOUNT="111122223333", **where)
    assert made.returncode == 0, made.stderr
    assert "arn:aws:iam::111122223333:root" in run("identity", "list", **where).stdout
