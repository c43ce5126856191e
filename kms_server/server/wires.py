"""The two protocols: how each reads a request, and how it writes answers and faults."""

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from kms_server.errors import ServiceError, UnknownOperationException
from kms_server.operations import registry
from kms_server.operations.call import Answer, Operation
from kms_server.protocol import faults, front_door, json_reader, query_faults, query_reader
from kms_server.protocol.message import Request, Response
from kms_server.schemas import base


class Wire(Protocol):
    """One protocol of AWS; an operation speaks the one of its service."""

    def read(self, request: Request, services: Collection[str]) -> tuple[Operation, Mapping[str, Any]]:
        """The operation of one of the services that a request asks for, and what it sends along.

        Raises:
            SerializationException: it cannot be read.
            UnknownOperationException: there is no such operation.
        """

    def load(self, operation: Operation, document: Mapping[str, Any]) -> dict[str, Any]:
        """The members of a request.

        Raises:
            SerializationException, ValidationException: they do not fit the schema.
        """

    def as_sent(self, operation: Operation, document: Mapping[str, Any]) -> dict[str, Any]:
        """The members that the record of a request shows which was not loaded."""

    def answer(self, operation: Operation, answer: Answer, request_id: str) -> Response:
        """The response of a call that succeeded."""

    def fault(self, error: ServiceError, operation: Operation | None, request_id: str) -> Response:
        """The response of a call that failed, maybe before its operation was known."""


class JsonWire:
    """AWS JSON 1.1."""

    def read(self, request: Request, services: Collection[str]) -> tuple[Operation, Mapping[str, Any]]:
        """Read a JSON object; X-Amz-Target names the operation."""
        document = json_reader.read_object(request.body)
        operation = _TARGETS.get(request.headers.get("x-amz-target", ""))
        if operation is None or operation.service not in services:
            raise UnknownOperationException
        return operation, document

    def load(self, operation: Operation, document: Mapping[str, Any]) -> dict[str, Any]:
        """Load a document by its schema."""
        return base.load(operation.request, document)

    def as_sent(self, operation: Operation, document: Mapping[str, Any]) -> dict[str, Any]:
        """Take members of the document."""
        return base.as_sent(operation.request, document, operation.logged)

    def answer(self, operation: Operation, answer: Answer, request_id: str) -> Response:  # noqa: ARG002 - JSON needs no schema
        """Write JSON."""
        return faults.answer(answer, request_id)

    def fault(self, error: ServiceError, operation: Operation | None, request_id: str) -> Response:
        """Write a JSON error."""
        return faults.fault(error, operation.service if operation else None, request_id)


class QueryWire:
    """The query protocol: a form comes in, XML goes out."""

    def read(self, request: Request, services: Collection[str]) -> tuple[Operation, Mapping[str, Any]]:
        """Read a form; its Version and Action name the operation."""
        tree = query_reader.read_form(request)
        service, name = query_reader.target(request, tree)
        try:
            return _find(service, name, services), tree
        except UnknownOperationException:
            raise query_reader.unknown_operation(tree) from None

    def load(self, operation: Operation, document: Mapping[str, Any]) -> dict[str, Any]:
        """Load what the form says by its schema."""
        return base.load(operation.request, base.from_form(operation.request, document))

    def as_sent(self, operation: Operation, document: Mapping[str, Any]) -> dict[str, Any]:
        """Take what can be read of the form."""
        return base.as_sent(operation.request, base.readable(operation.request, document), operation.logged)

    def answer(self, operation: Operation, answer: Answer, request_id: str) -> Response:
        """Write XML."""
        result = None if operation.response is None else base.to_xml(operation.response, answer or {})
        return query_faults.answer(operation.service, operation.name, result, request_id)

    def fault(self, error: ServiceError, operation: Operation | None, request_id: str) -> Response:
        """Write an XML error."""
        return query_faults.fault(error, operation.service if operation else None, request_id)


def _find(service: str, name: str, services: Collection[str]) -> Operation:
    if service not in services:
        raise UnknownOperationException
    return registry.find(service, name)


_JSON, _QUERY = JsonWire(), QueryWire()
_TARGETS = {
    f"{prefix}.{operation.name}": operation
    for prefix, service in front_door.SERVICES.items()
    for operation in registry.OPERATIONS
    if operation.service == service
}
_OF_SERVICE: dict[str, Wire] = dict.fromkeys(registry.SERVICES, _JSON)
_OF_SERVICE.update(dict.fromkeys(query_reader.VERSIONS.values(), _QUERY))


def asked(request: Request) -> Wire | None:
    """The protocol that a request speaks; None for one of another kind, which `front_door.answer` answers."""
    if front_door.is_json(request):
        return _JSON
    return _QUERY if query_reader.is_query(request) else None


def of(operation: Operation) -> Wire:
    """The protocol of an operation."""
    return _OF_SERVICE[operation.service]
