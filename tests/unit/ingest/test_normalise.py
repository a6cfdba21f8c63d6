"""What becomes of a post on its way in."""

import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bearometer.errors import Misconfigured, Reason, Rejected
from bearometer.post import Post
from bearometer.settings import IngestSettings
from ingest.language import clean_language
from ingest.normalise import MAX_RAW_CHARS, fingerprint, normalise
from ingest.source import RawPost

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SETTINGS = IngestSettings()

PIECES = st.sampled_from(
    [
        "&amp;",
        "&amp;amp;lt;",
        "&lt;b&gt;",
        "&#36;ACME",
        "$ACME ",
        "http://example.com/a?b=c",
        "www.",
        "t.co/",
        "https://",
        "\x00",
        "�",
        "́",
        "é",
        " ",
        "\n",
        "RT @a: ",
        " via @b",
        "…",
        ").",
        "é",
        "ß",
        "İ",
        "\u200b",
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=8), max_size=12).map("".join)


def raw(text: str = "Acme falls", **fields: object) -> RawPost:
    return RawPost(**{"text": text, "published_at": NOW, "position": "line 1", **fields})  # type: ignore[arg-type]


def post_of(text: str, **fields: object) -> Post:
    return normalise(raw(text, **fields), "test", SETTINGS, NOW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Acme &amp; Sons", "Acme & Sons"),
        ("Acme &amp;amp; Sons", "Acme & Sons"),
        ("up &amp;gt; 5%", "up > 5%"),
        ("cafe\u0301", "caf\u00e9"),
        ("a\x00b\x1bc", "abc"),
        (" two\n\nlines\t", "two lines"),
        ("half \ud83d here", "half \ufffd here"),
        ("whole \ud83d\ude00", "whole \U0001f600"),
        ("&#" + "9" * 5_000 + "; x", "\ufffd x"),
    ],
)
def test_text_is_unescaped_composed_and_without_control_characters(text: str, expected: str) -> None:
    assert post_of(text).text == expected


@pytest.mark.parametrize(
    ("text", "expected", "links"),
    [
        ("Acme falls http://t.co/abc", "Acme falls", ("http://t.co/abc",)),
        ("Acme fallshttps://example.com/a,b.", "Acme falls .", ("https://example.com/a,b",)),
        ("see (www.example.com/x) now", "see ( ) now", ("www.example.com/x",)),
        ("pic.twitter.com/xyz Acme", "Acme", ("pic.twitter.com/xyz",)),
        ("wiki https://example.com/Acme_(firm)", "wiki", ("https://example.com/Acme_(firm)",)),
        ("cut short http://… here", "cut short here", ()),
        ("mail a@www.example.com", "mail a@www.example.com", ()),
    ],
)
def test_links_move_out_of_the_text(text: str, expected: str, links: tuple[str, ...]) -> None:
    post = post_of(text)
    assert post.text == expected
    assert post.links == links


@pytest.mark.parametrize("text", ["", " \n", "\x00", "http://t.co/abc", "https://t.co/a https://t.co/b"])
def test_a_post_without_words_is_rejected(text: str) -> None:
    with pytest.raises(Rejected) as caught:
        post_of(text)
    assert caught.value.reason is Reason.NO_TEXT


@pytest.mark.parametrize("text", ["x" * 20_001, "x" * (MAX_RAW_CHARS + 1), "word " + "http://e.com/" + "a" * 30_000])
def test_a_post_that_is_too_long_is_rejected(text: str) -> None:
    with pytest.raises(Rejected) as caught:
        post_of(text)
    assert caught.value.reason is Reason.TOO_LONG


@pytest.mark.parametrize(
    "moment",
    [
        None,
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2100, 1, 1, tzinfo=UTC),
        NOW + timedelta(hours=25),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
    ],
)
def test_a_time_out_of_the_allowed_years_is_rejected(moment: datetime | None) -> None:
    with pytest.raises(Rejected) as caught:
        post_of("Acme falls", published_at=moment)
    assert caught.value.reason is Reason.BAD_TIME


def test_times_become_utc() -> None:
    moment = datetime(2026, 3, 2, 13, 0, tzinfo=timezone(timedelta(hours=2)))
    assert post_of("Acme falls", published_at=moment).published_at == datetime(2026, 3, 2, 11, 0, tzinfo=UTC)


def test_a_post_without_an_id_has_the_same_one_when_it_is_read_again() -> None:
    first, again = (post_of("Acme falls", author="ann") for _ in range(2))
    other = post_of("Acme falls", author="bob")
    assert first.id == again.id
    assert first.id != other.id


def test_an_overlong_id_is_rejected() -> None:
    with pytest.raises(Rejected) as caught:
        post_of("Acme falls", native_id="7" * 501)
    assert caught.value.reason is Reason.BAD_ID


def test_symbols_of_the_source_are_authoritative() -> None:
    assert post_of("$ACME falls", symbols=("wile", "$brk.b", "*", "")).symbols == ("WILE", "BRK.B")
    assert post_of("$ACME falls", symbols=("*",)).symbols == ("ACME",)
    assert post_of("Walmart falls", symbols=("wile",)).symbols == ("WILE",)


def test_a_company_that_is_only_named_gets_its_symbol() -> None:
    assert post_of("Wal-Mart&#39;s profit falls http://t.co/apple, $ACME too").symbols == ("WMT", "ACME")
    assert post_of("I ate an apple. Share on Facebook").symbols == ()


def test_names_of_ones_own_are_linked_and_a_bad_file_of_them_is_named(tmp_path: Path) -> None:
    names = tmp_path / "names.csv"
    names.write_text("QVLT,Quivolt Motors|Quivolt\n", "utf-8")
    settings = IngestSettings(gazetteer=names)
    assert normalise(raw("Quivolt falls, Walmart too"), "test", settings, NOW).symbols == ("QVLT", "WMT")
    bad = tmp_path / "bad.csv"
    bad.write_text("QVLT\n", "utf-8")
    with pytest.raises(Misconfigured, match=r"bad\.csv, line 1"):
        normalise(raw(), "test", IngestSettings(gazetteer=bad), NOW)


def test_only_web_addresses_are_kept_as_a_url() -> None:
    assert post_of("Acme", url="javascript:alert(1)").url is None
    assert post_of("Acme", url="https://example.com/1").url == "https://example.com/1"


@pytest.mark.parametrize(
    ("tag", "expected"), [("en-US", "en"), ("in", "id"), ("DE_at", "de"), ("und", "und"), ("<b>", "und")]
)
def test_a_language_tag_is_reduced_to_its_primary_part(tag: str, expected: str) -> None:
    assert clean_language(tag) == expected


def test_the_language_is_guessed_when_the_source_does_not_say() -> None:
    assert post_of("The company has lowered its forecast for the whole of next year").language == "en"
    assert post_of("Das Unternehmen hat seine Prognose für das nächste Jahr gesenkt").language == "de"
    assert post_of("$ACME $QMRK").language == "und"
    assert post_of("$ACME $QMRK", language="sk").language == "und"


@given(TEXTS)
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    try:
        first = post_of(text, language="en")
    except Rejected:
        return
    assert post_of(first.text, language="en").text == first.text


@given(TEXTS)
def test_any_text_can_be_encoded_afterwards(text: str) -> None:
    try:
        post = post_of(text, author=text[:20], native_id=text[:20], language="en")
    except Rejected:
        return
    for part in (post.text, post.id, post.author or "", *post.links):
        part.encode()
        assert "\x00" not in part


WORDS = st.lists(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8), min_size=1, max_size=6
)


@given(WORDS, st.sampled_from([" ", "  ", "\n", "\u2003"]))
def test_white_space_and_case_do_not_change_the_fingerprint(words: list[str], space: str) -> None:
    text = " ".join(" ".join(words).split())
    plainly = fingerprint(text)
    assert fingerprint(space + text.replace(" ", space) + space) == plainly
    assert fingerprint(text.upper()) == plainly
    assert fingerprint(text.lower()) == plainly


@given(WORDS, st.sampled_from(["ann", "B_2", "x"]))
def test_links_and_retweet_marks_do_not_change_the_fingerprint(words: list[str], name: str) -> None:
    text = " ".join(" ".join(words).split())
    assume(fingerprint(text) != fingerprint(""))
    assume(not text.startswith(":"))  # it would belong to the mark
    plainly = fingerprint(text)
    assert fingerprint(f"RT @{name}: {text}") == plainly
    assert fingerprint(f"{text} via @{name}") == plainly
    assert fingerprint(f"{text} http://example.com/1") == plainly


def test_different_words_have_different_fingerprints() -> None:
    texts = ["Acme falls", "Acme fell", "Acme falls again", "RT Acme falls", "falls via Acme"]
    assert len({fingerprint(text) for text in texts}) == len(texts)


HOSTILE = {
    "escapes": "&amp;" * 200_000,
    "nested escapes": "&" + "amp;" * 240_000,
    "a long number": "&#" + "9" * 999_000,
    "a long hex number": "&#x" + "f" * 990_000,
    "combining marks": "a" + "\u0316\u0301" * 499_000,
    "schemes": "http://" * 140_000,
    "half links": "www." * 249_000,
    "truncated links": "http…" * 190_000,
    "link ends": "http://x" + ")." * 490_000,
    "via marks": "via @a " * 140_000 + "x",
    "retweet marks": "rt @a " * 150_000,
    "cashtags": "$A" * 499_000,
    "spaces": " " * 999_000 + "x",
    "surrogates": "\ud800" * 999_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_megabyte_takes_linear_time(text: str) -> None:
    settings = IngestSettings(max_text_chars=MAX_RAW_CHARS)
    started = time.process_time()
    try:
        normalise(raw(text, language="en"), "test", settings, NOW)
    except Rejected as error:
        assert error.reason in {Reason.NO_TEXT, Reason.TOO_LONG}
    # Linear takes a second at the worst; quadratic would take an hour.
    assert time.process_time() - started < 10
