"""Who calls S3: headers, presigned requests, forms, sessions, anonymous callers, and `--dev`."""

import base64
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

import pytest
from botocore.auth import (
    HmacV1PostAuth,
    HmacV1QueryAuth,
    S3SigV4Auth,
    S3SigV4PostAuth,
    S3SigV4QueryAuth,
    SigV4Auth,
)
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from msgspec import structs

from kms_server.config import Settings
from kms_server.crypto.kdf import Prf
from kms_server.errors import AccessDeniedException
from kms_server.iam.principal import NOBODY
from kms_server.protocol.message import Request
from kms_server.s3 import errors as e
from kms_server.server.pipeline import handle
from kms_server.server.s3_authentication import S3Authenticator, S3Caller
from kms_server.server.services import services_of
from kms_server.server.worker_state import build
from tests.databases import prepared
from tests.query_wire import FORM

HOST = "127.0.0.1:4599"
ROOT = "arn:aws:iam::000000000000:root"


class Scene(NamedTuple):
    """A server's authenticator, its first root, and a session of it."""

    authenticator: S3Authenticator
    root: Credentials
    session: Credentials
    settings: Settings
    keyring: Any

    def dev(self, **changes: Any) -> S3Authenticator:
        return S3Authenticator(self.keyring, replace(self.settings, dev=True, **changes), "s3.test")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    directory: Path = tmp_path_factory.mktemp("s3") / "data"
    settings = Settings(directory, quota_profile="unlimited")
    root = prepared(settings)
    worker = build(settings)
    body = urlencode({"Action": "GetSessionToken", "Version": "2011-06-15"}).encode()
    aws = AWSRequest("POST", f"http://{HOST}/", data=body, headers={"Host": HOST, "Content-Type": FORM})
    SigV4Auth(root, "sts", "us-east-1").add_auth(aws)
    response = handle(worker.pipeline.stages, structs.replace(received(aws), body=body)).response
    told = {one.tag.rpartition("}")[2]: one.text for one in ElementTree.fromstring(response.body).iter()}
    session = Credentials(told["AccessKeyId"], told["SecretAccessKey"], told["SessionToken"])
    keyring = services_of(worker.state).keyring
    yield Scene(S3Authenticator(keyring, settings), root, session, settings, keyring)
    worker.close()


def received(aws: AWSRequest) -> Request:
    parts = urlsplit(str(aws.url))
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lower = {name.lower(): str(value) for name, value in aws.headers.items()}
    return Request(str(aws.method), target, {"host": HOST} | lower, b"", "127.0.0.1")


def signed(by: Credentials, headers: Mapping[str, str] | None = None) -> Request:
    aws = AWSRequest("PUT", f"http://{HOST}/b/a//b", headers=dict(headers or {}), data=b"hello")
    S3SigV4Auth(by, "s3", "eu-west-1").add_auth(aws)
    return received(aws)


def presigned(by: Credentials) -> Request:
    aws = AWSRequest("GET", f"http://{HOST}/b/k")
    S3SigV4QueryAuth(by, "s3", "eu-west-1", expires=604_800).add_auth(aws)
    return received(aws)


def policy_fields(by: Credentials) -> dict[str, str]:
    aws = AWSRequest("POST", f"http://{HOST}/b")
    aws.context["s3-presign-post-fields"] = {"key": "k"}
    aws.context["s3-presign-post-policy"] = {"expiration": "2030-01-01T00:00:00Z", "conditions": []}
    S3SigV4PostAuth(by, "s3", "eu-west-1").add_auth(aws)
    return {name.lower(): str(value) for name, value in aws.context["s3-presign-post-fields"].items()}


POST = Request("POST", "/b", {"host": HOST}, b"", "127.0.0.1")


def check(caller: S3Caller, auth_type: str) -> None:
    assert (caller.principal.arn, caller.region, caller.auth_type) == (ROOT, "eu-west-1", auth_type)
    assert caller.sigv4
    caller.check_region("eu-west-1")


def test_signed_requests(scene: Scene) -> None:
    for by in (scene.root, scene.session):
        caller = scene.authenticator.authenticate(signed(by))
        check(caller, "REST-HEADER")
        assert caller.signing is not None
        assert isinstance(caller.signing.key, Prf)
        with pytest.raises(e.AuthorizationHeaderMalformed, match="expecting 'us-east-1'"):
            caller.check_region("us-east-1")


def test_presigned_requests(scene: Scene) -> None:
    for by in (scene.root, scene.session):
        caller = scene.authenticator.authenticate(presigned(by))
        check(caller, "REST-QUERY-STRING")
        assert caller.signature_age is not None
        assert 0 <= caller.signature_age < 10_000
        with pytest.raises(e.AuthorizationQueryParametersError):
            caller.check_region("us-east-1")


def test_forms(scene: Scene) -> None:
    for by in (scene.root, scene.session):
        fields = policy_fields(by)
        check(scene.authenticator.authenticate_form(POST, fields), "POST")
        other = base64.b64encode(b"{}").decode()
        with pytest.raises(e.SignatureDoesNotMatch):
            scene.authenticator.authenticate_form(POST, fields | {"policy": other})
        for name in ("x-amz-credential", "x-amz-signature", "x-amz-date", "x-amz-algorithm"):
            with pytest.raises(e.InvalidArgument, match=name):
                scene.authenticator.authenticate_form(POST, fields | {name: ""})
    assert scene.authenticator.authenticate_form(POST, {"key": "k"}) == S3Caller(NOBODY)


def old_url(by: Credentials) -> Request:
    aws = AWSRequest("GET", f"http://{HOST}/b/k")
    HmacV1QueryAuth(by, expires=60).add_auth(aws)
    return structs.replace(received(aws), headers={"host": HOST})


def old_fields(by: Credentials) -> dict[str, str]:
    aws = AWSRequest("POST", f"http://{HOST}/b")
    HmacV1PostAuth(by).add_auth(aws)
    return {name.lower(): str(value) for name, value in aws.context["s3-presign-post-fields"].items()}


def test_signature_version_2(scene: Scene) -> None:
    for by in (scene.root, scene.session):
        for caller, auth_type in (
            (scene.authenticator.authenticate(old_url(by)), "REST-QUERY-STRING"),
            (scene.authenticator.authenticate_form(POST, old_fields(by)), "POST"),
        ):
            assert caller.principal.arn == ROOT
            assert caller == S3Caller(caller.principal, auth_type=auth_type)
            caller.check_region("moon")
    wrong = Credentials(scene.root.access_key, "wrong")
    unknown = Credentials("AKIA" + "A" * 16, "secret")
    for by, error in (
        (wrong, e.SignatureDoesNotMatch), (unknown, e.InvalidAccessKeyId),
        (Credentials(scene.session.access_key, scene.session.secret_key), e.InvalidAccessKeyId),
        (Credentials(scene.session.access_key, "x", "nonsense"), e.InvalidToken),
    ):  # fmt: skip
        with pytest.raises(error):
            scene.authenticator.authenticate(old_url(by))
        with pytest.raises(error):
            scene.authenticator.authenticate_form(POST, old_fields(by))
    dev = scene.dev()
    assert dev.authenticate(old_url(wrong)).principal.arn == ROOT
    account = Credentials("111122223333", "any")
    for caller in (dev.authenticate(old_url(account)), dev.authenticate_form(POST, old_fields(account))):
        assert caller.principal.arn == "arn:aws:iam::111122223333:root"
        assert not caller.sigv4


def test_nobody(scene: Scene) -> None:
    caller = scene.authenticator.authenticate(Request("GET", "/b/k", {"host": HOST}, b"", "127.0.0.1"))
    assert caller == S3Caller(NOBODY)
    caller.check_region("moon")


def test_refusals(scene: Scene) -> None:
    wrong = Credentials(scene.root.access_key, "wrong")
    unknown = Credentials("AKIA" + "A" * 16, "secret")
    with pytest.raises(e.SignatureDoesNotMatch):
        scene.authenticator.authenticate(signed(wrong))
    with pytest.raises(e.InvalidAccessKeyId) as caught:
        scene.authenticator.authenticate(signed(unknown))
    assert caught.value.details == {"AWSAccessKeyId": unknown.access_key}
    without_token = Credentials(scene.session.access_key, scene.session.secret_key)
    with pytest.raises(e.InvalidAccessKeyId):
        scene.authenticator.authenticate(signed(without_token))
    with pytest.raises(e.InvalidToken):
        scene.authenticator.authenticate(signed(Credentials(scene.session.access_key, "x", "nonsense")))
    scene.authenticator.note_refusal(POST, caught.value)


def test_expired_sessions(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    later = time.time() + 400_000
    monkeypatch.setattr(scene.keyring._clock, "now", lambda: later, raising=False)
    with pytest.raises(e.ExpiredToken):
        scene.authenticator.authenticate(signed(scene.session))


def test_dev(scene: Scene) -> None:
    dev = scene.dev()
    caller = dev.authenticate(signed(Credentials("111122223333", "any")))
    assert (caller.principal.arn, caller.region) == ("arn:aws:iam::111122223333:root", "eu-west-1")
    assert caller.signing is None
    check(dev.authenticate(signed(Credentials(scene.root.access_key, "wrong"))), "REST-HEADER")
    fields = policy_fields(Credentials(scene.root.access_key, "wrong"))
    check(dev.authenticate_form(POST, fields), "POST")
    dev.authenticate(signed(scene.root, {"host": "bucket.s3.test:4599"}))
    for headers in ({"origin": "http://127.0.0.1"}, {"host": "evil.test"}, {"host": "evils3.test"}):
        with pytest.raises(AccessDeniedException, match="--dev"):
            dev.authenticate(signed(scene.root, headers))
    scene.dev(dev_allow_remote=True).authenticate(signed(scene.root, {"host": "other.test"}))
