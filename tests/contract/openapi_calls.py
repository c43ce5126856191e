"""Calls that schemathesis makes up from `openapi.yaml`, signed and sent to a live server, and what is wrong with the answers."""

import json
import re
from copy import deepcopy
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import jsonschema_rs
import requests
import schemathesis
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis.strategies import SearchStrategy
from requests.auth import AuthBase
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)  # fmt: skip

from kms_server.operations.openapi import document
from kms_server.protocol.front_door import SERVICES
from kms_server.protocol.query_reader import FORM_TYPE, VERSIONS
from tests.contract import openapi_forms
from tests.functional.server_process import Access

JSON = "application/x-amz-json-1.1"
ALWAYS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# A violated schema and a wrong type, in both protocols; forms name the operation themselves.
UNREADABLE = {"SerializationException", "MalformedInput", "InvalidAction"}
REFUSED = UNREADABLE | {"ValidationException", "ValidationError"}
OF_THE_SCHEMA = re.compile(r"(\d+) validation errors? detected")
# What JSON Schema cannot say is required: what only a dry run may leave out, and members of the items of a form's lists.
UNSAID = {
    JSON: re.compile("Value null at 'ciphertextBlob' failed"),
    FORM_TYPE: re.compile(r"Value null at '[\w.]+\.\d+\.member\.[\w.]+' failed"),
}
TRACES = re.compile(rb"Traceback|File \\?\"|\.py\b|sqlite|psycopg|sqlalchemy", re.IGNORECASE)

schemathesis.serializer.alias(JSON, "application/json")


@schemathesis.deserializer(JSON)
def _read(ctx: Any, response: Any) -> Any:
    return json.loads(response.content)


class Signed(AuthBase):
    """Signs what a session is about to send."""

    def __init__(self, access: Access, service: str) -> None:
        self._signer = SigV4Auth(Credentials(access.access_key_id, access.secret), service, "us-east-1")

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        names = {"content-type", "x-amz-target"}
        kept = {name: value for name, value in request.headers.items() if name.lower() in names}
        signed = AWSRequest(request.method, request.url, data=request.body, headers=kept)
        self._signer.add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        return request


class OpenApiCalls:
    """The operations of the document, by name; the target header and the signature are not made up but right."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._session = requests.Session()
        described: dict[str, Any] = deepcopy(document())
        del described["security"], described["components"]["securitySchemes"]
        for path in described["paths"].values():
            path["post"].pop("parameters", None)
        self._components = described["components"]
        schema = schemathesis.openapi.from_dict(described)
        schema.config.generation.update(allow_x00=False)  # as the document says in words
        self._operations: dict[str, APIOperation[Any, Any, Any, Any]] = {}
        for found in schema.get_all_operations():
            assert isinstance(found, Ok), found
            self._operations[found.ok().definition.raw["operationId"]] = found.ok()

    def cases(self, name: str, mode: GenerationMode) -> SearchStrategy[Case[Any]]:
        """What may be sent to an operation, or may not."""
        strategy: SearchStrategy[Case[Any]] = self._operations[name].as_strategy(generation_mode=mode)
        return strategy.map(_without_gaps) if mode.is_positive else strategy

    def check(self, case: Case[Any]) -> None:
        """Send it, and hold the answer to the document.

        Raises:
            FailureGroup, AssertionError: the answer is not as the document says.
        """
        asked = {name: one for name, (one, *_) in parse_qs(urlsplit(case.path).fragment).items()}
        target = asked.get("X-Amz-Target")
        service = SERVICES[target.partition(".")[0]] if target else VERSIONS[asked["Version"]]
        headers = {"X-Amz-Target": target} if target else {}
        response = case.call(
            base_url=self._access.url,
            session=self._session,
            headers=headers,
            auth=Signed(self._access, service),
        )
        assert not TRACES.search(response.content), response.content
        assert case.meta is not None
        sent = response.request.body
        fits, may_fit = self._form_fitting(case, sent) if target is None else self._fitting(case)
        negative = case.meta.generation.mode.is_negative and not may_fit
        case.validate_response(response, checks=[*ALWAYS, *([negative_data_rejection] if negative else [])])
        if response.status_code == 200:
            return
        code, text = (_json_fault if target else _xml_fault)(response.content)
        if negative:
            assert code in REFUSED, (case.body, code, text)
        elif fits:
            assert code not in UNREADABLE, (case.body, code, text)
            violated = OF_THE_SCHEMA.match(text)
            unsaid = UNSAID[JSON if target else FORM_TYPE].findall(text)
            assert violated is None or int(violated[1]) == len(unsaid), (case.body, code, text)

    def _validator(self, schema: dict[str, Any]) -> jsonschema_rs.Validator:
        return jsonschema_rs.validator_for(schema | {"components": self._components})

    def _fitting(self, case: Case[Any]) -> tuple[bool, bool]:
        """Whether a body is in order, and whether it is as AWS may read it.

        Null is absent, and of whole numbers the fraction is cut and what is beyond 32 bits, too.
        """
        validator = self._validator(_schema(case, JSON))
        present = _without_nulls(case.body)
        fits = [validator.is_valid(one) for one in (case.body, present, _whole(present))]
        return fits[0], any(fits)

    def _form_fitting(self, case: Case[Any], sent: Any) -> tuple[bool, bool]:
        """The same of a form: all that is sent are texts."""
        form = sent or ""
        assert isinstance(form, str), form
        schema = _schema(case, FORM_TYPE)
        may_fit = self._validator(schema).is_valid(openapi_forms.read(form, schema))
        return may_fit and openapi_forms.is_in_order(form), may_fit


def _schema(case: Case[Any], media_type: str) -> dict[str, Any]:
    found: dict[str, Any] = case.operation.definition.raw["requestBody"]["content"][media_type]["schema"]
    return found


def _without_gaps(case: Case[Any]) -> Case[Any]:
    if case.media_type == FORM_TYPE:
        assert isinstance(case.body, dict), case.body
        case.body = openapi_forms.numbered_anew(case.body)
    return case


def _json_fault(answer: bytes) -> tuple[str, str]:
    fault = json.loads(answer)
    return fault["__type"].rpartition("#")[2], fault.get("message", "")


def _xml_fault(answer: bytes) -> tuple[str, str]:
    error = ElementTree.fromstring(answer).find("{*}Error")
    assert error is not None
    return error.findtext("{*}Code", ""), error.findtext("{*}Message", "")


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(one) for name, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _whole(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_whole(one) for one in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return int(max(-(2.0**31), min(value, 2**31 - 1)))
