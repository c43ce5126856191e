"""Calls of CloudTrail to the service in this process; every answer is held against botocore's model."""

import json
from dataclasses import replace
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.loaders import Loader
from botocore.model import ServiceModel

from kms_server.audit.group_commit import wait
from kms_server.operations.call import any_bucket
from kms_server.protocol.message import Request
from kms_server.server.pipeline import handle
from kms_server.storage import trails
from kms_server.storage.trails import Trail
from tests.unit.operations import model_check
from tests.unit.operations.query_service import HOST, records
from tests.unit.operations.service import ACCOUNT, REGION, Refusal, Service

MODEL = ServiceModel(Loader().load_service_model("cloudtrail", "service-2"))
ELSEWHERE = "eu-west-1"
BUCKET = "the-trails"


class CloudTrail:
    """A client; calls are the root's unless `by` says whose. Any bucket will do: there need not be one."""

    def __init__(self, service: Service) -> None:
        self.service = service
        pipeline = service._worker.pipeline
        pipeline._services = replace(pipeline._services, bucket_check=any_bucket)

    def call(
        self, operation: str, /, *, by: Credentials | None = None, region: str = REGION,
        target: str = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101", **members: Any,
    ) -> dict[str, Any] | Refusal:  # fmt: skip
        """Whatever a call answers, when it is recorded."""
        body = json.dumps(members).encode()
        headers = {"Host": HOST, "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"{target}.{operation}"}  # fmt: skip
        signed = AWSRequest("POST", f"http://{HOST}/", data=body, headers=headers)
        SigV4Auth(by or self.service._root, "cloudtrail", region).add_auth(signed)
        lower = {name.lower(): str(value) for name, value in signed.headers.items()}
        outcome = handle(self.service._worker.pipeline.stages, Request("POST", "/", lower, body, "127.0.0.1"))
        if outcome.ticket is not None:
            wait(outcome.ticket, 5)
        answer: Any = json.loads(outcome.response.body)
        if outcome.response.status == 200:
            assert model_check.of_answer(operation, answer, MODEL) == []
            told: dict[str, Any] = answer
            return told
        assert model_check.of_error(operation, outcome.response.status, answer, MODEL) == []
        return Refusal(answer["__type"], answer.get("message", ""))

    def ok(self, operation: str, /, **members: Any) -> dict[str, Any]:
        """The answer of a call that succeeds."""
        told = self.call(operation, **members)
        assert not isinstance(told, Refusal), (operation, told)
        return told

    def code(self, operation: str, /, **members: Any) -> str:
        """The code of a call that fails."""
        told = self.call(operation, **members)
        assert isinstance(told, Refusal), (operation, told)
        return told.code

    def refused(self, operation: str, /, **members: Any) -> Refusal:
        """The error of a call that fails."""
        told = self.call(operation, **members)
        assert isinstance(told, Refusal), (operation, told)
        return told

    def create(self, name: str, /, **members: Any) -> dict[str, Any]:
        """A new trail."""
        return self.ok("CreateTrail", **{"Name": name, "S3BucketName": BUCKET} | members)

    def stored(self, name: str, region: str = REGION, account: str = ACCOUNT) -> Trail:
        """A trail as it is kept."""
        with self.service.database.read() as connection:
            found = trails.find(connection, account, region, name)
        assert found is not None
        return found

    def record(self, event: str, region: str = REGION) -> dict[str, Any]:
        """The newest record of an operation."""
        return records(self.service, region=region, event=event)[0]

    def clear(self) -> None:
        """Forget all trails."""
        with self.service.database.write() as tx:
            for trail in trails.every(tx.connection):
                trails.remove(tx, trail.trail_id)
