"""Tokens of OpenID Connect providers: what verifies, and everything that must not."""

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from kms_server import errors as e
from kms_server.errors import ServiceError
from kms_server.protocol import web_identity

NOW = 1_800_000_000.0
URL = "issuer.test/tenant"
CLAIMS: dict[str, Any] = {
    "iss": f"https://{URL}",
    "aud": "app",
    "sub": "repo:me/x",
    "exp": NOW + 60,
    "iat": NOW,
    "nbf": NOW,
}
KEYS: dict[str, Any] = {
    "RS256": rsa.generate_private_key(65_537, 2_048), "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()), "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}  # fmt: skip
PUBLISHERS: dict[str, Any] = {
    "RS256": jwt.algorithms.RSAAlgorithm, "ES256": jwt.algorithms.ECAlgorithm, "ES384": jwt.algorithms.ECAlgorithm,
    "EdDSA": jwt.algorithms.OKPAlgorithm,
}  # fmt: skip


def published(name: str, **more: str) -> dict[str, Any]:
    one: dict[str, Any] = json.loads(PUBLISHERS[name].to_jwk(KEYS[name].public_key()))
    return one | {"kid": name} | more


JWKS = json.dumps({"keys": [published(name) for name in KEYS]})


def signed(algorithm: str = "RS256", key: Any = None, kid: str | None = "", **claims: Any) -> str:
    headers = {} if kid is None else {"kid": kid or algorithm}
    content = {name: value for name, value in (CLAIMS | claims).items() if value is not None}
    return jwt.PyJWS().encode(json.dumps(content).encode(), key or KEYS[algorithm], algorithm, headers)


def verify(token: str, *, jwks: str | None = JWKS, now: float = NOW) -> web_identity.WebIdentity:
    return web_identity.verify(token, URL, ("app", "other"), jwks, now)


@pytest.mark.parametrize("algorithm", KEYS)
def test_each_kind_of_key(algorithm: str) -> None:
    identity = verify(signed(algorithm))
    assert (identity.issuer, identity.subject, identity.audience) == (URL, "repo:me/x", "app")
    assert identity.condition_keys == {
        f"{URL}:aud": ["app"],
        f"{URL}:sub": ["repo:me/x"],
        f"{URL}:oaud": ["app"],
    }


def test_other_hashes_of_the_same_key() -> None:
    for algorithm in ("RS384", "RS512", "PS256", "PS384", "PS512"):
        assert verify(signed(algorithm, KEYS["RS256"], kid="RS256")).subject == "repo:me/x"


def test_authorized_party_and_methods() -> None:
    identity = verify(signed(azp="phone", amr=["authenticated", "x"], aud=["none", "other"]))
    assert identity.audience == "phone"
    assert identity.condition_keys == {
        f"{URL}:aud": ["phone"], f"{URL}:sub": ["repo:me/x"], f"{URL}:amr": ["authenticated", "x"],
        f"{URL}:oaud": ["none", "other"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"exp": NOW}, e.ExpiredIdentityToken), ({"exp": 0}, e.ExpiredIdentityToken),
        ({"exp": None}, e.InvalidIdentityTokenException), ({"exp": "soon"}, e.InvalidIdentityTokenException),
        ({"exp": True}, e.InvalidIdentityTokenException), ({"exp": float("nan")}, e.InvalidIdentityTokenException),
        ({"exp": float("inf")}, e.InvalidIdentityTokenException), ({"nbf": NOW + 301}, e.InvalidIdentityTokenException),
        ({"iat": NOW + 301}, e.InvalidIdentityTokenException), ({"nbf": []}, e.InvalidIdentityTokenException),
        ({"exp": 10**400}, e.InvalidIdentityTokenException), ({"iat": -(10**400)}, e.InvalidIdentityTokenException),
        ({"sub": "\ud800 half a character"}, e.InvalidIdentityTokenException), ({"azp": "\udfff"}, e.InvalidIdentityTokenException),
        ({"amr": ["\ud800"]}, e.InvalidIdentityTokenException), ({"aud": ["app", "\ud800"]}, e.InvalidIdentityTokenException),
        ({"iss": "https://issuer.test"}, e.InvalidIdentityTokenException), ({"iss": None}, e.InvalidIdentityTokenException),
        ({"iss": f"http://{URL}"}, e.InvalidIdentityTokenException), ({"aud": "foreign"}, e.InvalidIdentityTokenException),
        ({"aud": None}, e.InvalidIdentityTokenException), ({"aud": []}, e.InvalidIdentityTokenException),
        ({"aud": ["app", 1]}, e.InvalidIdentityTokenException), ({"sub": None}, e.InvalidIdentityTokenException),
        ({"sub": 7}, e.InvalidIdentityTokenException), ({"azp": 7}, e.InvalidIdentityTokenException),
        ({"sub": "x" * 5}, e.IDPRejectedClaimException), ({"sub": "x" * 256}, e.IDPRejectedClaimException),
        ({"azp": "x" * 256}, e.IDPRejectedClaimException), ({"amr": ["x" * 256]}, e.IDPRejectedClaimException),
    ],
    ids=str,
)  # fmt: skip
def test_claims_that_are_refused(claims: dict[str, Any], error: type[ServiceError]) -> None:
    with pytest.raises(error):
        verify(signed(**claims))


def unsigned(header: dict[str, Any], signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), json.dumps(CLAIMS).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def _swapped(token: str, other: str) -> str:
    return ".".join([*token.split(".")[:2], other.split(".")[2]])


BADLY_SIGNED = [
    unsigned({"alg": "none"}), unsigned({"alg": "NONE", "kid": "RS256"}), unsigned({"alg": ""}), unsigned({}),
    unsigned({"alg": "RS256", "kid": "RS256"}, b"x" * 256), unsigned({"alg": ["RS256"]}), unsigned({"alg": "RS256", "kid": 1}),
    jwt.encode(CLAIMS, "x" * 64, algorithm="HS256", headers={"kid": "RS256"}),
    signed("RS256", rsa.generate_private_key(65_537, 2_048)), signed("ES256", kid="ES384"), signed("RS256", kid="ES256"),
    signed(kid="none"), _swapped(signed(), signed(sub="somebody")), signed()[:-8], signed().replace(".", ""), "a.b.c",
]  # fmt: skip


@pytest.mark.parametrize("token", BADLY_SIGNED, ids=range(len(BADLY_SIGNED)))
def test_signatures_that_are_refused(token: str) -> None:
    with pytest.raises(e.InvalidIdentityTokenException):
        verify(token)


@pytest.mark.parametrize(
    "key",
    [
        published("RS256", use="enc"),
        published("RS256", alg="RS512"),
        published("RS256", kid="other"),
        published("ES256"),
    ],
    ids=["use", "algorithm", "key id", "kind"],
)
def test_keys_that_do_not_fit(key: dict[str, Any]) -> None:
    with pytest.raises(e.InvalidIdentityTokenException):
        verify(signed(), jwks=json.dumps({"keys": [key]}))


def test_which_key_must_be_clear() -> None:
    only = json.dumps({"keys": [published("RS256")]})
    assert verify(signed(kid=None), jwks=only).subject == "repo:me/x"
    with pytest.raises(e.InvalidIdentityTokenException):
        verify(signed(), jwks=json.dumps({"keys": [published("RS256")] * 2}))


def test_short_keys_and_no_keys() -> None:
    short = rsa.generate_private_key(65_537, 1_024)
    keys = json.dumps({"keys": [json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(short.public_key()))]})
    token = _swapped(signed(kid=None), signed())
    with pytest.raises(e.InvalidIdentityTokenException, match="too short"):
        verify(token, jwks=keys)
    with pytest.raises(e.IDPCommunicationErrorException):
        verify(signed(), jwks=None)


NO_ISSUER = [
    "x" * 4,
    "a.b.c",
    unsigned({"alg": "RS256"})[3:],
    signed(iss="issuer"),
    signed(iss=None),
    signed(iss=7),
    signed(iss="https://\ud800"),
    unsigned({"alg": "none"}).replace(".", f".{base64.urlsafe_b64encode(b'[' * 9_000).decode()}", 1),
]


@pytest.mark.parametrize("token", NO_ISSUER, ids=range(len(NO_ISSUER)))
def test_tokens_without_an_issuer(token: str) -> None:
    with pytest.raises(e.InvalidIdentityTokenException):
        web_identity.issuer_of(token)


def test_the_issuer_that_a_token_names() -> None:
    assert web_identity.issuer_of(signed(exp=0)) == URL


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3),
)


@given(
    st.text(max_size=60)
    | st.dictionaries(st.sampled_from(["alg", "kid", "crit", "b64", "typ", "zip"]), JSON).map(unsigned)
)
def test_no_text_is_our_fault(token: str) -> None:
    for step in (web_identity.issuer_of, verify):
        try:
            step(token)
        except ServiceError:
            continue


@given(st.dictionaries(st.sampled_from([*CLAIMS, "azp", "amr"]), JSON))
def test_no_claims_are_our_fault(claims: dict[str, Any]) -> None:
    token = signed("ES256", **claims)
    for step in (web_identity.issuer_of, verify):
        try:
            step(token)
        except ServiceError:
            continue
