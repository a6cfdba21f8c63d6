from datetime import UTC

import orjson
from hypothesis import given
from hypothesis import strategies as st

from bearometer.alert import Alert, AlertState, ChartPoint, Evidence, Spike, TopPost
from storage.alert_rows import alert_from_json, alert_to_json
from tests.sample_alerts import make_alert

TIMES = st.datetimes(timezones=st.just(UTC))
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
COUNTS = st.integers(0, 2**31 - 1)
FLOATS = st.floats(0, allow_nan=False, allow_infinity=False)

SPIKES = st.builds(
    Spike, symbol=WORDS, start=TIMES, end=TIMES, negative=COUNTS, expected=FLOATS, p_value=FLOATS, authors=COUNTS
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
    words=st.lists(WORDS, max_size=3).map(tuple),
)
EVIDENCE = st.builds(
    Evidence,
    top_posts=st.lists(TOP_POSTS, max_size=3).map(tuple),
    chart=st.lists(st.builds(ChartPoint, at=TIMES, negative=COUNTS, expected=FLOATS), max_size=3).map(tuple),
    models=st.lists(WORDS, max_size=2).map(tuple),
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
)


@given(alert=ALERTS)
def test_an_alert_comes_back_from_json_as_it_was(alert: Alert) -> None:
    assert alert_from_json(orjson.loads(orjson.dumps(alert_to_json(alert)))) == alert


def test_the_evidence_of_an_older_version_has_no_words() -> None:
    alert = make_alert()
    stored = orjson.loads(orjson.dumps(alert_to_json(alert)))
    for post in stored["evidence"]["top_posts"]:
        del post["words"]
    assert alert_from_json(stored) == alert
