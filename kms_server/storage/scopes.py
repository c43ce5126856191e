"""Change scopes that several stores mark."""


def key_scope(key_id: str, region: str) -> str:
    """The change scope of a key: its policy, state, material, tags and aliases."""
    return f"key:{region}:{key_id}"
