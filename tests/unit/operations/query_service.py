"""Calls of IAM and STS to the service in this process, and identities for them that IAM's own API would make.

Every answer is held against botocore's model.
"""

import json
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from kms_server.audit.group_commit import wait
from kms_server.audit.lookup import lookup
from kms_server.audit.pages import Query
from kms_server.keyring import access_keys
from kms_server.protocol.message import Request
from kms_server.server.audit_trail import audit_sources
from kms_server.server.pipeline import handle
from kms_server.storage import identities, identity_tags, inline_policies
from kms_server.storage.identities import Identity, Kind
from tests.query_wire import FORM, form, read
from tests.unit.operations import xml_check
from tests.unit.operations.service import ACCOUNT, REGION, Refusal, Service

HOST = "127.0.0.1:4599"


def call(
    service: Service, aws: str, operation: str, /, *, by: Credentials | None = None, signed: bool = True,
    region: str = REGION, **members: Any,
) -> dict[str, Any] | Refusal:  # fmt: skip
    """Whatever a call answers, the root's unless `by` says whose."""
    body = form(aws, operation, members)
    request = AWSRequest("POST", f"http://{HOST}/", data=body, headers={"Host": HOST, "Content-Type": FORM})
    if signed:
        SigV4Auth(by or service._root, aws, region).add_auth(request)
    lower = {name.lower(): str(value) for name, value in request.headers.items()}
    outcome = handle(service._worker.pipeline.stages, Request("POST", "/", lower, body, "127.0.0.1"))
    if outcome.ticket is not None:
        wait(outcome.ticket, 5)
    response = outcome.response
    told = read(aws, operation, response.status, response.body)
    told.pop("ResponseMetadata")
    if "Error" in told:
        wrong = xml_check.of_error(aws, operation, response.status, told["Error"])
        assert not wrong, wrong
        return Refusal(told["Error"]["Code"], told["Error"].get("Message") or "")
    wrong = xml_check.of_answer(aws, operation, response.body)
    assert not wrong, wrong
    return told


def records(
    service: Service, account: str = ACCOUNT, region: str = REGION, event: str | None = None
) -> list[dict[str, Any]]:
    """The audit records of an account and Region, of one operation if `event` says which, the newest first."""
    attribute = None if event is None else ("event_name", event)
    query = Query(
        account=account, region=region, attribute=attribute, start=None, end=None, after=None, limit=50
    )
    return [json.loads(row.record) for row in lookup(audit_sources(service._worker.state), query)]


def ok(service: Service, aws: str, operation: str, /, **members: Any) -> dict[str, Any]:
    """The answer of a call that succeeds."""
    told = call(service, aws, operation, **members)
    assert not isinstance(told, Refusal), told
    return told


def refused(service: Service, aws: str, operation: str, /, **members: Any) -> Refusal:
    """The error of a call that fails."""
    told = call(service, aws, operation, **members)
    assert isinstance(told, Refusal), told
    return told


class Iam:
    """A client of IAM."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def ok(self, operation: str, /, **members: Any) -> dict[str, Any]:
        """The answer of a call that succeeds."""
        return ok(self._service, "iam", operation, **members)

    def refused(self, operation: str, /, **members: Any) -> Refusal:
        """The error of a call that fails."""
        return refused(self._service, "iam", operation, **members)

    def call(self, operation: str, /, **members: Any) -> dict[str, Any] | Refusal:
        """Whatever a call answers."""
        return call(self._service, "iam", operation, **members)

    def records(self, operation: str) -> list[dict[str, Any]]:
        """The audit records of an operation, the newest first."""
        return records(self._service, event=operation)


def credentials(told: dict[str, Any]) -> Credentials:
    """The temporary credentials of an answer."""
    given = told["Credentials"]
    return Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


def allow(*actions: str, effect: str = "Allow", **more: Any) -> dict[str, Any]:
    """A statement of an identity policy."""
    return {"Effect": effect, "Action": actions, "Resource": "*"} | more


def document(*statements: dict[str, Any]) -> str:
    """A policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def trusting(principal: Any, *actions: str, **more: Any) -> dict[str, Any]:
    """A statement of a trust policy."""
    return {"Effect": "Allow", "Principal": principal, "Action": actions or ("sts:AssumeRole",)} | more


def role(
    service: Service, name: str, *trust: dict[str, Any], policy: str | None = None, account: str = ACCOUNT,
    tags: dict[str, str] | None = None, seconds: int = 3_600,
) -> Identity:  # fmt: skip
    """A new role."""
    with service.database.write() as tx:
        identities.add_account(tx, account)
        made = Identity(
            identities.new_unique_id(Kind.ROLE), account, Kind.ROLE, name, "/", 0.0, trust_policy=document(*trust),
            max_session_seconds=seconds,
        )  # fmt: skip
        identities.add(tx, made)
        if policy is not None:
            inline_policies.put(tx, made, "p", policy)
        if tags:
            identity_tags.put(tx, identity_tags.Owner(account, made.unique_id, ignores_case=True), tags)
    return made


def user(
    service: Service, name: str, *statements: dict[str, Any], account: str = ACCOUNT
) -> tuple[Identity, Credentials]:
    """A new user and its access key."""
    with service.database.write() as tx:
        identities.add_account(tx, account)
        made = Identity(identities.new_unique_id(Kind.USER), account, Kind.USER, name, "/", 0.0)
        identities.add(tx, made)
        if statements:
            inline_policies.put(tx, made, "p", document(*statements))
        key, secret = access_keys.create(tx, service._worker.state.root_key, account, made, 0.0)
    return made, Credentials(key.access_key_id, secret)
