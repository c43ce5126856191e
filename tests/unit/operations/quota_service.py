"""Calls of Service Quotas to the service in this process; every answer is held against botocore's model."""

import json
from collections.abc import Iterator
from typing import Any

from botocore.credentials import Credentials
from botocore.loaders import Loader
from botocore.model import ServiceModel

from kms_server.operations.registry import find
from kms_server.quotas.table import QUOTAS
from tests.unit.operations import model_check
from tests.unit.operations.record_calls import ask, body_of
from tests.unit.operations.service import REGION, Refusal, Service

MODEL = ServiceModel(Loader().load_service_model("service-quotas", "service-2"))


def code(quota_id: str) -> dict[str, str]:
    """The members that name a quota."""
    return {"ServiceCode": QUOTAS[quota_id].service, "QuotaCode": QUOTAS[quota_id].code}


class ServiceQuotas:
    """A client; calls are the root's unless `by` says whose."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def call(
        self, operation: str, /, *, by: Credentials | None = None, region: str = REGION, **members: Any
    ) -> dict[str, Any] | Refusal:
        """Whatever a call answers."""
        row = find("servicequotas", operation)
        done = ask(self.service, row, body_of(row, members), by=by, region=region)
        answer: dict[str, Any] = json.loads(done.body)
        if done.status == 200:
            assert model_check.of_answer(operation, answer, MODEL) == []
            return answer
        assert model_check.of_error(operation, done.status, answer, MODEL) == []
        return Refusal(answer["__type"], answer.get("message", ""))

    def ok(self, operation: str, /, **members: Any) -> dict[str, Any]:
        """The answer of a call that succeeds."""
        told = self.call(operation, **members)
        assert not isinstance(told, Refusal), (operation, told)
        return told

    def refused(self, operation: str, /, **members: Any) -> Refusal:
        """The error of a call that fails."""
        told = self.call(operation, **members)
        assert isinstance(told, Refusal), (operation, told)
        return told

    def value(self, quota_id: str, **options: Any) -> float:
        """The value of a quota."""
        value: float = self.ok("GetServiceQuota", **code(quota_id), **options)["Quota"]["Value"]
        return value

    def raised(self, quota_id: str, value: float, **options: Any) -> dict[str, Any]:
        """The request that raises a quota."""
        asked = self.ok("RequestServiceQuotaIncrease", **code(quota_id), DesiredValue=value, **options)
        request: dict[str, Any] = asked["RequestedQuota"]
        return request

    def pages(self, operation: str, size: int, **members: Any) -> Iterator[dict[str, Any]]:
        """All pages of a list."""
        token: dict[str, str] = {}
        while True:
            told = self.ok(operation, MaxResults=size, **members, **token)
            yield told
            if "NextToken" not in told:
                return
            token = {"NextToken": told["NextToken"]}
