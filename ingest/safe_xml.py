"""XML from outside: a small tree, and no document type, so that no entity can unfold or lead anywhere."""

from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

__all__ = ["NotXml", "parse_xml"]

MAX_DEPTH = 100
_SEPARATOR = "}"


class NotXml(Exception):
    """Raised for what is no XML, or for XML with a document type, or nested too deeply; one line."""


def parse_xml(body: bytes) -> Element:
    """The document's root; names are `{namespace}name`, as in ElementTree. Raises NotXml."""
    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    parser.buffer_text = True
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            message = f"it is nested more than {MAX_DEPTH} deep"
            raise NotXml(message)
        builder.start(_qualified(name), {_qualified(key): value for key, value in attributes.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_qualified(name))

    def refuse(*_: object) -> NoReturn:
        message = "it has a document type, which is not read"
        raise NotXml(message)

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # an unknown encoding is a ValueError or LookupError
        message = f"it is no XML: {error}"
        raise NotXml(message) from None
    return builder.close()


def _qualified(name: str) -> str:
    return "{" + name if _SEPARATOR in name else name
