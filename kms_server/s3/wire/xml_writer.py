"""S3's answers as XML."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from kms_server.protocol.query_faults import xml_text

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
CONTENT_TYPE = "application/xml"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

# A list is one element for each of its items; None is no element at all.
Content: TypeAlias = "str | int | Mapping[str, Content] | Sequence[Content] | None"


def document(
    root: str, content: Mapping[str, Content] | str, *, namespace: str | None = NAMESPACE,
    following: Iterable[tuple[str, Content]] = (),
) -> bytes:  # fmt: skip
    """A whole document: elements in the order of `content`, or text alone, then those `following`.

    Behind a space the name of an element may have attributes.
    """
    attribute = f' xmlns="{namespace}"' if namespace else ""
    inner = xml_text(content) if isinstance(content, str) else _inner(content)
    more = "".join([_element(name, value) for name, value in following])
    return f"{_DECLARATION}<{root}{attribute}>{inner}{more}</{root}>".encode()


def _inner(content: Mapping[str, Content]) -> str:
    return "".join([_element(name, value) for name, value in content.items()])


def _element(name: str, value: Content) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return f"<{name}>{str(value).lower()}</{name}>"
    if isinstance(value, Mapping):
        return f"<{name}>{_inner(value)}</{name.partition(' ')[0]}>"
    if isinstance(value, str | int):
        return f"<{name}>{xml_text(str(value))}</{name}>"
    return "".join([_element(name, item) for item in value])
