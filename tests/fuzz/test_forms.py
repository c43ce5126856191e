"""Whatever form an operation of IAM or STS gets, it answers in XML that says whose fault it is: never a 500."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kms_server.config import Settings
from kms_server.operations.call import Operation
from kms_server.operations.openapi_members import FormMembers
from kms_server.operations.registry import OPERATIONS
from kms_server.protocol.message import Request
from kms_server.protocol.query_reader import VERSIONS
from kms_server.server.pipeline import handle
from kms_server.server.worker_state import build
from tests.databases import new_url, prepared
from tests.examples import examples
from tests.postgres_server import Postgres
from tests.query_wire import FORM

HOST = "127.0.0.1:4599"
VERSION_OF = {service: version for version, service in VERSIONS.items()}
QUERY_OPERATIONS = [one for one in OPERATIONS if one.service in VERSION_OF]
VALUES = st.sampled_from([
    "", "a", "ab", "0", "3600", "-1", "9" * 30, "true", "True", "2026-01-01T00:00:00Z", "arn:aws:iam::000000000000:role/a",
    "arn:aws:iam::aws:policy/a", "arn:aws:iam::000000000000:user/\u00fc", "x" * 2_100, "\0", "\U0001f600", "{}", "/", "/a/", "*",
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}', "https://issuer.test", "a.b.c",
])  # fmt: skip

Send = Callable[[Operation, bytes], tuple[int, bytes]]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def send(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Send]:
    url = None
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        url = new_url(postgres)
    directory: Path = tmp_path_factory.mktemp("forms") / "data"
    configured = Settings(directory, quota_profile="unlimited", database_url=url)
    credentials = prepared(configured)
    state = build(configured)

    def sent(operation: Operation, body: bytes) -> tuple[int, bytes]:
        signed = AWSRequest(
            "POST", f"http://{HOST}/", data=body, headers={"Host": HOST, "Content-Type": FORM}
        )
        SigV4Auth(credentials, operation.service, "us-east-1").add_auth(signed)
        lower = {name.lower(): str(value) for name, value in signed.headers.items()}
        response = handle(state.pipeline.stages, Request("POST", "/", lower, body, "127.0.0.1")).response
        return response.status, response.body

    yield sent
    state.close()


def names(operation: Operation) -> list[str]:
    """The flat names that an operation's form can have, lists with one and with two members."""
    found = []
    for pattern, _ in FormMembers({}).flat(operation.request):
        plain = pattern.replace("\\", "").replace("(key|value)", "key")
        found += [plain.replace("[1-9][0-9]*", number) for number in ("1", "2")]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("operation", QUERY_OPERATIONS, ids=lambda operation: operation.name)
@settings(max_examples=examples(test=5, soak=25), suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_form_is_the_services_fault(send: Send, operation: Operation, data: st.DataObject) -> None:
    possible = names(operation)
    members: Any = st.dictionaries(st.sampled_from(possible), VALUES) if possible else st.just({})
    required = {name: VALUES for name, member in operation.request().fields.items() if member.required}
    drawn = data.draw(members) | data.draw(st.fixed_dictionaries(required))
    form = {"Action": operation.name, "Version": VERSION_OF[operation.service], **drawn}
    status, body = send(operation, urlencode(form).encode())
    assert status < 500, (form, body)
    ElementTree.fromstring(body)


@settings(max_examples=100)
@given(st.binary(max_size=60))
def test_no_bytes_are_the_services_fault(send: Send, rest: bytes) -> None:
    operation = QUERY_OPERATIONS[0]
    body = f"Action={operation.name}&Version={VERSION_OF[operation.service]}&".encode() + rest
    status, answer = send(operation, body)
    assert status < 500, answer
    ElementTree.fromstring(answer)
