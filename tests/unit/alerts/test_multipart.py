import pytest

from alerts.multipart import multipart
from tests.forms import Part, read_form

PNG = b"\x89PNG\r\n\x1a\n\r\n--\r\n\x00\xff"
FILE = ("chart.png", PNG, "image/png")


def sent(fields: dict[str, str], files: dict[str, tuple[str, bytes, str]]) -> dict[str, Part]:
    body, content_type = multipart(fields, files)
    return read_form(content_type, body)


def test_a_form_has_its_fields_and_its_file_byte_for_byte() -> None:
    found = sent({"chat_id": "-100", "text": "Größe\n2 €"}, {"photo": FILE})
    assert list(found) == ["chat_id", "text", "photo"]
    assert (found["chat_id"].content, found["text"].content) == (b"-100", "Größe\n2 €".encode())
    assert (found["photo"].content, found["photo"].filename) == (PNG, "chart.png")
    assert found["photo"].headers["content-type"] == "image/png"
    assert found["text"].filename is None


@pytest.mark.parametrize("name", ['a"b', "a\r\nX-Evil: 1", "a\n\n--"])
def test_no_name_ends_its_header(name: str) -> None:
    field, photo = sent({name: "1"}, {"photo": (name, PNG, "image/png")}).values()
    assert field.headers.keys() | photo.headers.keys() == {"content-disposition", "content-type"}
    assert (field.content, photo.content) == (b"1", PNG)


def test_no_text_ends_its_part() -> None:
    body, content_type = multipart({"text": "x"}, {"photo": FILE})
    quoted = body.decode("latin-1")
    assert sent({"text": quoted}, {"photo": FILE})["text"].content == quoted.encode()
    assert multipart({"text": "x"}, {"photo": FILE})[1] != content_type


def test_what_cannot_be_a_form_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        multipart({"text": "\ud800"}, {"photo": FILE})
    with pytest.raises(ValueError, match="without files"):
        multipart({"text": "x"}, {})
