from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearometer.errors import BearometerError, Failed, Misconfigured, Transient
from ingest.http_stream import Endpoint, Lines, refusal

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("url", "endpoint", "authority"),
    [
        ("https://example.com", Endpoint(True, "example.com", 443, "/"), "example.com"),
        ("http://example.com:8080/a?b=c", Endpoint(False, "example.com", 8080, "/a?b=c"), "example.com:8080"),
        ("https://EXAMPLE.com:443/?x", Endpoint(True, "example.com", 443, "/?x"), "example.com"),
        ("http://[::1]:80/", Endpoint(False, "::1", 80, "/"), "[::1]"),
        ("https://b\u00fccher.example/", Endpoint(True, "xn--bcher-kva.example", 443, "/"), "xn--bcher-kva.example"),
    ],
)
def test_a_url_is_taken_apart(url: str, endpoint: Endpoint, authority: str) -> None:
    assert Endpoint.of(url) == endpoint
    assert endpoint.authority == authority


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://example.com",
        "ws://example.com",
        "http://",
        "http://a b/",
        "http://a/\n",
        "http://a/#b",
        "http://a/\u00e4",
        "http://a:99999/",
        "http://[::1",
        "http://" + "a" * 70 + ".example/",
        "http://..",
    ],
)
def test_what_is_no_url_is_said(url: str) -> None:
    with pytest.raises(Misconfigured, match="is no address"):
        Endpoint.of(url)


@given(st.lists(st.binary(max_size=30), max_size=8), st.integers(1, 40))
def test_lines_are_the_same_wherever_the_stream_is_cut(chunks: list[bytes], limit: int) -> None:
    whole = b"".join(chunks) + b"\n"
    lines = Lines(limit)
    found = [line for chunk in [*chunks, b"\n"] for line in lines.feed(chunk)]
    assert found == [line.removesuffix(b"\r") if len(line) <= limit else None for line in whole.split(b"\n")[:-1]]


@pytest.mark.parametrize(
    ("status", "headers", "kind", "seconds"),
    [
        (401, {}, Misconfigured, None),
        (403, {}, Misconfigured, None),
        (404, {}, Failed, None),
        (410, {}, Failed, None),
        (302, {"location": "https://ann:secret@example.com/?key=secret"}, Failed, None),
        (408, {}, Transient, None),
        (429, {"retry-after": "5"}, Transient, 5.0),
        (500, {}, Transient, None),
        (503, {"retry-after": "Mon, 02 Mar 2026 12:01:00 GMT"}, Transient, 60.0),
        (599, {"retry-after": "nonsense"}, Transient, None),
    ],
)
def test_a_status_says_whether_it_may_pass(
    status: int, headers: dict[str, str], kind: type[BearometerError], seconds: float | None
) -> None:
    error = refusal("https://example.com/a?key=secret", status, headers, NOW, "that.setting")
    assert type(error) is kind
    assert "secret" not in str(error)
    if isinstance(error, Transient):
        assert error.retry_after_seconds == seconds
    if isinstance(error, Misconfigured):
        assert "that.setting" in str(error)
