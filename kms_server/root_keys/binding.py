"""What each kind of wrapped secret is bound to. Kinds never share a binding, and fields never run together."""

from kms_server.crypto.encryption_context import length_prefixed


def _bound(kind: str, *fields: str, root_version: int) -> bytes:
    return length_prefixed(*(field.encode() for field in (kind, *fields, str(root_version))))


def material_binding(
    *,
    account: str,
    region: str,
    key_id: str,
    material_id: str,
    spec: str,
    usage: str,
    origin: str,
    root_version: int,
) -> bytes:
    """The binding of a backing key."""
    fields = account, region, key_id, material_id, spec, usage, origin
    return _bound("key material", *fields, root_version=root_version)


def fingerprint_binding(*, account: str, key_id: str, material_id: str, root_version: int) -> bytes:
    """The binding of the digest of imported material; members of a multi-Region key share it."""
    return _bound("material fingerprint", account, key_id, material_id, root_version=root_version)


def import_token_binding(*, account: str, region: str, key_id: str, root_version: int) -> bytes:
    """The binding of an import token."""
    return _bound("import token", account, region, key_id, root_version=root_version)


def grant_token_binding(*, root_version: int) -> bytes:
    """The binding of a grant token."""
    return _bound("grant token", root_version=root_version)


def session_token_binding(*, root_version: int) -> bytes:
    """The binding of a session token."""
    return _bound("session token", root_version=root_version)


def access_key_binding(
    *, account: str, access_key_id: str, user_name: str | None, root_version: int
) -> bytes:
    """The binding of a secret access key; the account's root has no user name."""
    owner = "root" if user_name is None else f"user/{user_name}"
    return _bound("secret access key", account, access_key_id, owner, root_version=root_version)


def chain_key_binding(*, root_version: int) -> bytes:
    """The binding of the key that authenticates the audit log."""
    return _bound("audit chain key", root_version=root_version)


def signing_key_binding(*, fingerprint: str, root_version: int) -> bytes:
    """The binding of a key that signs digests of the audit log."""
    return _bound("digest signing key", fingerprint, root_version=root_version)
