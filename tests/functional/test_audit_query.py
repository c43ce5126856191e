"""`kms-server audit query` and `audit stats` on a real log: each filter finds what a plain look at all records finds."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.functional.command_line import refused
from tests.functional.s3_client import new_bucket, read, refusal, s3_client, somebody
from tests.functional.s3_kinds import allow, new_key, under
from tests.functional.server_process import ServerProcess
from tests.functional.test_sts import temporary, user_and_role

Record = dict[str, Any]


@dataclass
class Story:
    """What happened, by names that the questions below use; and all its records."""

    server: ServerProcess
    names: dict[str, str]
    records: list[Record] = field(default_factory=list)

    def ask(self, *arguments: str) -> list[Record]:
        return self.server.audit_records(*(one.format(**self.names) for one in arguments))


@pytest.fixture(scope="module")
def story(server: ServerProcess) -> Story:
    kms, s3 = server.client("kms"), server.client("s3")
    used, gone = new_key(server), new_key(server)
    kms.create_alias(AliasName="alias/orders", TargetKeyId=used)
    kms.rotate_key_on_demand(KeyId=used)
    bucket, other = new_bucket(s3), new_bucket(s3)
    user, access = somebody(server, allow())
    theirs = s3_client(access)
    for name, place in (("2026/a b", bucket), ("2025/ü", bucket), ("2026/a b", other)):
        theirs.put_object(Bucket=place, Key=name, Body=b"x", **under(used))
        read(theirs, place, name)
    theirs.put_object(Bucket=bucket, Key="shared", Body=b"x", **under(used, bucket_key=True))
    refusal(access.client("kms").encrypt, KeyId=used, Plaintext=b"x")
    session, role = user_and_role(server, "mira", {"Effect": "Allow", "Action": "kms:*", "Resource": "*"})
    assumed = session.assume_role(RoleArn=role, RoleSessionName="shift")
    temporary(server.access, "kms", assumed).encrypt(
        KeyId=used, Plaintext=b"x", EncryptionContext={"tenant": "7"}
    )
    grant = kms.create_grant(KeyId=used, GranteePrincipal=user, Operations=["Encrypt"])["GrantId"]
    kms.revoke_grant(KeyId=used, GrantId=grant)
    blob = kms.encrypt(KeyId=used, Plaintext=b"x")["CiphertextBlob"]
    kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=gone)
    server.client("kms", region_name="eu-west-1").list_keys()
    server.account_client("kms", "111122223333").list_keys()
    kms.schedule_key_deletion(KeyId=gone, PendingWindowInDays=7)
    refusal(kms.encrypt, KeyId=gone, Plaintext=b"x")
    request = kms.list_keys()["ResponseMetadata"]["RequestId"]
    names = {
        "key": used, "key_id": used.rpartition("/")[2], "gone": gone, "bucket": bucket, "user": user,
        "name": user.rpartition("/")[2], "role": role, "session": assumed["AssumedRoleUser"]["Arn"], "grant": grant,
        "request": request, "access": access.access_key_id,
    }  # fmt: skip
    told = Story(server, names)
    told.records = told.ask()
    names["event"] = told.records[3]["eventID"]
    return told


def arns(record: Record) -> list[str]:
    return [one["ARN"] for one in record.get("resources", [])]


def about(record: Record) -> str:
    context = (record["requestParameters"] or {}).get("encryptionContext") or {}
    arn: str = context.get("aws:s3:arn", "")
    return arn


def by(record: Record) -> Record:
    identity: Record = record["userIdentity"]
    return identity


# Arguments, and what a record has that they ask for; both may use the names of the story.
FILTERS: list[tuple[str, Callable[[Record, dict[str, str]], bool]]] = [
    ("--key {key}", lambda one, names: names["key"] in arns(one)),
    ("--key {key_id}", lambda one, names: names["key"] in arns(one)),
    ("--key alias/orders", lambda one, names: names["key"] in arns(one)),
    ("--key arn:aws:kms:us-east-1:000000000000:alias/orders", lambda one, names: names["key"] in arns(one)),
    ("--key {gone} --region us-east-1", lambda one, names: names["gone"] in arns(one)),
    ("--key arn:aws:s3:::{bucket}", lambda one, names: f"arn:aws:s3:::{names['bucket']}" in arns(one)[:2]),
    ("--object s3://{bucket}/2025/ü", lambda one, names: about(one).endswith(f"{names['bucket']}/2025/ü")),
    (
        "--object s3://{bucket}/2026/*",
        lambda one, names: about(one).startswith(f"arn:aws:s3:::{names['bucket']}/2026/"),
    ),
    ("--object s3://{bucket}", lambda one, names: about(one) == f"arn:aws:s3:::{names['bucket']}"),
    ("--object arn:aws:s3:::{bucket}*", lambda one, names: f":{names['bucket']}" in about(one)),
    ("--principal {user}", lambda one, names: by(one).get("arn") == names["user"]),
    ("--principal {session}", lambda one, names: by(one).get("arn") == names["session"]),
    ("--principal {role}", lambda one, names: by(one).get("arn") == names["session"]),
    (
        "--principal arn:aws:sts::000000000000:assumed-role/mira-role/*",
        lambda one, names: by(one).get("arn") == names["session"],
    ),
    ("--user {name}", lambda one, names: by(one).get("userName") == names["name"]),
    ("--user shift", lambda one, names: by(one).get("arn") == names["session"]),
    ("--access-key {access}", lambda one, names: by(one).get("accessKeyId") == names["access"]),
    ("--event Decrypt --event Encrypt", lambda one, _: one["eventName"] in ("Decrypt", "Encrypt")),
    (
        "--event Decrypt --event Encrypt --key {key}",
        lambda one, names: one["eventName"] in ("Decrypt", "Encrypt") and names["key"] in arns(one),
    ),
    ("--event-source s3.amazonaws.com", lambda one, _: one["eventSource"] == "s3.amazonaws.com"),
    ("--error AccessDenied", lambda one, _: one.get("errorCode") == "AccessDenied"),
    ("--error AccessDeniedException", lambda one, _: one.get("errorCode") == "AccessDenied"),
    ("--error any", lambda one, _: "errorCode" in one),
    ("--error none", lambda one, _: "errorCode" not in one),
    ("--source-ip 127.0.0.1", lambda one, _: one["sourceIPAddress"] == "127.0.0.1"),
    ("--source-ip 127.0.0.0/8", lambda one, _: one["sourceIPAddress"] == "127.0.0.1"),
    ("--invoked-by fas.s3.amazonaws.com", lambda one, _: by(one).get("invokedBy") == "fas.s3.amazonaws.com"),
    ("--context tenant=7", lambda one, _: one["eventName"] == "Encrypt" and "tenant" in json.dumps(one)),
    ("--grant {grant}", lambda one, _: one["eventName"] in ("CreateGrant", "RevokeGrant")),
    ("--read-only", lambda one, _: one["readOnly"]),
    ("--write-only", lambda one, _: not one["readOnly"]),
    ("--service-events", lambda one, _: one["eventType"] == "AwsServiceEvent"),
    ("--pending-deletion", lambda one, _: one.get("errorCode") == "KMSInvalidStateException"),
    ("--event-id {event}", lambda one, names: one["eventID"] == names["event"]),
    ("--request-id {request}", lambda one, names: one.get("requestID") == names["request"]),
    ("--account 111122223333", lambda one, _: one["recipientAccountId"] == "111122223333"),
    ("--region eu-west-1", lambda one, _: one["awsRegion"] == "eu-west-1"),
    ("--category data", lambda one, _: one["eventCategory"] == "Data"),
    ("--category management", lambda one, _: one["eventCategory"] == "Management"),
]


@pytest.mark.soak(but=2, each="arguments")
@pytest.mark.parametrize(("arguments", "meets"), FILTERS, ids=range(len(FILTERS)))
def test_each_filter(story: Story, arguments: str, meets: Callable[[Record, dict[str, str]], bool]) -> None:
    expected = [one for one in story.records if meets(one, story.names)]
    assert 0 < len(expected) < len(story.records)
    assert story.ask(*arguments.split()) == expected
    assert story.ask(*arguments.split(), "--newest-first") == expected[::-1]
    assert story.ask(*arguments.split(), "--limit", "1") == expected[:1]


def test_times(story: Story) -> None:
    first, last = story.records[0]["eventTime"], story.records[-1]["eventTime"]
    assert story.ask("--since", first, "--until", last) == story.records
    assert story.ask("--since", "1h") == story.records
    assert story.ask("--until", "1h") == story.ask("--since", "2999-01-01") == []
    late = [one for one in story.records if one["eventTime"] >= last]
    assert story.ask("--since", last) == late


def test_the_table_marks_what_would_be_missed(story: Story) -> None:
    done = story.server.cli("audit", "query", "--key", story.names["gone"])
    marks = [line[0] for line in done.stdout.splitlines()[1:]]
    assert (marks.count("!"), marks[-1]) == (1, "!")
    assert done.stderr == "! the key is pending deletion\n"


def test_csv_and_json_lines_agree(story: Story) -> None:
    lines = csv.DictReader(io.StringIO(story.server.cli("audit", "query", "--format", "csv").stdout))
    found = [(one["eventID"], one["errorMessage"], one["keyPendingDeletion"]) for one in lines]
    assert found == [
        (
            one["eventID"],
            one.get("errorMessage", ""),
            "true" if one.get("errorCode") == "KMSInvalidStateException" else "false",
        )
        for one in story.records
    ]


COUNTED: list[tuple[str, Callable[[Record], list[str]]]] = [
    ("key", lambda one: [arn for arn in arns(one)[:2] if ":key/" in arn]),
    ("event", lambda one: [one["eventName"]]),
    ("error", lambda one: [one["errorCode"]] if "errorCode" in one else []),
    ("source-ip", lambda one: [one["sourceIPAddress"]]),
    ("account", lambda one: [one["recipientAccountId"]]),
    ("region", lambda one: [one["awsRegion"]]),
    ("service", lambda one: [one["eventSource"]]),
    ("object", lambda one: [about(one)] if about(one) else []),
    ("principal", lambda one: [by(one)["arn"]] if "arn" in by(one) else []),
]


@pytest.mark.parametrize(("by_", "values"), COUNTED, ids=[name for name, _ in COUNTED])
def test_counts(story: Story, by_: str, values: Callable[[Record], list[str]]) -> None:
    until = story.records[-1]["eventTime"]
    asked = ["--by", by_, "--format", "json", "--top", "100", "--until", until]
    told = json.loads(story.server.cli("audit", "stats", *asked).stdout)
    records = story.ask("--until", until)
    expected: dict[str, int] = {}
    for value in (value for one in records for value in values(one)):
        expected[value] = expected.get(value, 0) + 1
    counted = {line["value"]: line["calls"] for line in told["lines"]}
    assert told["records"] == len(records)
    assert {name: calls for name, calls in counted.items() if name in expected} == expected
    assert set(counted) - set(expected) <= {"(none)", "AWS Internal", "operator", "root"}
    assert all(sum(line["overTime"]) == line["calls"] for line in told["lines"])


def test_counts_have_the_filters_of_queries(story: Story) -> None:
    asked = ["--by", "event", "--format", "csv", "--object", f"s3://{story.names['bucket']}/*"]
    lines = list(csv.DictReader(io.StringIO(story.server.cli("audit", "stats", *asked).stdout)))
    counts = {one["event"]: int(one["calls"]) for one in lines}
    expected = story.ask("--object", f"s3://{story.names['bucket']}/*")
    assert sum(counts.values()) == len(expected) > 0
    assert set(counts) == {"GenerateDataKey", "Decrypt"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("query --since yesterday", ["'yesterday'", "2h"]),
        ("query --since 1h --until 2h", ["--since", "--until"]),
        ("query --key alias/none", ["alias/none", "--account"]),
        ("query --key nothing", ["nothing", "key id"]),
        ("query --principal mira", ["'mira'", "--user"]),
        ("query --source-ip s3.amazonaws.com", ["address", "--invoked-by"]),
        ("query --object file.txt", ["'file.txt'", "s3://"]),
        ("query --user \udcff", ["UTF-8"]),
        ("stats --since 2999-01-01", ["future"]),
        ("stats --by hour --since 1980-01-01", ["--by time"]),
    ],
    ids=range(10),
)
def test_what_cannot_be_asked(story: Story, arguments: str, words: list[str]) -> None:
    refused(story.server.cli("audit", *arguments.split(), check=False), *words)


def test_a_reader_that_leaves_is_no_failure(story: Story) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "kms_server.cli.main", "audit", "query", *story.server.where()]
    for style in ("jsonl", "csv", "table"):
        running = subprocess.Popen(
            [*command, "--format", style], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=root
        )
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        said = running.stderr.read().decode()
        running.stderr.close()
        running.wait()
        assert said in ("", "! the key is pending deletion\n")
