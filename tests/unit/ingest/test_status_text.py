import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.status_text import status_text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>Acme falls</p><p>again<br>and again</p>", "Acme falls again and again"),
        ("<p>A<b>cm</b>e &amp; Sons</p>", "Acme &amp; Sons"),
        (
            '<p>See <a href="https://example.com/a/long/one" rel="nofollow"><span class="invisible">https://</span>'
            '<span class="ellipsis">example.com/a/lo</span><span class="invisible">ng/one</span></a>.</p>',
            "See https://example.com/a/long/one .",
        ),
        ('<a href="https://example.com/a/long/one">example.com/a\u2026</a>', "https://example.com/a/long/one"),
        ('<a href="https://example.com/">Acme\'s report</a> is out', "Acme's report https://example.com/ is out"),
        ('<a href="https://m.example/tags/acme" class="mention hashtag">#<span>acme</span></a>!', "#acme!"),
        (
            '<span class="h-card"><a href="https://m.example/@ann" class="u-url mention">@<span>ann</span></a></span>',
            "@ann",
        ),
        (
            "<p>never closed <a href='https://example.com/x'>shown</p><p>rest",
            "never closed shown https://example.com/x rest",
        ),
        ('<a href="javascript:alert(1)">click</a>', "click"),
        ("a <script>alert(1)</script> b <!-- c --> d", "a b d"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("", ""),
    ],
)
def test_markup_is_read_as_a_person_sees_it(markup: str, text: str) -> None:
    assert status_text(markup) == text


@given(st.text(alphabet="<>/a phref=\"'b&;:sxn \n", max_size=300))
def test_no_markup_is_too_broken(markup: str) -> None:
    assert status_text(markup) == " ".join(status_text(markup).split())


@pytest.mark.parametrize(
    "piece", ["<a href='https://x'>", "<a ", "<", "<p", "<!--", "<script>", "<b>x", 'class="', "<a class="]
)
def test_hostile_markup_takes_time_linear_in_its_length(piece: str) -> None:
    markup = piece * (400_000 // len(piece))
    started = time.process_time()
    status_text(markup)
    assert time.process_time() - started < 3
