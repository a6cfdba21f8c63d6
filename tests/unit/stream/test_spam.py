"""What is spam, what only looks like it, and that no text breaks a rule or a reason."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bearometer.post import Post
from bearometer.settings import FeedSettings, IngestSettings
from bearometer.source_settings import EdgarSettings
from bearometer.spam_settings import SpamSettings
from bearometer.story import Placement
from stream.spam import CODES, find_spam, name_trusted
from tests.fakes import make_post

SETTINGS = SpamSettings()
LINK = ("https://example.com/a",)
TICKERS = "$ACME $HRBM $QVLT $NTHW $PLVR $HRBK $NMBRA $SBRW $TRSK $GLDN $WVNT $KESL"


def a_post(text: str, **changes: Any) -> Post:
    return make_post("1", text, **changes)


def placed(*, author_posts: int = 1, same_text_authors: int = 1) -> Placement:
    return Placement("0" * 16, False, same_text_authors, author_posts)


def codes(
    text: str, placement: Placement | None = None, settings: SpamSettings = SETTINGS, **changes: Any
) -> list[str]:
    return [reason.split(":")[0] for reason in find_spam(a_post(text, **changes), placement, settings)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TICKERS, "many-symbols: 12 symbols beside 0 words"),
        (f"Popular: {TICKERS}", "many-symbols: 12 symbols beside 1 word"),
        (f"$ACME Acme Inc {TICKERS} #yoga", "many-symbols: 12 symbols beside 2 words"),
        (
            "$ACME $HRBM #Profit #Boom #Yes #Now #Shops #Malls",
            "many-symbols: 2 symbols and 6 hashtags beside 0 words",
        ),
        ("We have a new pick coming on Monday $ACME", 'promotion: "new pick coming"'),
        ("Join our Telegram, you will love it $ACME", 'promotion: "join our telegram"'),
        ("Get notified! Free alerts on $ACME", 'promotion: "get notified", "free alerts"'),
        ("Our newsletter, DM me $ACME $HRBM", 'promotion: "newsletter", "dm me"'),
        ("40P-S$xr_s9.i+?cWBsS^/;$T`5J{z&AJ?jE/*7aME1E!", "gibberish: 45 characters at random"),
        ("$B$J$C$5$1$J$$E7N6$A$c(B $B%a%b%a%b(B", "gibberish: text in an encoding that was lost"),
    ],
)
def test_a_post_of_this_kind_is_spam(text: str, reason: str) -> None:
    assert find_spam(a_post(text), None, SETTINGS) == (reason,)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Looking for the next $ACME $HRBM $QVLT", 'link-farm: "looking for the next" and a link beside 3 symbols'),
        ("Up or down? $ACME $HRBM $QVLT Must see", 'link-farm: "must see" and a link beside 3 symbols'),
        (
            "ACME Acme Inc. Day Low $ACME $HRBM $QVLT $NTHW #ACME #stocks",
            "link-farm: a line of a board of quotes, beside other symbols",
        ),
        (
            "$ACME Filings Updated Sunday, March 1, 2026 1:07:16 PM $HRBM $QVLT $NTHW",
            "link-farm: a page that says it was updated, beside other symbols",
        ),
    ],
)
def test_a_link_beside_companies_that_have_nothing_to_do_with_each_other_is_a_link_farms(
    text: str, reason: str
) -> None:
    assert find_spam(a_post(text, links=LINK), None, SETTINGS) == (reason,)


def test_a_link_farm_needs_a_link_to_farm() -> None:
    assert codes("Looking for the next $ACME $HRBM $QVLT") == []


@pytest.mark.parametrize(
    "text",
    [
        f"What moved today: builders slid after the rate decision, banks held up, retail fell hardest {TICKERS}",
        f"Earnings after the bell: {TICKERS}",
        f"Downgrades this morning {TICKERS}",
        f"$ACME -3.1% $HRBM -2.2% {TICKERS}",
        f"Reporting before the open {TICKERS}",
        f"Oversold {TICKERS}",
        "SELL SELL SELL $AAPL",
        "GET OUT OF $ACME NOW",
        "$ACME RECALL!!! THIS IS A DISASTER",
        "$ACME",
        "$ACME $HRBM",
        "Harbor Mills: the plant in Bilbao stays shut, shares fall 9% $HRBM",
        "Learn more in our weekly newsletter. Subscribe to stay up to date $ACME",
        "Walmart's subscribers are up, the newsletter of the finance chief says $WMT",
        "Bankers fined over a WhatsApp group $JPM",
        "Analysts ask what the next pick of Buffett is $BRK.B",
        "SEC warns: join our Telegram is what fraudsters say $ACME",
        "Beware of people who write: free alerts, DM me $ACME",
        "Check out my chart $ACME, the gap is filled",
        "I was looking for the next leg down in $ACME and here it is",
        "$ACME beats, visit to the plant next week",
        "ACME hits a new low $ACME #ACME #stocks",
        "Guidance updated Friday $ACME",
        "苹果公司股价今天大跌、投资者都在抛售手里的股票、市场情绪非常悲观 $AAPL",
        "アップル株が急落、投資家は売り急ぐ $AAPL",
        "[加油]~苹果*大跌_了[怒]~快跑=没救了|真的{完了}再见了朋友们下次再来 $AAPL",
        "🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀 $ACME",
        "$C:50.1,$T:33.2,$F:13.4,$V:77.5,$X:12.1,$M:40.2",
        "#ACME#HRBM#QVLT#NTHW#PLVR#HRBK#NMBRA",
        "example.com/path/Of-An_Article?id=4711&ref=A_b&utm=X",
        "0x52908400098527886E0F7030069857D2E4169EE7 is where they sent it $COIN",
    ],
)
def test_what_somebody_says_or_reports_is_not_spam(text: str) -> None:
    assert find_spam(a_post(text), placed(), SETTINGS) == ()


@pytest.mark.parametrize(
    "text",
    [
        "Huge gains today for chips $ACME $HRBM $QVLT",
        "Major news after the bell $ACME $HRBM $QVLT",
        "Our view was updated Friday: $ACME $HRBM $QVLT all lag",
        "Great stock, cheap beside its peers $ACME $HRBM $QVLT",
        "Click through for the chart: $ACME lags $HRBM and $QVLT",
        "Acme, Harbor Mills and Quivolt cut jobs $ACME $HRBM $QVLT",
    ],
)
def test_a_headline_with_a_link_and_three_cashtags_is_no_link_farms(text: str) -> None:
    assert codes(text, links=LINK) == []


def test_many_cashtags_with_prose_are_not_spam_with_a_link_either() -> None:
    text = f"Our correspondents on what a long week did to retailers and banks, and who is next {TICKERS}"
    assert codes(text, links=LINK) == []


def test_news_that_many_retweet_or_pass_on_is_not_spam() -> None:
    news = "Harbor Mills shuts its plant in Bilbao, shares fall $HRBM"
    everybody = placed(same_text_authors=50)
    assert codes(f"RT @wire: {news}", everybody, followers=2) == []
    assert codes(news, everybody, links=LINK, followers=2) == []


def test_a_text_full_of_tags_that_accounts_without_followers_retweet_is_spam_from_the_tenth_on() -> None:
    text = "RT @pump: $ACME in every shop #acme #go $HRBM"
    assert codes(text, placed(same_text_authors=9), followers=1) == []
    reasons = find_spam(a_post(text, followers=1), placed(same_text_authors=10), SETTINGS)
    assert reasons == ("same-text: from 10 accounts, retweeted by one with 1 follower",)
    assert codes(text, placed(same_text_authors=50), followers=300) == []
    assert codes(text, placed(same_text_authors=50)) == []


def test_one_text_from_many_accounts_that_nobody_retweeted_needs_another_sign_of_spam() -> None:
    fourteen = placed(same_text_authors=14)
    reasons = find_spam(a_post("Momentum alert ahead $ACME"), fourteen, SETTINGS)
    assert reasons == ("same-text: from 14 accounts, no retweets",)
    assert codes("Momentum alert ahead $ACME", placed(same_text_authors=9)) == []
    assert codes("Huge gains ahead $ACME", fourteen) == []
    copied = "Acme knew of the leak for years, tell the regulator $ACME"
    assert codes(copied, fourteen) == []
    assert codes(copied, fourteen, followers=300) == []
    assert codes(copied, fourteen, followers=3) == ["same-text"]
    assert codes("$ACME good morning", fourteen, followers=3) == []


def test_what_an_author_publishes_beyond_the_limit_of_an_hour_is_spam() -> None:
    assert codes("$ACME falls", placed(author_posts=60)) == []
    reasons = find_spam(a_post("$ACME falls"), placed(author_posts=75), SETTINGS)
    assert reasons == ("rate: about 75 posts in an hour by one author",)


def test_reasons_stand_in_a_fixed_order() -> None:
    text = f"$ACME {TICKERS} subscribe here pennystock"
    found = codes(text, placed(author_posts=99, same_text_authors=20), links=LINK, followers=2)
    assert found == ["many-symbols", "promotion", "same-text", "rate", "link-farm"]


def test_a_long_article_is_not_spam_for_a_phrase_at_its_end() -> None:
    article = "The plant in Bilbao stays shut and its workers wait for news of the owner. " * 9
    assert codes(f"{article} Join our Telegram.") == []
    assert codes(f"{article} Subscribe to the newsletter and sign up.") == []


@pytest.mark.parametrize("source", ["feeds", "edgar", "gdelt"])
def test_posts_of_trusted_sources_are_never_looked_at(source: str) -> None:
    assert codes(TICKERS, placed(author_posts=500), source=source) == []


def test_with_spam_switched_off_nothing_is_spam() -> None:
    assert codes(TICKERS, placed(author_posts=500), SpamSettings(enabled=False)) == []


def test_kinds_that_are_trusted_stand_for_their_sources_names() -> None:
    ingest = IngestSettings(
        feeds=(FeedSettings(url="https://News.example.com/rss"), FeedSettings(url="https://b.example.com/", name="b")),
        sources=(EdgarSettings(name="filings", contact="Risk risk@example.com"),),
    )
    trusted = name_trusted(SETTINGS, ingest).trusted_sources
    assert {"news.example.com", "b", "filings"} <= set(trusted)
    untrusted = name_trusted(SpamSettings(trusted_sources=("desk",)), ingest)
    assert untrusted.trusted_sources == ("desk",)


def test_limits_are_the_settings() -> None:
    text = "$ACME $HRBM $QVLT $NTHW"
    assert codes(text) == []
    assert codes(text, None, SpamSettings(max_symbols=3)) == ["many-symbols"]
    assert codes(text, placed(author_posts=6), SpamSettings(max_posts_per_hour=5)) == ["rate"]
    assert codes(text, placed(same_text_authors=3), SpamSettings(min_accounts=3)) == ["same-text"]


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("Golden Goose Club", "Come to the golden goose club, $ACME"),
        ("#rocketship", "$ACME rocketship"),
        ("$ACME to 100", "people say $acme to 100 soon"),
        ("加群领取", "想赚钱快加群领取牛股 $ACME"),
        ("C'mon", "C\u2019mon everybody, $ACME"),
        ("C\u2019mon", "C'mon everybody, $ACME"),
        ("Über Gewinn", "ÜBER GEWINN mit $ACME"),
        ("Über Gewinn", "UBER GEWINN mit $ACME"),
        ("U\u0308ber Gewinn", "über gewinn mit $ACME"),
        ("straße", "Die STRASSE zum Geld $ACME"),
        ("STRASSE", "die straße zum Geld $ACME"),
        ("golden goose", "\uff27\uff2f\uff2c\uff24\uff25\uff2e \uff27\uff2f\uff2f\uff33\uff25 $ACME"),
        ("\uff27\uff2f\uff2c\uff24\uff25\uff2e goose", "golden goose $ACME"),
        ("Легкие деньги", "ЛЁГКИЕ ДЕНЬГИ на $ACME"),
    ],
)
def test_a_phrase_of_the_users_own_marks_promotion(phrase: str, text: str) -> None:
    settings = SpamSettings(phrases=(phrase,))
    assert find_spam(a_post(text), None, settings) == (f'promotion: "{phrase}"',)
    assert codes(text) == []


@pytest.mark.parametrize("phrase", ["", "  ", "!!!", "a\x1b[31mb", "a\u202eb", "x" * 201])
def test_a_phrase_that_says_nothing_or_hides_something_is_refused(phrase: str) -> None:
    with pytest.raises(ValidationError):
        SpamSettings(phrases=(phrase,))


TAGS = ["$ACME", "#stocks", "@bob", "RT @bob:", "$", "#", "A$AP", "U$D", "$5", "12.5%", "new pick coming", "must see"]
NASTY = [
    "\u202e",
    "\x1b[31m",
    "\x00",
    "\n",
    "<b>",
    "&amp;",
    "苹果",
    "🚀",
    "$B",
    "(B",
    "e\u0301",
    "\ud800",
    "İ",
    "٢٣",
    "`*_~{}",
]
PIECES = st.sampled_from([*TAGS, *NASTY, "updated friday", "subscribe here"])
TEXTS = st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=60).map(" ".join), st.lists(PIECES).map("".join))
PLACEMENTS = st.one_of(
    st.none(),
    st.builds(placed, author_posts=st.integers(0, 10**9), same_text_authors=st.integers(0, 1000)),
)


@given(TEXTS, PLACEMENTS, st.sampled_from([(), LINK]), st.sampled_from([None, 0, 2**53]))
def test_whatever_the_text_reasons_are_printable_lines_in_order_and_the_same_each_time(
    text: str, placement: Placement | None, links: tuple[str, ...], followers: int | None
) -> None:
    post = a_post(text, links=links, followers=followers)
    reasons = find_spam(post, placement, SETTINGS)
    assert reasons == find_spam(post, placement, SpamSettings())
    found = [reason.split(": ")[0] for reason in reasons]
    assert found == [code for code in CODES if code in found]
    for reason in reasons:
        assert reason.isprintable()
        assert reason.isascii()
        assert len(reason) < 120
        assert not set("<>&`*_\\").intersection(reason)


@pytest.mark.parametrize(
    "piece",
    [
        "$A ",
        "#a",
        "$",
        "a.",
        "a'",
        "new pick ",
        "are you looking for ",
        "$B(B",
        "a" * 50,
        "updated ",
        "`*{",
        "#a-",
        "-_",
        "a\u0456",
        "\u0301",
        "\ufdfa",
        "whatsapp ",
    ],
)
def test_a_hostile_text_costs_no_more_than_its_length(piece: str) -> None:
    post = a_post(piece * (20_000 // len(piece)), links=LINK)
    began = time.process_time()
    find_spam(post, placed(), SETTINGS)
    assert time.process_time() - began < 0.1
