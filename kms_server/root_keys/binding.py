"""What each kind of wrapped secret is bound to. Kinds never share a binding, and fields never run together.

What is wrapped under the root key is bound to the version of the root key besides (`ring.py`).
"""

from kms_server.crypto.encryption_context import length_prefixed


def _bound(kind: str, *fields: str) -> bytes:
    return length_prefixed(*(field.encode() for field in (kind, *fields)))


def material_binding(
    *,
    account: str,
    region: str,
    key_id: str,
    material_id: str,
    spec: str,
    usage: str,
    origin: str,
) -> bytes:
    """The binding of a backing key."""
    fields = account, region, key_id, material_id, spec, usage, origin
    return _bound("key material", *fields)


def fingerprint_binding(*, account: str, key_id: str, material_id: str) -> bytes:
    """The binding of the digest of imported material; members of a multi-Region key share it."""
    return _bound("material fingerprint", account, key_id, material_id)


def import_token_binding(*, account: str, region: str, key_id: str) -> bytes:
    """The binding of an import token."""
    return _bound("import token", account, region, key_id)


def grant_token_binding() -> bytes:
    """The binding of a grant token."""
    return _bound("grant token")


def session_token_binding() -> bytes:
    """The binding of a session token."""
    return _bound("session token")


def access_key_binding(*, account: str, access_key_id: str, user_name: str | None) -> bytes:
    """The binding of a secret access key; the account's root has no user name."""
    owner = "root" if user_name is None else f"user/{user_name}"
    return _bound("secret access key", account, access_key_id, owner)


def chain_key_binding() -> bytes:
    """The binding of the key that authenticates the audit log."""
    return _bound("audit chain key")


def signing_key_binding(*, fingerprint: str) -> bytes:
    """The binding of a key that signs digests of the audit log."""
    return _bound("digest signing key", fingerprint)


def token_key_binding() -> bytes:
    """The binding of the key that tokens are wrapped under."""
    return _bound("token key")


def successor_binding(*, version: int, place: str) -> bytes:
    """The binding by which the root key vouches for its next version, and for where that is."""
    return _bound("root key successor", str(version), place)
