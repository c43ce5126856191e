"""Calls that a service makes with the session of its own caller (AWS "Forward access sessions")."""

from collections.abc import Mapping
from typing import Any

from kms_server.audit import event_id
from kms_server.iam.principal import Principal
from kms_server.operations.call import Call, Forwarded, Operation, Services
from kms_server.protocol.message import Request, TlsDetails


def forwarded_call(
    services: Services,
    operation: Operation,
    principal: Principal,
    forwarded: Forwarded,
    document: Mapping[str, Any],
    tls: TlsDetails | None,
) -> Call:
    """A call of `operation` by `principal`, made by the service that `forwarded` names, in the Region that it names.

    `document` has the request's members as JSON has them, `tls` is how the service was asked: what must not travel in
    the clear must not travel to the service's own caller in the clear.
    """
    now = services.clock.now()
    return Call(
        operation, services, principal, forwarded.region, Request("POST", "/", {}, b"", "", tls),
        event_id.new_request_id(), event_id.new(now), now, may_block=True, document=document, forwarded=forwarded,
    )  # fmt: skip
