"""Lists of feeds in OPML, as feed readers export them."""

from dataclasses import dataclass
from pathlib import Path

from bearometer.errors import Failed
from bearometer.terminal import plain
from ingest.safe_xml import NotXml, parse_xml

__all__ = ["ListedFeed", "read_opml"]

MAX_BYTES = 10_000_000
MAX_NAME_CHARS = 60


@dataclass(frozen=True, slots=True)
class ListedFeed:
    """One feed of a list."""

    name: str | None
    url: str


def read_opml(path: Path) -> list[ListedFeed]:
    """Every feed once, in the order of the list, whatever folder it is in; only http and https.

    Failed when the file cannot be read, is larger than 10 MB, no OPML, or one with a document type.
    """
    try:
        with path.open("rb") as file:
            body = file.read(MAX_BYTES + 1)
    except OSError as error:
        message = f"{path} cannot be read: {(error.strerror or str(error)).lower()}"
        raise Failed(message) from None
    if len(body) > MAX_BYTES:
        message = f"{path} is larger than {MAX_BYTES} bytes"
        raise Failed(message)
    try:
        root = parse_xml(body)
    except NotXml as error:
        message = f"{path} cannot be read: {error}"
        raise Failed(message) from None
    if root.tag.lower() != "opml":
        message = f"{path} is no OPML: it begins with <{plain(root.tag, 40)}>"
        raise Failed(message)
    feeds: dict[str, ListedFeed] = {}
    for outline in root.iter("outline"):
        attributes = {name.lower(): value for name, value in outline.attrib.items()}
        url = attributes.get("xmlurl", "").strip()
        name = plain(attributes.get("title") or attributes.get("text") or "", MAX_NAME_CHARS) or None
        if url.lower().startswith(("http://", "https://")):
            feeds.setdefault(url, ListedFeed(name, url))
    return list(feeds.values())
