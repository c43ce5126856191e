"""The whole service in one process: signed requests go in, and every answer is held against botocore's model."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from sqlalchemy import select

from kms_server.audit.ledger import Ledger
from kms_server.config import Limits, Settings
from kms_server.keyring import access_keys
from kms_server.keys.states import KeyState
from kms_server.operations.call import Call
from kms_server.operations.lifecycle import Lifecycle
from kms_server.protocol.message import Request
from kms_server.quotas import subjects
from kms_server.server.pipeline import Stage, handle
from kms_server.server.worker_state import build
from kms_server.storage import (
    audit_tables,
    identities,
    inline_policies,
    keys,
    limits,
    schema,
    settings,
    tables,
    trail_tables,
)
from kms_server.storage.identities import Identity, Kind
from kms_server.storage.limits import SetLimit
from tests.databases import prepared
from tests.unit.operations import model_check

ACCOUNT, REGION, REPLICA_REGION = "000000000000", "us-east-1", "eu-west-1"
_HOST = "127.0.0.1:4599"
_OF_A_KEY = (tables.keys, tables.backing_keys, tables.aliases, tables.tags, tables.grants)


class Refusal(NamedTuple):
    """An error as a client sees it; without a text it is empty."""

    code: str
    text: str = ""


class Service:
    """A service with a database of its own; calls are the root user's unless `by` says whose."""

    def __init__(
        self,
        directory: Path,
        bounds: Limits | None = None,
        url: str | None = None,
        profile: str = "unlimited",
    ) -> None:
        configured = Settings(directory, quota_profile=profile, database_url=url, limits=bounds or Limits())
        self._root = prepared(configured)
        self._worker = build(configured)
        self.database = self._worker.state.database
        self.allow_faults()

    def allow_faults(self, value: str = "1") -> None:
        """Let faults be injected, as the first start of a server decides it."""
        with self.database.write() as tx:
            settings.put(tx, settings.FAULT_INJECTION, value)

    def ok(
        self, operation: str, /, *, region: str = REGION, by: Credentials | None = None, **members: Any
    ) -> dict[str, Any]:
        """The answer of a call that succeeds, blobs as bytes; an empty body is an empty answer."""
        answer = self.call(operation, region=region, by=by, **members)
        assert not isinstance(answer, Refusal), (operation, answer)
        return answer

    def refused(
        self, operation: str, /, *, region: str = REGION, by: Credentials | None = None, **members: Any
    ) -> Refusal:
        """The error of a call that fails."""
        answer = self.call(operation, region=region, by=by, **members)
        assert isinstance(answer, Refusal), (operation, answer)
        return answer

    def unchanged(self, operation: str, /, **members: Any) -> Refusal:
        """The error of a call that fails and leaves its key as it was."""
        key_id = members["KeyId"].rpartition("/")[2]
        before = self.rows(key_id)
        refusal = self.refused(operation, **members)
        assert self.rows(key_id) == before
        return refusal

    def call(
        self, operation: str, /, *, region: str = REGION, by: Credentials | None = None,
        change: Callable[[Call], None] | None = None, **members: Any,
    ) -> dict[str, Any] | Refusal:  # fmt: skip
        """Whatever a call answers; members that are bytes go as blobs, and `change` may alter the authenticated call."""
        body = json.dumps(members, default=lambda value: base64.b64encode(value).decode()).encode()
        headers = {"Host": _HOST, "Content-Type": "application/x-amz-json-1.1",
                   "X-Amz-Target": f"TrentService.{operation}"}  # fmt: skip
        signed = AWSRequest("POST", f"http://{_HOST}/", data=body, headers=headers)
        SigV4Auth(by or self._root, "kms", region).add_auth(signed)
        lower = {name.lower(): str(value) for name, value in signed.headers.items()}
        request = Request("POST", "/", lower, body, "127.0.0.1")
        outcome = handle(self._stages(change), request)
        if outcome.ticket is not None:
            assert outcome.ticket.wait(30)
        response = outcome.response
        answer: Any = json.loads(response.body) if response.body else None
        if response.status == 200:
            assert model_check.of_answer(operation, answer) == []
            shape = model_check.MODEL.operation_model(operation).output_shape
            decoded: dict[str, Any] = model_check.decoded(shape, answer)
            return decoded
        assert model_check.of_error(operation, response.status, answer) == [], (members, answer)
        return Refusal(answer["__type"], answer.get("message", ""))

    def _stages(self, change: Callable[[Call], None] | None) -> tuple[Stage, ...]:
        stages = self._worker.pipeline.stages
        if change is None:
            return stages

        def changed(call: Call) -> Call:
            change(call)
            return call

        return (stages[0], changed, *stages[1:])

    def limit(self, quota: str, value: float, *, account: str = ACCOUNT, region: str = REGION) -> None:
        """Set the value of a quota."""
        with self.database.write() as tx:
            limits.put(tx, SetLimit(subjects.of_quota(account, region, quota), value, None))

    def key(self, **members: Any) -> dict[str, Any]:
        """The metadata of a new key."""
        metadata: dict[str, Any] = self.ok("CreateKey", **members)["KeyMetadata"]
        return metadata

    def state_of(self, key_id: str, region: str = REGION) -> str:
        """The state that DescribeKey shows."""
        state: str = self.ok("DescribeKey", region=region, KeyId=key_id)["KeyMetadata"]["KeyState"]
        return state

    def set_state(self, key_id: str, state: KeyState) -> None:
        """Put a key into a state that nothing here leads to."""
        with self.database.write() as tx:
            key = keys.get(tx.connection, key_id, REGION)
            assert key is not None
            keys.change(tx, key, state=state)

    def rows(self, key_id: str) -> dict[str, list[tuple[Any, ...]]]:
        """All that is stored of a key, its material, aliases, tags and grants, in all Regions."""
        with self.database.read() as connection:
            return {
                table.name: sorted(
                    map(tuple, connection.execute(select(table).where(table.c.key_id == key_id))), key=repr
                )
                for table in _OF_A_KEY
            }

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """All that clients store."""
        own = (
            audit_tables.audit_events, audit_tables.audit_data_events, tables.settings, tables.changes,
            trail_tables.audit_checkpoints, trail_tables.signing_keys,
        )  # fmt: skip
        stored = [table for table in schema.metadata.sorted_tables if table not in own]
        with self.database.read() as connection:
            return {
                table.name: sorted(map(tuple, connection.execute(select(table))), key=repr)
                for table in stored
            }

    def advance(self, seconds: float) -> None:
        """Move the clock forward and do what falls due."""
        offset = self._worker.state.clock.offset + seconds
        with self.database.write() as tx:
            settings.put(tx, settings.CLOCK_OFFSET, repr(offset))
        self._worker.state.clock.advance_to(offset)
        state = self._worker.state
        Lifecycle(state.database, state.root_key, state.clock, Ledger(state.chain_key)).run_due()

    def user(
        self, name: str, *actions: str, deny: tuple[str, ...] = (), account: str = ACCOUNT
    ) -> tuple[str, Credentials]:
        """The ARN and credentials of a new user who may do `actions` on everything, but for those denied."""
        statements = [
            {"Effect": effect, "Action": named, "Resource": "*"}
            for effect, named in (("Allow", actions), ("Deny", (*deny, "none:*")))
            if named
        ]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        with self.database.write() as tx:
            user = Identity(identities.new_unique_id(Kind.USER), account, Kind.USER, name, "/", 0.0)
            identities.add(tx, user)
            inline_policies.put(tx, user, "p", document)
            key, secret = access_keys.create(tx, self._worker.state.root_key, account, user, 0.0)
        return user.arn, Credentials(key.access_key_id, secret)

    def account(self, account: str) -> Credentials:
        """The root user of an account."""
        with self.database.write() as tx:
            key, secret = access_keys.create(tx, self._worker.state.root_key, account, None, 0.0)
        return Credentials(key.access_key_id, secret)

    def close(self) -> None:
        """Stop the service."""
        self._worker.close()
