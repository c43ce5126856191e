"""The one reader of AWS query requests: a form of flat names becomes the tree that the names describe.

`Tags.member.1.Key=a` is the text `a` at `Tags` > `member` > `1` > `Key`; what the operation's schema makes of it is
the schema's business (`schemas.fields`).
"""

import re
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes

from kms_server.errors import SerializationException, UnknownOperationException
from kms_server.protocol.message import Request

FORM_TYPE = "application/x-www-form-urlencoded"
VERSIONS = {"2010-05-08": "iam", "2011-06-15": "sts"}

# A text, or what stands under a name, by the next part of the name.
Node: TypeAlias = "str | dict[str, Any]"

_MOST_MEMBERS = 2_000
_DEEPEST = 12
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def is_query(request: Request) -> bool:
    """Whether a request speaks the query protocol: a POST with a form, or a query string that names an action."""
    if request.method not in ("GET", "POST"):
        return False
    named = request.path == "/" and "Action=" in request.query
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return named or (request.method == "POST" and content_type == FORM_TYPE)


def read_form(request: Request) -> dict[str, Any]:
    """The tree of a request's form, which is its query string followed by its body.

    Raises:
        SerializationException: it is no form, has too many members, or says one thing twice.
    """
    tree: dict[str, Any] = {}
    parts = [part for part in (request.query.encode("latin-1"), request.body) if part]
    if sum(part.count(b"&") + 1 for part in parts) > _MOST_MEMBERS:
        raise SerializationException(f"The request has more than {_MOST_MEMBERS} members")
    for item in filter(None, b"&".join(parts).split(b"&")):
        name, _, value = item.partition(b"=")
        _plant(tree, _decoded(name), _decoded(value))
    return tree


def target(request: Request, tree: dict[str, Any]) -> tuple[str, str]:
    """Service and operation that `Version` and `Action` name.

    Only STS is asked by GET: a GET needs no consent of a web page's reader, and all of IAM's would do something.

    Raises:
        UnknownOperationException: no service of ours has that version.
    """
    action, version = tree.get("Action"), tree.get("Version", "NO_VERSION_SPECIFIED")
    service = VERSIONS.get(version) if isinstance(version, str) else None
    if service is None or not isinstance(action, str) or (request.method == "GET" and service != "sts"):
        raise unknown_operation(tree)
    return service, action


def unknown_operation(tree: dict[str, Any]) -> UnknownOperationException:
    """The error for an operation that there is not, in AWS's words."""
    action, version = tree.get("Action", ""), tree.get("Version", "NO_VERSION_SPECIFIED")
    return UnknownOperationException(f"Could not find operation {action} for version {version}")


def _plant(tree: dict[str, Any], name: str, value: str) -> None:
    *path, last = name.split(".")
    if len(path) >= _DEEPEST:
        raise SerializationException("A member is nested too deeply")
    node: Any = tree
    for part in path:
        node = node.setdefault(part, {})
        if not isinstance(node, dict):
            raise _twice(name)
    if last in node:
        raise _twice(name)
    node[last] = value


def _twice(name: str) -> SerializationException:
    return SerializationException(f"The member {name} is there more than once")


def _decoded(text: bytes) -> str:
    if _BAD_ESCAPE.search(text):
        raise SerializationException("A percent sign must be followed by two hexadecimal digits")
    try:
        return unquote_to_bytes(text.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise SerializationException("The request is not in UTF-8") from None
