"""What is hidden of people before a post travels, and what must not be taken for it."""

import re
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from bearometer.post import Post
from bearometer.settings import IngestSettings
from ingest.normalise import normalise
from ingest.privacy import hide_contacts, mask_contacts, pseudonym
from ingest.source import RawPost

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
KEY = "one key of our own, for tests"
HIDING = IngestSettings(author_key=SecretStr(KEY), link_names=False)
MASKING = IngestSettings(mask_contacts=True, link_names=False)

PIECES = st.sampled_from(
    [
        *("+1", "+44", "212", "555", "0142", "(212)", "2125550142", "7946", "0958", "20", "1"),
        *("-", ".", " ", "call ", "tel:", "$", "@", "a.b", "example.com", "[email]", "[phone]", "ext. 5", "\n", "/"),
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=4), max_size=14).map("".join)


def post_of(settings: IngestSettings, text: str = "Acme falls", **fields: object) -> Post:
    raw = {"text": text, "published_at": NOW, "position": "line 1", "author": "Ann_Lee", **fields}
    return normalise(RawPost(**raw), "wire", settings, NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("mail john.doe+x@mail.example.com, now", "mail [email], now"),
        ("mailto:JOHN@EXAMPLE.CO.UK!", "mailto:[email]!"),
        ("jürgen@beispiel.example and _x@y.example", "[email] and [email]"),
        ("tips: a@b.example;c@d.example", "tips: [email];[email]"),
        ("WhatsApp +1 (212) 555-0142 for signals", "WhatsApp [phone] for signals"),
        ("+442079460958", "[phone]"),
        ("join +49 171 1234567 today", "join [phone] today"),
        ("call 212-555-0142 or (415) 555-2671", "call [phone] or [phone]"),
        ("1-800-275-2273 is free", "[phone] is free"),
        ("650.253.0000", "[phone]"),
        ("text me at 212 555 0142", "text me at [phone]"),
        ("Tel: 2125550142.", "Tel: [phone]."),
        ("office 212-555-0142 ext. 77", "office [phone]"),
    ],
)
def test_contacts_are_masked(text: str, masked: str) -> None:
    assert mask_contacts(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "$AAPL 2,125,550,142 shares traded",
        "Volume 2125550142, the highest since March",
        "Volume 86,234,123 against 12 345 678 on average",
        "Market value of $2125550142",
        "Target $212.555.0142 is a joke",
        "Revenue 123.456.789 EUR, up 12.5%",
        "Revenue fell from 1.234.567.890 to 987.654.321",
        "EPS 1.24 vs 1.20, revenue 12.3bn vs 12.1bn",
        "The range is 212.50-215.30, then 220.00-225.75",
        "Support 415 267 1900, says the chart",
        "SPX 2100 2150 2200, NDX 4600 4650",
        "EURUSD 1.0842 1.0839 1.0851",
        "Bitcoin 67,123.45 -> 65,001.10 (-3.16%)",
        "+1.25% / -3.40% / +0.05%",
        "+12,345,678 jobs, -1,234,567 revised",
        "+1 234 567 890 shares were issued",
        "2015-10-14 12:30:00 UTC",
        "2015-10-14T12:30:00+02:00",
        "10/14/2015 09:30-16:00",
        "14.10.2015, 15.10.2015 and 16.10.2015",
        "20151014 20151015",
        "From 1999-2015 to 2016-2024",
        "FY 2014/2015 and 2015/2016",
        "CIK 0000320193 files an 8-K",
        "CIK=1318605; CIK=0001067983",
        "Accession number 0001193125-15-118890",
        "ISIN US0378331005 and DE0007164600",
        "GB2125550142 is made up, as an ISIN goes",
        "CUSIP 037833100, SEDOL 2046251, WKN 865985",
        "LEI HWUPKR0MPO0F3SBO2DW4 and LEI 5493006MHB84DD0ZWV18",
        "AAPL@212.50, 1000@15.25 and 500 @ 99.875",
        "@cnbc @Walmart says: #2015outlook $WMT",
        "@ann@mastodon.example said so",
        "$BRK.B, 7203.T, 0700.HK, 005930.KS",
        "AAPL151016C00115000 opened at 1.05",
        "10Y 4.125 30Y 4.375 2s10s -12.5",
        "Patent 8,046,721 and case 11-cv-01846",
        "15% of 3,500,000,000 is 525,000,000",
        "Lot 100-200-3000 of 10000 units",
        "1/2 3/4 7/8 15/16 31/32 of a point",
        "call options 115 120 125, puts 100 105 110",
        "Order 4155552671 was filled",
        "Block 1234567890123456 confirmed",
        "€1.234.567,89 and ¥123,456,789",
        "Dow 17,924.75 (+0.40%) S&P 2,003.69 (+0.40%) Nasdaq 4,838.47",
        "3M, 7-Eleven, 20th Century, 99 Cents Only, 1-800-Flowers",
    ],
)
def test_numbers_of_finance_are_left(text: str) -> None:
    assert mask_contacts(text) == text


@given(TEXTS)
def test_masking_again_changes_nothing(text: str) -> None:
    once = mask_contacts(text)
    assert mask_contacts(once) == once
    assert mask_contacts(text) == once


@given(st.lists(st.sampled_from("+12- .()@a,x\n"), max_size=40).map("".join), st.sampled_from([" ", "\n", ", "]))
def test_a_contact_is_masked_whatever_stands_before_it(before: str, gap: str) -> None:
    masked = mask_contacts(f"{before} words{gap}ann@example.com words +442079460958")
    assert "example" not in masked
    assert "7946" not in masked


@pytest.mark.parametrize(
    "piece", ["+1", "+12125550142 ", "212-555-", "a@", "a.", "a@b.", "(212)", "call us ", "1 ", "+ ", "tel: 212 "]
)
def test_hostile_text_of_the_greatest_length_is_masked_in_seconds(piece: str) -> None:
    begun = time.process_time()
    mask_contacts((piece * 20_000)[:20_000])
    assert time.process_time() - begun < 10


def test_masking_comes_before_the_fingerprint_and_the_id() -> None:
    posts = [post_of(MASKING, f"Acme falls, call {number}") for number in ("+442079460958", "+442079460959")]

    assert {post.text for post in posts} == {"Acme falls, call [phone]"}
    assert len({post.fingerprint for post in posts}) == 1
    assert len({post.id for post in posts}) == 1
    assert post_of(IngestSettings(link_names=False), "call +442079460958").text == "call +442079460958"


def test_links_that_are_contacts_are_left_out() -> None:
    links = ("https://wa.me/442079460958", "https://x.example/?to=ann%40example.com", "https://x.example/news")

    assert hide_contacts("text", links, "", MASKING) == ("text", ("https://x.example/news",))
    assert hide_contacts("text", links, "", HIDING) == ("text", links)


@given(st.text(min_size=1), st.text(min_size=1), st.text(min_size=16))
def test_a_pseudonym_depends_on_author_source_and_key_alone(author: str, source: str, key: str) -> None:
    name = pseudonym(author, source, key)

    assert re.fullmatch(r"anon-[0-9a-f]{16}", name)
    assert name == pseudonym(author, source, key)
    assert len({name, pseudonym(author, source + "2", key), pseudonym(author + "2", source, key)}) == 3
    assert name != pseudonym(author, source, key + "2")


def test_the_same_author_of_a_source_has_one_pseudonym_and_no_name() -> None:
    first = post_of(HIDING, "Acme falls", native_id="1")
    second = post_of(HIDING, "Acme rises", native_id="2", author=" Ann_Lee\n")
    other_case = post_of(HIDING, "Acme", native_id="3", author="ann_lee")

    assert first.author == second.author == pseudonym("Ann_Lee", "wire", KEY)
    assert other_case.author != first.author
    assert post_of(HIDING, "Acme", author=None).author is None
    assert "Ann" not in repr((first, second))


@pytest.mark.parametrize(
    ("author", "url"),
    [
        ("Ann_Lee", "https://x.com/ann_lee/status/1"),
        ("@Ann_Lee", "https://x.com/ANN_LEE"),
        ("Ann Lee", "https://news.example/authors/ann-lee/acme"),
        ("@ann@mastodon.example", "https://mastodon.example/@ann/11"),
        ("u/ann", "https://reddit.example/user/ann/"),
        ("ann", "https://ann.blog.example/acme"),
        ("ann", "https://x.example/post?by=Ann"),
        ("Ünal", "https://x.example/%C3%9Cnal/1"),
        ("did:plc:abc", "https://bsky.app/profile/did:plc:abc/post/1"),
    ],
)
def test_an_address_that_names_the_author_is_left_out(author: str, url: str) -> None:
    post = post_of(HIDING, f"Acme falls {url} https://x.example/acme", author=author, url=url)

    assert post.url is None
    assert post.links == ("https://x.example/acme",)
    assert post_of(IngestSettings(link_names=False), author=author, url=url).url == url


@pytest.mark.parametrize(
    ("author", "url"),
    [
        ("Reuters", "https://www.reuters.com/acme"),
        ("ann", "https://x.example/channel/annual-report"),
        ("...", "https://x.example/..."),
    ],
)
def test_an_address_that_does_not_name_the_author_is_kept(author: str, url: str) -> None:
    assert post_of(HIDING, author=author, url=url).url == url


def test_an_id_never_gives_the_author_away_and_stays_the_same() -> None:
    by_source = post_of(HIDING, native_id="at://ann_lee/post/1")
    by_text = post_of(HIDING)

    assert by_source.id == post_of(HIDING, "Acme rises", native_id="at://ann_lee/post/1").id
    assert by_source.id != post_of(HIDING, native_id="at://ann_lee/post/2").id
    assert by_text.id == post_of(HIDING).id
    assert "ann_lee" not in by_source.id
    # Who knows the text and the time could try names otherwise.
    assert by_text.id != post_of(IngestSettings(link_names=False)).id
    assert post_of(HIDING, native_id="1234").id == "wire:1234"


@pytest.mark.parametrize("key", ["", "fifteen letters"])
def test_a_short_key_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ValidationError, match="16 characters or more") as caught:
        IngestSettings(author_key=SecretStr(key))
    assert not key or key not in str(caught.value)
