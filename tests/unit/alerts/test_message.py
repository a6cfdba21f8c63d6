import re
import shlex
import unicodedata
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from alerts.html import render_html
from alerts.message import TEST_RULE, compose, render_text
from bearometer.alert import (
    Acknowledgement,
    Alert,
    AlertState,
    ChartPoint,
    Measure,
    NotificationReason,
    Severity,
    Spike,
    TopPost,
)
from bearometer.post import MARKET, topic_key
from bearometer.settings import AlertSettings
from tests.sample_alerts import (
    HOSTILE_TEXTS,
    START,
    hostile_text,
    make_alert,
    make_delivery,
    make_full_alert,
    make_post,
    make_resolved,
)

SETTINGS = AlertSettings()
WITH_LINKS = AlertSettings(link_base="https://desk.example/bearometer/")
PEAK = make_alert().peak


def headline(alert: Alert, reason: NotificationReason = NotificationReason.FIRING) -> str:
    return compose(make_delivery(alert, reason=reason), SETTINGS).headline


def facts(alert: Alert, settings: AlertSettings = SETTINGS, **changes: Any) -> dict[str, str]:
    return dict(compose(make_delivery(alert, **changes), settings).facts)


def with_evidence(alert: Alert, **changes: Any) -> Alert:
    assert alert.evidence is not None
    return replace(alert, evidence=replace(alert.evidence, **changes))


def test_the_headline_tells_the_whole_story() -> None:
    message = compose(make_delivery(), SETTINGS)
    assert message.headline == ("HBRM: 15 negative posts by 14 authors in 24 h, 0.1 expected; odds 1 in 10^15")


def test_more_authors_than_distinct_posts_are_explained_by_repeats() -> None:
    widely_shared = headline(make_alert(peak=replace(PEAK, authors=40)))
    assert widely_shared.startswith("HBRM: 15 negative posts from 40 authors with repeats in 24 h")


def test_the_text_holds_the_evidence() -> None:
    text = render_text(compose(make_delivery(), SETTINGS))
    for part in (
        "2026-03-02 14:05 UTC",
        "at most one false alert per symbol in 5 years",
        "minilm-l6@1",
        "Harbor Mills warns of a weak quarter & shuts a plant",
        "grain_watch · 12,345 followers · 2026-03-02 12:05 UTC · said 12 more times · 93% negative",
        "https://example.com/posts/1?a=1&b=2",
    ):
        assert part in text


def test_the_end_of_an_alert_says_how_long_and_how_bad_it_was() -> None:
    message = compose(make_delivery(make_resolved(), reason=NotificationReason.RESOLVED), SETTINGS)
    assert message.resolved
    assert message.headline == (
        "HBRM: over after 2 days 5 h; at its worst 15 negative posts by 14 authors in 24 h, 0.1 expected"
    )
    assert ("Over at", "2026-03-04 19:05 UTC") in message.facts


def test_a_test_says_that_nothing_has_happened() -> None:
    message = compose(make_delivery(make_alert(rule=TEST_RULE)), SETTINGS)
    assert message.headline.startswith("This is a test, nothing has happened. HBRM: ")


def test_an_alert_without_evidence_can_still_be_told() -> None:
    message = compose(make_delivery(make_alert(evidence=None)), SETTINGS)
    assert (message.quotes, message.chart, message.chart_line) == ((), (), "")
    assert render_text(message).startswith("HBRM: 15 negative posts")


def test_a_post_without_author_followers_and_link_is_quoted_without_them() -> None:
    post = make_post(author=None, followers=None, url=None, repeats=0)
    (quote,) = compose(make_delivery(make_alert(posts=(post,))), SETTINGS).quotes
    assert quote.byline == "unknown author · 2026-03-02 12:05 UTC · 93% negative"
    assert quote.url is None


@pytest.mark.parametrize(
    ("peak", "told"),
    [
        (
            replace(PEAK, per_year=1 / 9),
            "15 negative posts by 14 authors in 24 h, 0.1 expected; a day like this about once in 9 years",
        ),
        (
            replace(PEAK, measure=Measure.SHARE, negative=25, posts=40, expected=8.0, per_year=0.5),
            "62% of 40 posts negative in 24 h, 20% expected; a day like this about once in 2 years",
        ),
        (
            replace(PEAK, measure=Measure.VOLUME, posts=340, expected=20.4, start=PEAK.end - timedelta(hours=1)),
            "340 posts by 14 authors in 1 h, 20 expected; odds 1 in 10^15",
        ),
        (
            replace(PEAK, start=PEAK.end - timedelta(minutes=5), per_year=0.0),
            "15 negative posts by 14 authors in 5 min, 0.1 expected; such a burst less than once in 1,000 years",
        ),
        (
            replace(PEAK, measure=Measure.SHARE),
            "15 negative posts by 14 authors in 24 h, 0.1 expected; odds 1 in 10^15",
        ),
    ],
)
def test_each_measure_is_told_in_its_own_words(peak: Spike, told: str) -> None:
    assert headline(make_alert(peak=peak)) == f"HBRM: {told}"


def test_many_posts_of_one_story_are_said_plainly() -> None:
    alert = make_full_alert()
    assert headline(alert).endswith("; 37 of 86 tell one story, by 31 accounts")
    assert facts(alert)["Repeats"] == "37 of 86 tell one story, by 31 accounts"
    assert facts(with_evidence(alert, mentions=37))["Repeats"] == "all 37 tell one story, by 31 accounts"
    assert "Repeats" not in facts(with_evidence(alert, mentions=1000))


def test_what_a_version_without_stories_wrote_is_told_in_its_words() -> None:
    old = with_evidence(make_full_alert(), stories=None, spam=0, spam_reasons=(), top_posts=(make_post(repeats=36),))
    assert headline(old).endswith("; 37 of 86 are one text by many accounts")
    assert facts(old)["Seen"].endswith("; 86 with repeats")
    assert "said 36 more times · 93% negative" in render_text(compose(make_delivery(old), SETTINGS))
    assert "Left out" not in facts(old)
    assert facts(with_evidence(old, authors=(("ann", 37),)))["Repeats"] == "37 of 86 are one text"
    assert facts(with_evidence(old, mentions=37))["Repeats"] == "all 37 are one text by many accounts"


def test_spam_is_counted_by_reason_and_not_shown() -> None:
    alert = make_full_alert("unheard-of")
    told = "37 further posts were left out as spam: 20 unheard-of, 10 identical text from many accounts, "
    assert facts(alert)["Left out"] == told + "7 too many symbols"
    many = with_evidence(alert, spam=50, spam_reasons=tuple((f"code-{n}", 10 - n) for n in range(8)))
    assert facts(many)["Left out"].endswith(": 10 code-0, 9 code-1, 8 code-2, 7 code-3, 6 code-4, 10 other reasons")
    one = with_evidence(alert, spam=1, spam_reasons=(("rate", 1),))
    assert facts(one)["Left out"] == "1 further post was left out as spam: too many posts of one account"
    assert "Left out" not in facts(with_evidence(alert, spam=0, spam_reasons=()))


def test_each_reason_has_its_words() -> None:
    alert = make_full_alert(acknowledged=Acknowledgement("ann", START, "on it"))
    told = {reason: headline(alert, reason) for reason in NotificationReason}
    assert told[NotificationReason.ESCALATED].startswith("HBRM: much worse, 15 negative posts")
    assert told[NotificationReason.REPEATED].startswith(
        "HBRM: still going on after 6 h, and nobody has acknowledged it;"
    )
    assert told[NotificationReason.ACKNOWLEDGED].startswith("HBRM: acknowledged by ann; 15 negative posts")
    assert len(set(told.values())) == len(NotificationReason)


def test_evidence_stands_in_the_facts() -> None:
    shown = facts(make_full_alert("Harbor", acknowledged=Acknowledgement("ann", START, "on it")))
    assert shown["Seen"] == "15 distinct negative posts by 14 authors, 38% of 40 posts; 86 posts tell 31 stories"
    assert shown["Odds"] == "A day like this about once in 9 years for HBRM"
    assert shown["Sources"] == "Harbor 56, rss 30"
    assert shown["Busiest"] == "Harbor 4, ann 2"
    assert shown["Topics"] == "Harbor 50, Earnings 3"
    assert shown["New words"] == "Harbor (12, 0.3 expected)"
    assert shown["Acknowledged"] == "by ann, 2026-03-02 14:05 UTC: on it"
    assert shown["Rule"].startswith("negative-spike (critical): at most one false alert")


def test_only_the_rule_of_the_settings_has_their_budget() -> None:
    assert facts(make_alert(rule="my-rule", severity=Severity.INFO))["Rule"] == "my-rule (info)"


def test_a_message_says_how_to_acknowledge_and_to_silence() -> None:
    alert = make_alert("BRK.B")
    shown = facts(alert)
    assert shown["Acknowledge"] == f"bearometer alerts ack {alert.id}"
    assert shown["Silence"] == "bearometer silences add BRK.B --for 4h --reason '…'"
    assert facts(make_alert(MARKET))["Silence"].startswith("bearometer silences add market ")
    assert (
        facts(make_alert(topic_key("M&A | Investments")))["Silence"].split(" --for")[0].endswith("'#M&A | Investments'")
    )


def test_with_a_page_for_alerts_a_message_links_to_it() -> None:
    alert = make_alert()
    message = compose(make_delivery(alert), WITH_LINKS)
    link = "https://desk.example/bearometer/alerts/negative-spike%3AHBRM%3A2026-03-02T14%3A05%3A00%2B00%3A00"
    assert message.link == link
    shown = dict(message.facts)
    assert shown["Acknowledge or silence"] == link
    assert "Silence" not in shown
    assert f'href="{link}"' in render_html(message, None)


@pytest.mark.parametrize(
    ("alert", "reason"),
    [
        (make_alert(rule=TEST_RULE), NotificationReason.FIRING),
        (make_resolved(), NotificationReason.RESOLVED),
        (make_full_alert(), NotificationReason.ACKNOWLEDGED),
    ],
)
def test_what_needs_no_answer_asks_for_none(alert: Alert, reason: NotificationReason) -> None:
    shown = facts(alert, reason=reason)
    assert not {"Acknowledge", "Silence", "Acknowledge or silence"} & set(shown)


@examples(deadline=None)
@given(hostile_text.filter(bool), hostile_text.filter(bool))
def test_the_commands_are_single_words_for_a_shell_or_left_out(alert_id: str, symbol: str) -> None:
    shown = facts(make_alert(symbol, id=alert_id, peak=PEAK))
    if "Acknowledge" in shown:
        assert shlex.split(shown["Acknowledge"]) == ["bearometer", "alerts", "ack", alert_id]
    if "Silence" in shown and symbol != MARKET:
        words = ["bearometer", "silences", "add", symbol, "--for", "4h", "--reason", "…"]
        assert shlex.split(shown["Silence"]) == words


def test_messages_that_were_kept_back_are_counted() -> None:
    assert facts(make_alert(), dropped=3)["Kept back"] == "3 earlier messages were kept back by the cap of this route"
    assert facts(make_alert(), dropped=1)["Kept back"] == "1 earlier message was kept back by the cap of this route"
    assert "Kept back" not in facts(make_alert())


def test_one_message_tells_of_many_alerts() -> None:
    others = tuple(make_alert(f"SYM{n}") for n in range(25))
    message = compose(make_delivery(make_alert(), others=others), SETTINGS)
    assert message.headline.startswith("26 alerts at once, for HBRM, SYM0, SYM1, SYM2, SYM3 and 21 more. HBRM: 15 neg")
    assert message.others[0] == "SYM0: 15 negative posts by 14 authors in 24 h, 0.1 expected; odds 1 in 10^15"
    assert len(message.others) == 21
    assert message.others[-1] == "and 5 more"
    assert "- SYM19: " in render_text(message)
    assert "<li" in render_html(message, None)
    assert compose(make_delivery(make_alert(), others=others[:20]), SETTINGS).others[-1].startswith("SYM19")


def test_the_market_and_a_topic_have_names() -> None:
    assert headline(make_alert(MARKET)).startswith("The market: 15 negative posts")
    assert headline(make_alert(topic_key("Legal | Regulation"))).startswith("#Legal | Regulation: 15 negative posts")
    assert compose(make_delivery(make_alert(MARKET)), SETTINGS).symbol == "The market"


def test_a_quote_says_why_it_is_shown_and_where_it_stands() -> None:
    post = make_post(roles=("first", "most negative"), source="rss")
    (quote,) = compose(make_delivery(make_alert(posts=(post,))), SETTINGS).quotes
    assert quote.byline.startswith("First seen, most negative · grain_watch · rss · 12,345 followers · ")


@pytest.mark.parametrize(
    ("post", "told"),
    [
        (make_post(accounts=9, places=3), "said 12 more times, by 9 accounts on 3 sources in all"),
        (make_post(repeats=1, accounts=1, places=1), "said 1 more time, by 1 account in all"),
        (
            make_post(accounts=9, places=1, since=START - timedelta(hours=30)),
            "said 12 more times, by 9 accounts in all · told since 2026-03-01 08:05 UTC",
        ),
        (make_post(repeats=0, accounts=1, places=1), "2026-03-02 12:05 UTC"),
    ],
)
def test_a_quote_says_how_far_its_story_went(post: TopPost, told: str) -> None:
    (quote,) = compose(make_delivery(make_alert(posts=(post,))), SETTINGS).quotes
    assert quote.byline.endswith(f" · {told} · 93% negative")


def test_the_chart_is_of_the_last_24_hours_or_of_the_window() -> None:
    message = compose(make_delivery(make_alert()), SETTINGS)
    assert len(message.chart) == len(message.chart_line) == 24
    assert message.chart[-1].at == START - timedelta(hours=1)
    assert message.chart_alt == (
        "Bar chart: negative posts about HBRM per hour, from 2026-03-01 14:05 UTC on;"
        " at most 3, at 2026-03-02 13:05 UTC, where 0.02 were expected"
    )
    longer = make_alert(peak=replace(PEAK, start=START - timedelta(hours=48)))
    assert len(compose(make_delivery(longer), SETTINGS).chart) == 48
    days = tuple(ChartPoint(START - timedelta(days=n), n, 0.1) for n in range(14, 0, -1))
    evidence = make_alert().evidence
    assert evidence is not None
    assert compose(make_delivery(make_alert(evidence=replace(evidence, chart=days))), SETTINGS).chart == days


def test_a_message_carries_reason_severity_and_state() -> None:
    alert = make_full_alert(state=AlertState.ACKNOWLEDGED)
    message = compose(make_delivery(alert, reason=NotificationReason.ACKNOWLEDGED), SETTINGS)
    assert (message.reason, message.severity) == (NotificationReason.ACKNOWLEDGED, Severity.CRITICAL)


@examples(deadline=None)
@given(
    said=hostile_text,
    symbol=hostile_text,
    reason=st.sampled_from(NotificationReason),
    settings=st.sampled_from([SETTINGS, WITH_LINKS]),
    dropped=st.integers(0, 3),
)
def test_nothing_from_outside_adds_a_line_or_a_control_character(
    said: str, symbol: str, reason: NotificationReason, settings: AlertSettings, dropped: int
) -> None:
    alert = make_full_alert(said, symbol=symbol, rule=said or "rule", id=f"{said}:{symbol}", acknowledged=None)
    assert alert.evidence is not None
    alert = replace(alert, evidence=replace(alert.evidence, top_posts=(make_post(said, url=said, author=said),)))
    delivery = make_delivery(alert, reason=reason, others=(alert, alert), dropped=dropped)
    message = compose(delivery, settings)
    single = [
        message.symbol,
        message.headline,
        message.chart_line,
        message.chart_alt,
        *message.others,
        *(part for fact in message.facts for part in fact),
        *(part for quote in message.quotes for part in (quote.text, quote.byline, quote.strongest, quote.url or "")),
    ]
    for line in single:
        assert not [c for c in line if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
        assert len(line) < 1000 or line in (message.link, message.quotes[0].url)
    shown = render_text(message)
    quotes = sum(4 + bool(post.strongest) + bool(post.url) for post in message.quotes) - len(message.quotes)
    assert len(shown.splitlines()) == 2 + len(message.facts) + bool(message.chart_line) + 4 + 2 + quotes
    shown.encode()
    page = render_html(message, None)
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("</td>") == len(message.facts)
    page.encode()


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_a_headline_stays_short_whatever_stands_for_the_symbol_and_the_person(text: str) -> None:
    alert = make_full_alert(text, symbol=text, acknowledged=Acknowledgement(text, START, text))
    for reason in NotificationReason:
        assert len(headline(alert, reason)) < 400
    assert re.fullmatch(r"[^\r\n]*", headline(alert))
