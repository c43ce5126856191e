"""Tokens of OpenID Connect providers: JSON Web Tokens (RFC 7519), verified by pinned keys (OpenID Connect Core 3.1.3.7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import jwt
import orjson
from jwt.types import Options

from kms_server.errors import (
    ExpiredIdentityToken,
    IDPCommunicationErrorException,
    IDPRejectedClaimException,
    InvalidIdentityTokenException,
)

# What may verify what: with anything else a public key could be taken for a secret, or no key be needed (RFC 8725).
_KEYS = {
    "RS256": ("RSA", None), "RS384": ("RSA", None), "RS512": ("RSA", None),
    "PS256": ("RSA", None), "PS384": ("RSA", None), "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"), "ES512": ("EC", "P-521"), "EdDSA": ("OKP", "Ed25519"),
}  # fmt: skip
_LEAST_RSA_BITS = 2_048
# A provider's clock may be ahead by so many seconds.
_LEEWAY = 300.0
_LONGEST_CLAIM = 255
_SHORTEST_SUBJECT = 6
_SIGNED_ONLY: Options = {"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_iss": False,
                "verify_sub": False, "verify_jti": False}  # fmt: skip
_UNVERIFIED: Options = {**_SIGNED_ONLY, "verify_signature": False}


@dataclass(frozen=True, slots=True)
class WebIdentity:
    """Whom a token speaks of; `audience` is the client that it was made for."""

    issuer: str
    subject: str
    audience: str
    condition_keys: Mapping[str, Sequence[str]]


def issuer_of(token: str) -> str:
    """The issuer that a token names, without its scheme; nothing is verified yet.

    Raises:
        InvalidIdentityTokenException: it is no token, or its issuer is no https URL.
    """
    try:
        claims = jwt.decode(token, options=_UNVERIFIED)
        _require_plain(claims)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise _malformed() from None
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or not issuer.startswith("https://"):
        raise InvalidIdentityTokenException("Issuer must be a valid URL")
    return issuer.removeprefix("https://")


def verify(token: str, url: str, client_ids: tuple[str, ...], jwks: str | None, now: float) -> WebIdentity:
    """The identity in a token of the provider at `url` (without scheme), at real time `now` (epoch seconds).

    Raises:
        IDPCommunicationErrorException: the provider's keys are not pinned.
        InvalidIdentityTokenException: the signature, the issuer or the audience is wrong, or a claim is missing.
        ExpiredIdentityToken: its time is over.
        IDPRejectedClaimException: a claim is too long.
    """
    if jwks is None:
        raise IDPCommunicationErrorException("The identity provider's keys are not pinned here.")
    claims = _signed_claims(token, jwks)
    if claims.get("iss") != f"https://{url}":
        raise InvalidIdentityTokenException("Incorrect token issuer")
    _check_times(claims, now)
    audiences = _audiences(claims)
    if not set(audiences) & set(client_ids):
        raise InvalidIdentityTokenException("Incorrect token audience")
    subject, party = claims.get("sub"), claims.get("azp", audiences[0])
    if not isinstance(subject, str) or not isinstance(party, str):
        raise InvalidIdentityTokenException("Missing a required claim: sub")
    if not _SHORTEST_SUBJECT <= len(subject) <= _LONGEST_CLAIM or len(party) > _LONGEST_CLAIM:
        raise IDPRejectedClaimException("A claim is too short or too long")
    return WebIdentity(url, subject, party, _condition_keys(url, claims, party))


def _signed_claims(token: str, jwks: str) -> dict[str, Any]:
    try:
        header = jwt.get_unverified_header(token)
        decoded: dict[str, Any] = jwt.decode(
            token, key=_key(header, jwks), algorithms=[header["alg"]], options=_SIGNED_ONLY
        )
        _require_plain(decoded)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise InvalidIdentityTokenException("The ID Token's signature could not be verified") from None
    return decoded


def _require_plain(claims: Mapping[str, Any]) -> None:
    """PyJWT reads JSON by the standard library: claims must be what our reader and our records can have, too.

    Raises:
        TypeError: there is a lone surrogate, or an integer of more than 64 bits.
    """
    orjson.dumps(claims)


def _key(header: Mapping[str, Any], jwks: str) -> jwt.PyJWK:
    """The one pinned key that a header's algorithm and key id fit."""
    algorithm, key_id = header.get("alg"), header.get("kid")
    if algorithm not in _KEYS:
        raise InvalidIdentityTokenException("The ID Token's algorithm is not supported")
    kind, curve = _KEYS[algorithm]
    fitting = [
        key
        for key in orjson.loads(jwks)["keys"]
        if key.get("kty") == kind
        and (curve is None or key.get("crv") == curve)
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (key_id is None or key.get("kid") == key_id)
    ]
    if len(fitting) != 1:
        raise InvalidIdentityTokenException(
            "Couldn't retrieve verification key from your identity provider, please reference "
            "AssumeRoleWithWebIdentity documentation for requirements"
        )
    key = jwt.PyJWK(fitting[0], algorithm=algorithm)
    if kind == "RSA" and key.key.key_size < _LEAST_RSA_BITS:
        raise InvalidIdentityTokenException("The identity provider's key is too short")
    return key


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    expires = claims.get("exp")
    moments = [expires, *(claims[name] for name in ("nbf", "iat") if name in claims)]
    if not all(type(moment) in (int, float) and isfinite(moment) for moment in moments):
        raise InvalidIdentityTokenException("Missing a required claim: exp, or a time that is no number")
    if moments[0] <= now:
        raise ExpiredIdentityToken(
            f"Token expired: current date/time {int(now)} must be before the expiration date/time {int(moments[0])}"
        )
    if any(moment > now + _LEEWAY for moment in moments[1:]):
        raise InvalidIdentityTokenException("The ID Token is not valid yet")


def _audiences(claims: Mapping[str, Any]) -> list[str]:
    audience = claims.get("aud")
    audiences = _texts(audience)
    if not audiences or (isinstance(audience, list) and len(audiences) < len(audience)):
        raise InvalidIdentityTokenException("Missing a required claim: aud")
    return audiences


def _condition_keys(url: str, claims: Mapping[str, Any], party: str) -> dict[str, list[str]]:
    """AWS "Available keys for OIDC federation": `aud` is the authorized party where there is one."""
    keys = {
        "aud": [party],
        "sub": [claims["sub"]],
        "amr": _texts(claims.get("amr")),
        "oaud": _texts(claims["aud"]),
    }
    found = {f"{url}:{name}": values for name, values in keys.items() if values}
    if any(len(value) > _LONGEST_CLAIM for values in found.values() for value in values):
        raise IDPRejectedClaimException("A claim is too long")
    return found


def _texts(claim: object) -> list[str]:
    """The texts of a claim that is one or several."""
    return [one for one in (claim if isinstance(claim, list) else [claim]) if isinstance(one, str)]


def _malformed() -> InvalidIdentityTokenException:
    return InvalidIdentityTokenException(
        "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
    )
