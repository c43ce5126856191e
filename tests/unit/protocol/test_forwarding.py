"""Claims: for one request, under one secret, for a short time."""

import base64
from collections.abc import Callable

import orjson
import pytest
from msgspec import structs

from kms_server.errors import InvalidSignatureException
from kms_server.protocol import forwarding
from kms_server.protocol.forwarding import HEADER, Claim, claim_key, open_claim, seal
from kms_server.protocol.message import Request

NOW = 1_790_000_000.0
KEY = claim_key(b"k" * 32)
CLAIM = Claim({"kind": "Root", "tags": {"a": "ü"}}, "s3", "us-east-1", "arn:aws:s3:::b/k", None)
PLAIN = Request("POST", "/", {"x-amz-target": "TrentService.Decrypt"}, b'{"a":1}', "")


def sent(request: Request = PLAIN, now: float = NOW) -> Request:
    return structs.replace(request, headers={**request.headers, HEADER: seal(CLAIM, PLAIN, KEY, now=now)})


def test_a_claim_comes_back() -> None:
    first, second = open_claim(sent(), KEY, now=NOW), open_claim(sent(), KEY, now=NOW)
    assert first.claim == second.claim == CLAIM
    assert first.nonce != second.nonce


@pytest.mark.parametrize("late", [-5.0, 0.0, 30.0])
def test_clocks_may_differ(late: float) -> None:
    open_claim(sent(), KEY, now=NOW + late)


@pytest.mark.parametrize("late", [-5.1, 30.1, 3_600.0])
def test_a_claim_is_for_a_time(late: float) -> None:
    with pytest.raises(InvalidSignatureException, match="another time"):
        open_claim(sent(), KEY, now=NOW + late)


@pytest.mark.parametrize(
    "other",
    [
        structs.replace(PLAIN, body=b'{"a":2}'),
        structs.replace(PLAIN, body=b""),
        structs.replace(PLAIN, method="GET"),
        structs.replace(PLAIN, target="/?a"),
        structs.replace(PLAIN, headers={"x-amz-target": "TrentService.GenerateDataKey"}),
        structs.replace(PLAIN, headers={}),
    ],
    ids=range(6),
)
def test_a_claim_is_for_a_request(other: Request) -> None:
    with pytest.raises(InvalidSignatureException, match="another request"):
        open_claim(sent(other), KEY, now=NOW)


def _changed(value: str) -> str:
    text, _, tag = value.partition(".")
    content = orjson.loads(base64.urlsafe_b64decode(text + "=="))
    content["caller"]["kind"] = "AssumedRole"
    return f"{base64.urlsafe_b64encode(orjson.dumps(content)).decode().rstrip('=')}.{tag}"


TAMPERED: list[Callable[[str], str]] = [
    lambda _: "",
    lambda _: ".",
    lambda value: value.partition(".")[0],
    lambda value: value.partition(".")[0] + ".",
    lambda value: "." + value.partition(".")[2],
    lambda value: value[:-2],
    lambda value: "A" + value[1:] if value[0] != "A" else "B" + value[1:],
    _changed,
    lambda value: f"{value}, {value}",
    lambda _: "ÿ.ÿ",
]


@pytest.mark.parametrize("tamper", TAMPERED, ids=range(len(TAMPERED)))
def test_a_changed_claim_is_refused(tamper: Callable[[str], str]) -> None:
    request = sent()
    changed = structs.replace(request, headers={**request.headers, HEADER: tamper(request.headers[HEADER])})
    with pytest.raises(InvalidSignatureException, match="not signed with the secret"):
        open_claim(changed, KEY, now=NOW)


def test_another_secret_is_refused() -> None:
    with pytest.raises(InvalidSignatureException, match="not signed with the secret"):
        open_claim(sent(), claim_key(b"l" * 32), now=NOW)


def test_another_version_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Claim, "_asdict", lambda _self: {"caller": {}, "news": 1})
    request = sent()
    with pytest.raises(InvalidSignatureException, match="another version"):
        open_claim(request, KEY, now=NOW)
    assert forwarding.LIFETIME == 30.0


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b'"', b"{}", b'{"digest": 1}'])
def test_a_peer_that_signs_something_else_is_refused(content: bytes) -> None:
    text = base64.urlsafe_b64encode(content).decode().rstrip("=")
    tag = base64.urlsafe_b64encode(KEY.digest(text.encode())).decode().rstrip("=")
    request = structs.replace(PLAIN, headers={**PLAIN.headers, HEADER: f"{text}.{tag}"})
    with pytest.raises(InvalidSignatureException, match="another version"):
        open_claim(request, KEY, now=NOW)


@pytest.mark.parametrize("odd", [{"digest": 1}, {"issued_at": None}, {"issued_at": "now"}, {"nonce": 1}])
def test_a_claim_with_members_of_other_types_is_refused(odd: dict[str, object]) -> None:
    value = seal(CLAIM, PLAIN, KEY, now=NOW).partition(".")[0]
    content = orjson.loads(base64.urlsafe_b64decode(value + "==")) | odd
    text = base64.urlsafe_b64encode(orjson.dumps(content)).decode().rstrip("=")
    tag = base64.urlsafe_b64encode(KEY.digest(text.encode())).decode().rstrip("=")
    with pytest.raises(InvalidSignatureException, match="another version"):
        open_claim(structs.replace(PLAIN, headers={**PLAIN.headers, HEADER: f"{text}.{tag}"}), KEY, now=NOW)
