"""Whatever document an operation gets, it answers as AWS's model says: never a 500, on either database."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kms_server.config import Settings
from kms_server.operations.call import Operation
from kms_server.operations.registry import OPERATIONS
from kms_server.protocol.message import Request
from kms_server.server.pipeline import handle
from kms_server.server.worker_state import WorkerState, build
from tests.databases import new_url, prepared
from tests.examples import examples
from tests.postgres_server import Postgres
from tests.unit.operations import model_check, quota_service, trail_service
from tests.unit.operations.record_calls import TARGETS
from tests.unit.schemas.test_load import values

HOST = "127.0.0.1:4599"
MODELS = {"kms": model_check.MODEL, "cloudtrail": trail_service.MODEL, "servicequotas": quota_service.MODEL}
TRUST = '"Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"kms:*","Resource":"*"'
MARKERS = [
    b"ListKeys/000000000000/us-east-1/\n\0",
    b"ListAliases/000000000000/us-east-1/\n\xff",
    b"{}",
    b"/" * 40,
]
TIMES = [0, -1, 1e300, 1e11, 1e15, 4e9]

Send = Callable[[Operation, dict[str, Any]], tuple[int, dict[str, Any]]]


def sender(state: WorkerState, credentials: Credentials) -> Send:
    def send(operation: Operation, document: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        body = json.dumps(document).encode()
        target = f"{TARGETS[operation.service]}.{operation.name}"
        headers = {"Host": HOST, "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target}
        signed = AWSRequest("POST", f"http://{HOST}/", data=body, headers=headers)
        SigV4Auth(credentials, operation.service, "us-east-1").add_auth(signed)
        lower = {name.lower(): str(value) for name, value in signed.headers.items()}
        response = handle(state.pipeline.stages, Request("POST", "/", lower, body, "127.0.0.1")).response
        answer = json.loads(response.body) if response.body else None
        assert wrong_in(operation, response.status, answer) == [], document
        return response.status, answer or {}

    return send


def wrong_in(operation: Operation, status: int, answer: Any) -> list[str]:
    """What botocore's model says against an answer."""
    model = MODELS[operation.service]
    if status == 200:
        return model_check.of_answer(operation.name, answer, model)
    return model_check.of_error(operation.name, status, answer, model)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def send(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Send]:
    url = None
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        url = new_url(postgres)
    directory: Path = tmp_path_factory.mktemp("documents") / "data"
    configured = Settings(directory, quota_profile="unlimited", database_url=url)
    credentials = prepared(configured)
    state = build(configured)
    yield sender(state, credentials)
    state.close()


@pytest.fixture(scope="module")
def known(send: Send) -> dict[str, st.SearchStrategy[Any]]:
    """What exists, and what nearly does, for the members whose values decide what happens."""
    by_name = {operation.name: operation for operation in OPERATIONS}
    send(by_name["CreateTrail"], {"Name": "trail", "S3BucketName": "bucket"})
    keys = [send(by_name["CreateKey"], {})[1]["KeyMetadata"] for _ in range(3)]
    send(by_name["CreateAlias"], {"AliasName": "alias/a", "TargetKeyId": keys[0]["KeyId"]})
    sealed = send(by_name["Encrypt"], {"KeyId": "alias/a", "Plaintext": "AAAA"})[1]["CiphertextBlob"]
    arn: str = keys[0]["Arn"]
    identifiers = st.sampled_from([
        *(key["KeyId"] for key in keys), arn, "alias/a", "alias/aws/s3", "alias/\0", f"mrk-{'0' * 32}", "arn:aws:kms:",
        arn.replace("us-east-1", "eu-west-1"), arn.replace("000000000000", "111122223333"), "\u00e9", "key/",
    ])  # fmt: skip
    policies = st.sampled_from([
        "{}", "[]", "null", '{"Statement":1}', '{"Statement":[{"Effect":"Allow","Principal":null,"Action":[1]}]}',
        f'{{"Statement":[{{"Effect":"Allow",{TRUST}}}]}}', f'{{"Statement":{{"Effect":"Deny",{TRUST}}}}}',
        f'{{"Statement":[{{"Effect":"Allow",{TRUST},"Condition":{{"Bool":{{"x":[true]}}}}}}]}}',
    ])  # fmt: skip
    trail = "arn:aws:cloudtrail:us-east-1:000000000000:trail/trail"
    trails = st.sampled_from(
        [
            "trail",
            trail,
            f"{trail}\0",
            trail.replace("us-east-1", "eu-west-1"),
            "arn:aws:cloudtrail:",
            "\u00e9",
        ]
    )
    markers = st.sampled_from(["\x80", "AAA", *(base64.b64encode(one).decode() for one in MARKERS)])
    tags = [{"TagKey": "a", "TagValue": "\0"}], [{"TagKey": "a", "TagValue": "b"}] * 2, [{"TagKey": "aws:a"}]
    times = st.sampled_from(TIMES)
    return {
        "KeyId": identifiers, "TargetKeyId": identifiers, "SourceKeyId": identifiers, "DestinationKeyId": identifiers,
        "AliasName": st.sampled_from(["alias/a", "alias/b", "alias/aws/x", "alias/\u00fc"]), "Policy": policies,
        "CiphertextBlob": st.sampled_from([sealed, sealed[:-4], "AAAA"]), "Marker": markers, "NextToken": markers,
        "Description": st.sampled_from(["a", "\0", "\U0001f600"]), "Tags": st.sampled_from(tags),
        "Name": trails, "TrailName": trails, "ResourceId": trails, "S3BucketName": st.sampled_from(["bucket", "\0", "b"]),
        "KmsKeyId": identifiers, "RotationDate": times, "StartTime": times, "EndTime": times,
    }  # fmt: skip


@pytest.mark.parametrize(
    "operation", [one for one in OPERATIONS if one.service in TARGETS], ids=lambda operation: operation.name
)
@settings(max_examples=examples(test=5, soak=25), suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_document_is_the_services_fault(
    send: Send, known: dict[str, st.SearchStrategy[Any]], operation: Operation, data: st.DataObject
) -> None:
    members: dict[str, Any] = dict(operation.request().fields)
    required = {name: known.get(name, values(member)) for name, member in members.items() if member.required}
    others = {
        name: known.get(name, values(member)) for name, member in members.items() if name not in required
    }
    document = data.draw(st.fixed_dictionaries(required, optional=others))
    status, answer = send(operation, document)
    assert status in (200, 400), (document, answer)
