from dataclasses import replace
from datetime import UTC
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bearometer.alert import (
    Acknowledgement,
    Alert,
    AlertState,
    ChartPoint,
    Evidence,
    Measure,
    NewTerm,
    Severity,
    Spike,
    TopPost,
)
from storage.alert_rows import alert_from_json, alert_to_json
from tests.sample_alerts import make_alert

TIMES = st.datetimes(timezones=st.just(UTC))
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
COUNTS = st.integers(0, 2**31 - 1)
FLOATS = st.floats(0, allow_nan=False, allow_infinity=False)
NAMED_COUNTS = st.lists(st.tuples(WORDS, COUNTS), max_size=2).map(tuple)

SPIKES = st.builds(
    Spike,
    symbol=WORDS,
    start=TIMES,
    end=TIMES,
    negative=COUNTS,
    expected=FLOATS,
    p_value=FLOATS,
    authors=COUNTS,
    measure=st.sampled_from(Measure),
    posts=st.none() | COUNTS,
    per_year=st.none() | FLOATS,
)
TOP_POSTS = st.builds(
    TopPost,
    id=WORDS,
    text=WORDS,
    published_at=TIMES,
    negative=FLOATS,
    repeats=COUNTS,
    author=st.none() | WORDS,
    followers=st.none() | COUNTS,
    url=st.none() | WORDS,
    words=st.lists(WORDS, max_size=2).map(tuple),
    source=st.none() | WORDS,
    roles=st.lists(WORDS, max_size=2).map(tuple),
    accounts=st.none() | COUNTS,
    places=st.none() | COUNTS,
    since=st.none() | TIMES,
)
CHART = st.builds(ChartPoint, at=TIMES, negative=COUNTS, expected=FLOATS, high=st.none() | FLOATS)
EVIDENCE = st.builds(
    Evidence,
    top_posts=st.lists(TOP_POSTS, max_size=2).map(tuple),
    chart=st.lists(CHART, max_size=2).map(tuple),
    models=st.lists(WORDS, max_size=2).map(tuple),
    mentions=st.none() | COUNTS,
    sources=NAMED_COUNTS,
    authors=NAMED_COUNTS,
    topics=NAMED_COUNTS,
    new_terms=st.lists(st.builds(NewTerm, term=WORDS, seen=COUNTS, expected=FLOATS), max_size=2).map(tuple),
    problem=st.none() | WORDS,
    stories=st.none() | COUNTS,
    spam=COUNTS,
    spam_reasons=NAMED_COUNTS,
)
ALERTS = st.builds(
    Alert,
    id=WORDS,
    rule=WORDS,
    symbol=WORDS,
    state=st.sampled_from(AlertState),
    started_at=TIMES,
    peak=SPIKES,
    fired_at=st.none() | TIMES,
    resolved_at=st.none() | TIMES,
    quiet_since=st.none() | TIMES,
    evidence=st.none() | EVIDENCE,
    severity=st.sampled_from(Severity),
    acknowledged=st.none() | st.builds(Acknowledgement, who=WORDS, at=TIMES, comment=WORDS),
    told=st.none() | SPIKES,
    told_at=st.none() | TIMES,
)

# Making an alert of so many parts takes a busy machine a while; none of it is thrown away.
patiently = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)

NEW_KEYS = {
    "alert": ("severity", "acknowledged", "told", "told_at"),
    "spike": ("measure", "posts", "per_year"),
    "evidence": ("mentions", "sources", "authors", "topics", "new_terms", "problem", "stories", "spam", "spam_reasons"),
    "post": ("words", "source", "roles", "accounts", "places", "since"),
    "point": ("high",),
}


@patiently
@given(alert=ALERTS)
def test_an_alert_comes_back_from_json_as_it_was(alert: Alert) -> None:
    assert alert_from_json(orjson.loads(orjson.dumps(alert_to_json(alert)))) == alert


@patiently
@given(alert=ALERTS)
def test_what_an_older_version_wrote_is_read_with_the_defaults(alert: Alert) -> None:
    stored = orjson.loads(orjson.dumps(alert_to_json(alert)))
    _forget(stored, "alert")
    _forget(stored["peak"], "spike")
    if stored["evidence"] is not None:
        _forget(stored["evidence"], "evidence")
        for post in stored["evidence"]["top_posts"]:
            _forget(post, "post")
        for point in stored["evidence"]["chart"]:
            _forget(point, "point")

    assert alert_from_json(stored) == _as_older(alert)


def test_a_version_that_wrote_only_the_words_of_posts_is_read_too() -> None:
    alert = make_alert()
    stored = orjson.loads(orjson.dumps(alert_to_json(alert)))
    for post in stored["evidence"]["top_posts"]:
        post["words"] = ["weak"]
        del post["roles"]
    read = alert_from_json(stored)
    assert read.evidence is not None
    assert [post.words for post in read.evidence.top_posts] == [("weak",)]


@pytest.mark.parametrize("key", ["state", "severity"])
def test_a_word_that_no_version_writes_is_no_alert(key: str) -> None:
    stored = orjson.loads(orjson.dumps(alert_to_json(make_alert()))) | {key: "loud"}
    with pytest.raises(ValueError, match="loud"):
        alert_from_json(stored)


def _forget(fields: dict[str, Any], kind: str) -> None:
    for key in NEW_KEYS[kind]:
        fields.pop(key)


def _as_older(alert: Alert) -> Alert:
    evidence = alert.evidence
    if evidence is not None:
        evidence = Evidence(
            top_posts=tuple(
                replace(post, words=(), source=None, roles=(), accounts=None, places=None, since=None)
                for post in evidence.top_posts
            ),
            chart=tuple(replace(point, high=None) for point in evidence.chart),
            models=evidence.models,
        )
    return replace(
        alert,
        peak=replace(alert.peak, measure=Measure.COUNT, posts=None, per_year=None),
        evidence=evidence,
        severity=Severity.WARNING,
        acknowledged=None,
        told=None,
        told_at=None,
    )
