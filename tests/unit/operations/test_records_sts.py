"""What the records of STS and IAM say (AWS "Logging IAM and AWS STS API calls with AWS CloudTrail")."""

import re
from typing import Any

import pytest

from kms_server.operations.recording import DATES
from kms_server.operations.registry import OPERATIONS, find
from kms_server.schemas.fields import ListOf, Structure, Timestamp
from tests.unit.operations import query_service as query
from tests.unit.operations.record_calls import Record, ask, body_of, violations
from tests.unit.operations.service import ACCOUNT, Service

ROOT = f"arn:aws:iam::{ACCOUNT}:root"
_DATE = r"[A-Z][a-z]{2} [1-9][0-9]?, 20[0-9]{2}, (1[0-2]|[1-9]):[0-5][0-9]:[0-5][0-9] [AP]M"


def called(service: Service, name: str, **members: Any) -> Record:
    """The record of a call of STS that succeeds."""
    operation = find("sts", name)
    record = ask(
        service,
        operation,
        body_of(operation, members),
        by=query.user(service, f"of-{name}", query.allow("*"))[1],
    ).record
    assert violations(record) == []
    assert "errorCode" not in record
    return record


@pytest.mark.parametrize(
    ("name", "members"), [("GetSessionToken", {}), ("GetFederationToken", {"Name": "fed"})]
)
def test_tokens_of_the_caller(service: Service, name: str, members: dict[str, Any]) -> None:
    record = called(service, name, **members)
    assert record["readOnly"] is False
    issued = record["responseElements"]["credentials"]
    assert issued.keys() == {"accessKeyId", "expiration"}
    assert re.fullmatch(_DATE, issued["expiration"])


def test_a_role_is_assumed(service: Service) -> None:
    made = query.role(service, "assumed", query.trusting({"AWS": ROOT}))
    record = called(service, "AssumeRole", RoleArn=made.arn, RoleSessionName="s-1")
    assert record["readOnly"] is True
    assert record["requestParameters"] == {"roleArn": made.arn, "roleSessionName": "s-1"}
    assert record["responseElements"].keys() == {"credentials", "assumedRoleUser"}
    assert record["responseElements"]["credentials"].keys() == {"accessKeyId", "expiration"}
    assert record["resources"] == [{"accountId": ACCOUNT, "type": "AWS::IAM::Role", "ARN": made.arn}]


def test_a_policy_is_logged_as_it_was_sent(service: Service) -> None:
    operation = find("iam", "CreatePolicy")
    document = query.document(query.allow("kms:ListKeys"))
    members = {"PolicyName": "p", "PolicyDocument": document, "Tags": [{"Key": "a", "Value": "b"}]}
    record = ask(service, operation, body_of(operation, members)).record
    assert record["requestParameters"] == {
        "policyName": "p", "policyDocument": document, "tags": [{"key": "a", "value": "b"}],
    }  # fmt: skip
    assert re.fullmatch(_DATE, record["responseElements"]["policy"]["createDate"])


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.service}-{one.name}")
def test_every_date_in_a_record_is_text(operation: Any) -> None:
    shown = [(operation.request, operation.logged), (operation.response, operation.answers)]
    for schema, names in shown:
        fields = schema().fields if schema else {}
        assert set(dates({name: fields[name] for name in names})) <= DATES


def dates(fields: dict[str, Any]) -> list[str]:
    """The names of all times in members, and in those below them."""
    found = []
    for name, member in fields.items():
        inner = member.inner if isinstance(member, ListOf) else member
        if isinstance(inner, Timestamp):
            found.append(name)
        elif isinstance(inner, Structure):
            found += dates(inner.schema_class().fields)
    return found
