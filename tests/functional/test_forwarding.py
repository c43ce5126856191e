"""Two servers: the S3 layer of one asks the KMS of the other in the name of its own callers."""

import json
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from msgspec import structs

from kms_server.clock import real_now
from kms_server.config import Settings
from kms_server.connections import Connections
from kms_server.crypto.kdf import Prf
from kms_server.iam.policy import compile_identity_policy
from kms_server.iam.principal import AttachedPolicy, Issuer, Principal, Session
from kms_server.keyring.forwarded_callers import describe
from kms_server.keyring.sessions import limited_to
from kms_server.operations.call import Call, Services
from kms_server.protocol import forwarding
from kms_server.protocol.forwarding import Claim
from kms_server.protocol.message import Request
from kms_server.protocol.sigv4_signer import Credentials
from kms_server.s3 import errors as e
from kms_server.s3.kms.callers import Caller, TheirOwn, TheLayers
from kms_server.s3.kms.client import KeyUse
from kms_server.s3.kms.remote import RemoteKms
from kms_server.server import forward_secret
from kms_server.server.kms_client import kms_client, kms_endpoint
from tests.functional.server_process import ServerProcess, StartServer

ACCOUNT, REGION = "000000000000", "us-east-1"
OBJECT = "arn:aws:s3:::ledger/a"
ROOT = Principal.root(ACCOUNT, "AKIAROOT")
VIA_S3 = {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}
SERVICE = "fas.s3.amazonaws.com"


def use(key_id: str) -> KeyUse:
    return KeyUse(key_id, {"aws:s3:arn": OBJECT}, REGION, OBJECT)


@contextmanager
def asking(url: str, caller: Caller) -> Iterator[RemoteKms]:
    """The KMS client of an S3 server."""
    connections = Connections(kms_endpoint(url), None)
    yield RemoteKms(connections, caller)
    connections.close()


@pytest.fixture(scope="module")
def client(kms: ServerProcess, secret: Path) -> Iterator[RemoteKms]:
    """What an S3 server that shares the secret has."""
    with asking(kms.url, TheirOwn(forward_secret.load_key(secret))) as made:
        yield made


def asked(principal: Principal) -> Call:
    """An S3 call; nothing but its principal goes over the wire."""
    return cast("Call", SimpleNamespace(principal=principal))


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def statement(effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"} | more


def key(kms: ServerProcess, *statements: dict[str, Any]) -> str:
    """The ARN of a key that the root may use, with more statements."""
    whole = statement(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    made = kms.client("kms").create_key(Policy=policy(whole, *statements))
    arn: str = made["KeyMetadata"]["Arn"]
    return arn


def user(name: str, **more: Any) -> Principal:
    """A user as the S3 server knows it: its policies and ids there do not matter here."""
    everything = AttachedPolicy(
        "p", compile_identity_policy(policy({"Effect": "Allow", "Action": "*", "Resource": "*"}))
    )
    return Principal(
        "IAMUser", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/there/{name}", "AIDATHERE", "AKIATHERE", name, (everything,), **more
    )  # fmt: skip


def session(role: str, *policies: str, **more: Any) -> Principal:
    """A session of a role as the S3 server knows it."""
    issuer = Issuer("Role", "AROATHERE", f"arn:aws:iam::{ACCOUNT}:role/{role}", ACCOUNT, role)
    begun = Session(1_790_000_000.0, issuer, None, "source")
    if policies:
        begun = limited_to(begun, [("p", one) for one in policies])
    return Principal(
        "AssumedRole", ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/s-1", "AROATHERE:s-1", "ASIATHERE",
        session=begun, **more,
    )  # fmt: skip


def test_a_data_key_comes_and_opens(kms: ServerProcess, client: RemoteKms) -> None:
    arn = key(kms)
    made = client.generate_data_key(asked(ROOT), use(arn))
    assert (made.key_arn, len(made.plaintext)) == (arn, 32)
    assert client.decrypt(asked(ROOT), use(arn), made.ciphertext) == made.plaintext
    record = kms.audit_records("--event", "GenerateDataKey", "--key", arn)[-1]
    assert record["userIdentity"]["arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert record["userIdentity"]["accessKeyId"] == "AKIAROOT"
    assert record["userIdentity"]["invokedBy"] == record["sourceIPAddress"] == record["userAgent"] == SERVICE
    assert "tlsDetails" not in record


def test_the_kms_judges_by_its_own_policies(kms: ServerProcess, client: RemoteKms) -> None:
    arn = key(kms)
    kms.user_access("allowed", json.loads(policy({"Effect": "Allow", "Action": "kms:*", "Resource": "*"})))
    kms.user_access("denied", json.loads(policy({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})))
    client.generate_data_key(asked(user("allowed")), use(arn))
    record = kms.audit_records("--event", "GenerateDataKey", "--key", arn)[-1]
    assert record["userIdentity"]["arn"] == f"arn:aws:iam::{ACCOUNT}:user/allowed"
    with pytest.raises(e.AccessDenied, match="user/denied is not authorized to perform: kms:GenerateDataKey"):
        client.generate_data_key(asked(user("denied")), use(arn))
    with pytest.raises(e.AccessDenied, match="not known"):
        client.generate_data_key(asked(user("nobody")), use(arn))


CONDITIONS = [
    (VIA_S3, True),
    ({"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}, False),
    ({"StringEquals": {"kms:EncryptionContext:aws:s3:arn": OBJECT}}, True),
    ({"ArnEquals": {"aws:SourceArn": OBJECT}}, True),
    ({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, False),
    ({"StringLike": {"aws:UserAgent": "*"}}, False),
]


@pytest.mark.parametrize(("condition", "holds"), CONDITIONS, ids=range(len(CONDITIONS)))
def test_conditions(kms: ServerProcess, client: RemoteKms, condition: dict[str, Any], holds: bool) -> None:
    arn = key(kms, statement("Deny", Action="kms:GenerateDataKey", Condition=condition))
    if holds:
        with pytest.raises(e.AccessDenied, match="explicit deny"):
            client.generate_data_key(asked(ROOT), use(arn))
    else:
        client.generate_data_key(asked(ROOT), use(arn))


def test_a_service_is_judged_by_what_it_acts_for(kms: ServerProcess, client: RemoteKms) -> None:
    trail = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/main"
    allowed: dict[str, Any] = {
        "Principal": {"Service": "cloudtrail.amazonaws.com"},
        "Action": "kms:GenerateDataKey*",
    }
    arn = key(kms, statement(**allowed, Condition={"StringEquals": {"aws:SourceArn": trail}}))
    cloudtrail = Principal.service("cloudtrail.amazonaws.com", ACCOUNT, trail)
    assert client.generate_data_key(asked(cloudtrail), use(arn)).key_arn == arn
    record = kms.audit_records("--event", "GenerateDataKey", "--key", arn)[-1]
    assert record["userIdentity"] == {"type": "AWSService", "invokedBy": "cloudtrail.amazonaws.com"}
    with pytest.raises(e.AccessDenied):
        client.generate_data_key(asked(replace(cloudtrail, source_arn=f"{trail}-2")), use(arn))
    with pytest.raises(e.AccessDenied, match=r"User: cloudtrail\.amazonaws\.com is not authorized"):
        client.generate_data_key(asked(cloudtrail), use(key(kms)))


def test_the_managed_key(kms: ServerProcess, client: RemoteKms) -> None:
    made = client.generate_data_key(asked(ROOT), use("alias/aws/s3"))
    with pytest.raises(ClientError, match="AccessDenied"):
        kms.client("kms").generate_data_key(KeyId=made.key_arn, KeySpec="AES_256")


def test_sessions_bring_their_policies_and_tags(kms: ServerProcess, client: RemoteKms) -> None:
    arn, iam = key(kms), kms.client("iam")
    trust = policy({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})
    iam.create_role(RoleName="batch", AssumeRolePolicyDocument=trust)
    by_tag = {"StringEquals": {"aws:PrincipalTag/team": "blue"}}
    allowed = policy({"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": by_tag})
    iam.put_role_policy(RoleName="batch", PolicyName="p", PolicyDocument=allowed)
    blue = {"tags": {"team": "blue"}}
    client.generate_data_key(asked(session("batch", **blue)), use(arn))
    identity = kms.audit_records("--event", "GenerateDataKey", "--key", arn)[-1]["userIdentity"]
    assert identity["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/batch/s-1"
    assert identity["sessionContext"]["sourceIdentity"] == "source"
    with pytest.raises(e.AccessDenied, match="no identity-based policy"):
        client.generate_data_key(asked(session("batch")), use(arn))
    narrow = policy({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"})
    with pytest.raises(e.AccessDenied, match="no session policy"):
        client.generate_data_key(asked(session("batch", narrow, **blue)), use(arn))


def test_failures_are_s3s(kms: ServerProcess, client: RemoteKms) -> None:
    arn = key(kms)
    kms.client("kms").disable_key(KeyId=arn)
    with pytest.raises(e.KmsDisabled) as raised:
        client.generate_data_key(asked(ROOT), use(arn))
    assert raised.value.message == f"{arn} is disabled."
    with pytest.raises(e.KmsNotFound, match="Invalid keyId 'x'"):
        client.generate_data_key(asked(ROOT), use("x"))


def test_a_connection_is_used_again_and_its_end_survived(kms: ServerProcess, client: RemoteKms) -> None:
    arn = key(kms)
    for _ in range(3):
        client.generate_data_key(asked(ROOT), use(arn))
    (kept,) = client._connections._idle
    kept.sock.shutdown(socket.SHUT_RDWR)
    client.generate_data_key(asked(ROOT), use(arn))
    assert list(client._connections._idle) != [kept]


def test_no_kms_is_an_answer_too(secret: Path) -> None:
    with (
        asking("http://127.0.0.1:9", TheirOwn(forward_secret.load_key(secret))) as lost,
        pytest.raises(e.ServiceUnavailable),
    ):
        lost.generate_data_key(asked(ROOT), use("k"))


def test_a_data_key_is_kept_for_a_minute(client: RemoteKms) -> None:
    def still(age: float) -> bool:
        since = time.monotonic() - age
        return client.still_allows(asked(ROOT), "Decrypt", use("k"), key_arn="k", since=since)

    assert still(1)
    assert not still(61)


# --- what a stranger may try ------------------------------------------------------------------


def prepared(arn: str, secret: Path, operation: str = "GenerateDataKey", now: float | None = None) -> Request:
    """A request that is in order, unless `now` is long ago."""
    body = json.dumps({"KeyId": arn, "KeySpec": "AES_256"}).encode()
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"TrentService.{operation}"}
    request = Request("POST", "/", headers, body, "")
    claim = Claim(describe(ROOT), "s3", REGION, OBJECT, None)
    sealed = forwarding.seal(claim, request, forward_secret.load_key(secret), now=now or real_now())
    return structs.replace(request, headers={**headers, forwarding.HEADER: sealed})


def send(kms: ServerProcess, request: Request) -> tuple[int, str]:
    """Status and error code of an answer."""
    asked = urllib.request.Request(
        kms.url + request.target, request.body, dict(request.headers), method=request.method
    )
    try:
        with urllib.request.urlopen(asked) as response:
            return response.status, ""
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())["__type"]


REFUSED = (400, "InvalidSignatureException")
TRIES: list[Callable[[Request], Request]] = [
    lambda request: structs.replace(request, body=request.body + b" "),
    lambda request: structs.replace(request, target="/?a=b"),
    lambda request: structs.replace(request, headers={**request.headers, "x-amz-target": "TrentService.Decrypt"}),
    lambda request: structs.replace(request, headers={**request.headers, forwarding.HEADER: "e30.e30"}),
    lambda request: structs.replace(request, headers={**request.headers, forwarding.HEADER: request.headers[forwarding.HEADER][:-3]}),
]  # fmt: skip


@pytest.mark.parametrize("change", TRIES, ids=range(len(TRIES)))
def test_a_changed_request_is_refused(
    kms: ServerProcess, secret: Path, change: Callable[[Request], Request]
) -> None:
    arn = key(kms)
    assert send(kms, change(prepared(arn, secret))) == REFUSED
    assert kms.audit_records("--key", arn, "--event", "GenerateDataKey") == []


def test_a_replay_is_refused(kms: ServerProcess, secret: Path) -> None:
    request = prepared(key(kms), secret)
    assert send(kms, request) == (200, "")
    assert send(kms, request) == REFUSED


def test_an_old_claim_is_refused(kms: ServerProcess, secret: Path) -> None:
    assert send(kms, prepared(key(kms), secret, now=real_now() - 31)) == REFUSED


def test_another_secret_is_refused(kms: ServerProcess, tmp_path: Path) -> None:
    forward_secret.create(tmp_path / "other")
    assert send(kms, prepared(key(kms), tmp_path / "other")) == REFUSED


def test_only_what_s3_asks_is_forwarded(kms: ServerProcess, secret: Path) -> None:
    for operation in ("Encrypt", "DisableKey", "ScheduleKeyDeletion"):
        assert send(kms, prepared(key(kms), secret, operation)) == (400, "AccessDeniedException")


def test_a_server_without_the_secret_knows_no_such_header(start_server: StartServer, secret: Path) -> None:
    plain = start_server("--services", "kms", workers=1)
    arn = plain.client("kms").create_key()["KeyMetadata"]["Arn"]
    assert send(plain, prepared(arn, secret)) == (400, "MissingAuthenticationTokenException")


def test_the_layers_own_credentials(kms: ServerProcess) -> None:
    """Any KMS sees the S3 layer itself."""
    arn, access = key(kms), kms.access
    own, whoever = TheLayers(Credentials(access.access_key_id, access.secret)), asked(user("whoever"))
    with asking(kms.url, own) as client:
        made = client.generate_data_key(whoever, use(arn))
        opened = client.decrypt(whoever, use(arn), made.ciphertext)
    assert opened == made.plaintext
    record = kms.audit_records("--event", "Decrypt", "--key", arn)[-1]
    assert record["userIdentity"]["arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert "invokedBy" not in record["userIdentity"]
    with asking(kms.url, TheLayers(Credentials("AKIA", "secret"))) as wrong, pytest.raises(e.InternalError):
        wrong.generate_data_key(asked(ROOT), use(arn))


def test_over_tls(start_server: StartServer, secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = start_server("--tls-auto", "--forward-secret", str(secret), workers=1)
    arn = key(server, statement("Deny", Condition={"Bool": {"aws:SecureTransport": "false"}}))
    settings = Settings(server.data_dir, kms_endpoint=server.url, forward_secret=secret)
    services = cast("Services", None)  # a KMS elsewhere needs nothing of this process
    strange = kms_client(settings, services, _never)
    with pytest.raises(e.ServiceUnavailable):
        strange.generate_data_key(asked(ROOT), use(arn))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(server.data_dir / "tls" / "ca.pem"))
    trusted = kms_client(settings, services, _never)
    assert isinstance(trusted, RemoteKms)
    for _ in range(2):
        assert trusted.generate_data_key(asked(ROOT), use(arn)).key_arn == arn
    trusted._connections.close()


def _never(_call: Call) -> Call:
    raise AssertionError


def test_an_s3_server_in_front(start_server: StartServer, kms: ServerProcess, secret: Path) -> None:
    front = start_server(
        "--services", "s3,sts,iam", "--kms-endpoint", kms.url, "--forward-secret", str(secret), workers=1
    )
    assert front.client("sts").get_caller_identity()["Account"] == ACCOUNT
    with pytest.raises(ClientError, match="UnknownOperationException"):
        front.client("kms").list_keys()


def test_the_command_makes_a_private_secret(kms: ServerProcess, tmp_path: Path) -> None:
    path = tmp_path / "made"
    _command(kms, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert isinstance(forward_secret.load_key(path), Prf)
    before = path.read_text()
    assert _command(kms, path) == 2
    assert path.read_text() == before


def _command(kms: ServerProcess, path: Path) -> int:
    command = [sys.executable, "-m", "kms_server.cli.main", "s3", "forward-secret", str(path)]
    return subprocess.run(command, env=kms._env, check=False, capture_output=True).returncode
