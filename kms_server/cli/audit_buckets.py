"""The tables [audit.buckets.NAME] of the configuration: where trails deliver to that is no bucket of this server."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kms_server.arn import is_region
from kms_server.config import AuditBucket, DirectoryBucket, EndpointBucket
from kms_server.errors import OperatorError


def read_buckets(path: Path, audit: object) -> Mapping[str, AuditBucket]:
    """The buckets in the table `audit` of the file at `path`.

    Raises:
        OperatorError: it has what is unknown, or wrong.
    """
    buckets = _table(path, "audit", audit).pop("buckets", {})
    _refuse_others(path, "audit", _table(path, "audit", audit), {"buckets"})
    return {
        name: _bucket(path, f"audit.buckets.{name}", table)
        for name, table in _table(path, "audit.buckets", buckets).items()
    }


def _bucket(path: Path, title: str, content: object) -> AuditBucket:
    table = {name.replace("_", "-"): value for name, value in _table(path, title, content).items()}
    if ("directory" in table) == ("endpoint" in table):
        raise OperatorError(f"{path}: {title} must have either directory or endpoint")
    if "directory" in table:
        _refuse_others(path, title, table, {"directory"})
        return DirectoryBucket(Path(_text(path, title, table, "directory")))
    _refuse_others(path, title, table, _ENDPOINT)
    values = {name.replace("-", "_"): _ENDPOINT[name](_text(path, title, table, name)) for name in table}
    made = EndpointBucket(**values)
    place = urlsplit(made.endpoint)
    if place.scheme not in ("http", "https") or not place.hostname or place.path.strip("/") or place.query:
        raise OperatorError(f"{path}: {title}.endpoint must be a URL such as https://s3.example.com")
    if not is_region(made.region):
        raise OperatorError(f"{path}: {title}.region must be a Region such as eu-central-1")
    if (made.access_key_file is None) != (made.secret_key_file is None):
        raise OperatorError(f"{path}: {title} must have both access-key-file and secret-key-file, or neither")
    return made


_ENDPOINT: Mapping[str, Callable[[str], Any]] = {
    "endpoint": str, "region": str, "bucket": str, "access-key-file": Path, "secret-key-file": Path,
    "access-key-variable": str, "secret-key-variable": str,
}  # fmt: skip


def _table(path: Path, title: str, content: object) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise OperatorError(f"{path}: {title} must be a table")
    return dict(content)


def _refuse_others(
    path: Path, title: str, table: Mapping[str, Any], known: "set[str] | Mapping[str, Any]"
) -> None:
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise OperatorError(f"{path}: {title} has what is no member of it: {', '.join(unknown)}")


def _text(path: Path, title: str, table: Mapping[str, Any], name: str) -> str:
    value = table[name]
    if not isinstance(value, str) or not value:
        raise OperatorError(f"{path}: {title}.{name} must be a string")
    return value
