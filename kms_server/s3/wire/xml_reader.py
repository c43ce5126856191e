"""Reading the XML of requests: elements and text, no document types, no entities of their own."""

from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from kms_server.s3.errors import MalformedXML

_MOST_DEPTH = 16
# The longest document that means anything has 10,000 parts of a few elements each.
_MOST_ELEMENTS = 100_000


class _Strict(TreeBuilder):
    """Builds elements by their local names."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = self._count = 0

    def start(self, tag: str, attrs: dict[str, str]) -> Element:
        """An element begins."""
        self._depth += 1
        self._count += 1
        if self._depth > _MOST_DEPTH or self._count > _MOST_ELEMENTS:
            raise MalformedXML
        return super().start(tag.rpartition("}")[2], attrs)

    def end(self, tag: str) -> Element:
        """An element ends."""
        self._depth -= 1
        return super().end(tag.rpartition("}")[2])

    def doctype(self, _name: str, _public: str | None, _system: str | None) -> None:
        """A document type is refused: entities live there."""
        raise MalformedXML


def parse(data: bytes, root: str) -> Element:
    """The root element of a document, which must be called `root`; namespaces are left out.

    Raises:
        MalformedXML
    """
    parser = XMLParser(target=_Strict())  # noqa: S314 - without a document type there are no entities to expand
    try:
        parser.feed(data)
        found: Element = parser.close()
    except (ParseError, ValueError, LookupError):
        raise MalformedXML from None
    if found.tag != root:
        raise MalformedXML
    return found


def content(element: Element) -> str | dict[str, Any]:
    """What an element says: its text, or its children by name; those of one name are a list."""
    found: dict[str, Any] = {}
    for child in element:
        found.setdefault(child.tag, []).append(content(child))
    if not found:
        return (element.text or "").strip()
    return {name: items[0] if len(items) == 1 else items for name, items in found.items()}


def text_of(element: Element, name: str) -> str | None:
    """The text of a child element; None where there is none.

    Raises:
        MalformedXML: there are several.
    """
    children = element.findall(name)
    if len(children) > 1:
        raise MalformedXML
    return (children[0].text or "").strip() if children else None
