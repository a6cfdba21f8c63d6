"""What a receiver reads of multipart/form-data, with nothing of ours and nothing of httpx."""

from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP

__all__ = ["Part", "read_form"]


@dataclass(frozen=True)
class Part:
    """A field, or a file, which has a name."""

    content: bytes
    filename: str | None
    headers: dict[str, str]
    """Their names are in small letters."""


def read_form(content_type: str, body: bytes) -> dict[str, Part]:
    """The parts by the fields' names; ValueError for what is no form, or is one with a defect."""
    form = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    if form.get_content_type() != "multipart/form-data" or not form.is_multipart() or form.defects:
        message = f"no form: {content_type} {form.defects}"
        raise ValueError(message)
    found: dict[str, Part] = {}
    for part in form.iter_parts():
        name = part.get_param("name", header="Content-Disposition")
        content = part.get_payload(decode=True)
        if part.get_content_disposition() != "form-data" or not isinstance(name, str) or name in found:
            message = f"no field of its own: {part['Content-Disposition']}"
            raise ValueError(message)
        assert isinstance(content, bytes)
        found[name] = Part(content, part.get_filename(), {key.lower(): str(value) for key, value in part.items()})
    return found
