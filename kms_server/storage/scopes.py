"""Change scopes that several stores mark."""


def key_scope(key_id: str, region: str) -> str:
    """The change scope of a key: its policy, state, material, tags, aliases and grants."""
    return f"key:{region}:{key_id}"
