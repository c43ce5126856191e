"""What each kind of wrapped secret is bound to. Kinds never share a binding, and fields never run together."""

from kms_server.crypto.encryption_context import length_prefixed


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
    fields = ("key material", account, region, key_id, material_id, spec, usage, origin, str(root_version))
    return length_prefixed(*(field.encode() for field in fields))


def access_key_binding(
    *, account: str, access_key_id: str, user_name: str | None, root_version: int
) -> bytes:
    """The binding of a secret access key; the account's root has no user name."""
    owner = "root" if user_name is None else f"user/{user_name}"
    fields = ("secret access key", account, access_key_id, owner, str(root_version))
    return length_prefixed(*(field.encode() for field in fields))
