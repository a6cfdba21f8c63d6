from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bearometer.errors import Reason, Rejected
from bearometer.stream_source_settings import KafkaTopicSettings
from ingest.json_post import read_post
from ingest.rows import FIELDS

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*FIELDS, "x"]), inner, max_size=5),
    max_leaves=15,
)


def test_every_field_may_lie_elsewhere() -> None:
    entry = {
        "meta": {"key": 17, "when": 1_772_452_740, "by": [{"name": "ann", "reach": "1,200"}]},
        "body": "Acme falls",
        "stats": {"up": 2, "shares": 3},
        "tickers": "ACME WILE",
    }
    fields = {
        "id": "meta.key",
        "created_at": "meta.when",
        "author": "meta.by.0.name",
        "followers": "meta.by.0.reach",
        "text": "body",
        "likes": "stats.up",
        "retweets": "stats.shares",
        "symbols": "tickers",
    }
    post = read_post(entry, fields, "line 1", NOW)
    assert (post.native_id, post.author, post.followers, post.engagement) == ("17", "ann", 1200, 5)
    assert (post.text, post.symbols, post.published_at) == ("Acme falls", ("ACME", "WILE"), NOW - timedelta(minutes=1))


def test_what_is_missing_is_made_up_the_same_way_each_time() -> None:
    bare = read_post({"text": "x"}, {}, "line 1", NOW)
    again = read_post({"text": "x"}, {}, "line 9", NOW + timedelta(hours=1))
    other = read_post({"text": "x", "author": "ann"}, {}, "line 1", NOW)
    assert bare.native_id == again.native_id != other.native_id
    assert bare.published_at == NOW
    dated = read_post({"text": "x", "created_at": "2026-03-02T11:00:00Z"}, {}, "line 1", NOW)
    assert dated.native_id is None  # follows from author, time and text
    assert read_post({"text": "x"}, {}, "line 1", NOW, "0-7").native_id == "0-7"
    assert read_post({"text": "x", "id": {"a": 1}}, {}, "line 1", NOW).native_id == '{"a":1}'


@given(JSON)
def test_anything_is_a_post_or_rejected(entry: object) -> None:
    try:
        post = read_post(entry, {"text": "x"}, "line 1", NOW)
    except Rejected as error:
        assert error.reason in {Reason.UNDECODABLE, Reason.NO_TEXT, Reason.BAD_TIME}
    else:
        assert post.text


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_map_takes_the_names_of_rows_and_no_others(name: str) -> None:
    assert KafkaTopicSettings(name="t", servers="x:1", topic="t", fields={name: "a.b"}).fields == {name: "a.b"}
    with pytest.raises(ValidationError, match="the names are id, created_at"):
        KafkaTopicSettings(name="t", servers="x:1", topic="t", fields={name + "x": "a.b"})
