"""`credentials.env`: the first root access key and where the server is, for a shell to source."""

import shlex

from kms_server.config import DEFAULT_REGION, Settings
from kms_server.files import write_private

_ENDPOINT = ("export AWS_ENDPOINT_URL=", "export AWS_CA_BUNDLE=")


def write(settings: Settings, access_key_id: str, secret: str) -> None:
    """Make the file, durable before this returns."""
    access = {
        "AWS_ACCESS_KEY_ID": access_key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": DEFAULT_REGION,
    }
    write_private(settings.credentials_file, (_exports(access) + _endpoint(settings)).encode())


def note_endpoint(settings: Settings) -> None:
    """Write how the server is reached now into the file, where that still exists."""
    path = settings.credentials_file
    if not path.exists():
        return
    old = path.read_text()
    kept = [f"{line}\n" for line in old.splitlines() if not line.startswith(_ENDPOINT)]
    new = "".join(kept) + _endpoint(settings)
    if new != old:
        write_private(path, new.encode())


def _endpoint(settings: Settings) -> str:
    lines = {"AWS_ENDPOINT_URL": settings.url}
    if settings.tls_auto:
        lines["AWS_CA_BUNDLE"] = str(settings.data_dir.resolve() / "tls" / "ca.pem")
    return _exports(lines)


def _exports(values: dict[str, str]) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
