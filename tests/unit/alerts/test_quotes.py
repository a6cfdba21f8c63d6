from urllib.parse import urlsplit

import pytest
from hypothesis import given

from alerts.quotes import web_link
from tests.sample_alerts import hostile_text


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "javascript:alert(1)",
        "data:text/html,x",
        "//example.com/a",
        "/a",
        "http://",
        "http://bank.example@evil.example/",
        "http://[::1/",
        "http://host:99999/",
        "https://a b.example/",
        "https://example.com/" + "a" * 3000,
        "ftp://example.com/a",
    ],
)
def test_only_web_addresses_become_links(url: str | None) -> None:
    assert web_link(url) is None


def test_a_link_is_re_encoded_and_stays_what_it_was() -> None:
    assert web_link("https://Example.com/a?b=1&c=%20#d") == "https://example.com/a?b=1&c=%20#d"
    assert web_link("https://example.com/a|b>c<d\"e'f") == "https://example.com/a%7Cb%3Ec%3Cd%22e%27f"
    assert web_link("https://münchen.example/ä") == "https://xn--mnchen-3ya.example/%C3%A4"


@given(hostile_text.map(lambda text: f"https://example.com/{text}"))
def test_no_link_holds_a_character_that_ends_it(url: str) -> None:
    link = web_link(url)
    if link is not None:
        assert link.isascii()
        assert not set(link) & set("<>|\"'\\ \r\n\t`")
        assert urlsplit(link).hostname == "example.com"
