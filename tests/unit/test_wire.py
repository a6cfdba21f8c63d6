"""Bytes and back."""

import base64
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearometer.errors import Reason, Rejected
from bearometer.post import Heartbeat, Post
from bearometer.settings import IngestSettings
from bearometer.wire import VERSION, DeadLetter, decode, decode_dead_letter, encode, encode_dead_letter
from ingest.normalise import normalise
from ingest.source import RawPost

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MOMENTS = st.datetimes(
    datetime(2001, 1, 1),  # noqa: DTZ001 # the strategy adds the zone
    datetime(2026, 3, 2),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7))]),
)
ANY_TEXT = st.text(st.characters())  # lone surrogates and control characters too


@st.composite
def posts(draw: st.DrawFn) -> Post:
    raw = RawPost(
        text="word " + draw(ANY_TEXT),
        published_at=draw(MOMENTS),
        position="line 1",
        native_id=draw(st.none() | ANY_TEXT),
        author=draw(st.none() | ANY_TEXT),
        followers=draw(st.none() | st.integers()),
        url=draw(st.none() | st.just("https://example.com/1") | ANY_TEXT),
        language="en",
        symbols=tuple(draw(st.lists(st.sampled_from(["ACME", "BRK.B", "*", "\ud800"]), max_size=3))),
        engagement=draw(st.integers()),
    )
    return normalise(raw, "test", IngestSettings(), NOW)


@given(posts())
def test_a_normalised_post_survives_the_wire(post: Post) -> None:
    assert decode(encode(post)) == post


@given(MOMENTS)
def test_a_heartbeat_survives_the_wire(moment: datetime) -> None:
    heartbeat = Heartbeat("test", moment)
    assert decode(encode(heartbeat)) == heartbeat


@given(st.none() | st.binary(), st.none() | st.binary())
def test_a_dead_letter_keeps_key_and_value_byte_for_byte(key: bytes | None, value: bytes | None) -> None:
    letter = DeadLetter("undecodable", "not JSON", "posts", 3, 17, NOW, key, value)
    assert decode_dead_letter(encode_dead_letter(letter)) == letter


@given(st.binary())
def test_any_bytes_are_decoded_or_rejected(value: bytes) -> None:
    for read in (decode, decode_dead_letter):
        with pytest.raises(Rejected) as caught:
            read(value)
        assert caught.value.reason is Reason.UNDECODABLE


@pytest.mark.parametrize(
    "change",
    [
        {"v": VERSION + 1},
        {"v": None},
        {"type": "letter"},
        {"text": 7},
        {"published_at": "2026-03-02T12:00:00"},
        {"id": None},
        {"followers": "many"},
        {"followers": True},
        {"engagement": False},
        {"symbols": 5},
        {"symbols": "ACME"},
        {"links": {"a": 1}},
        {"published_at": "soon"},
        {"published_at": "0001-01-01T00:00:00+05:00"},
        {"id": "test:" + "1" * 1_200},
        {"symbols": ["\u20ac" * 401]},
        {"symbols": ["ACME", "*"]},
        {"symbols": ["#Earnings"]},
    ],
)
def test_a_message_of_another_shape_is_rejected(change: dict[str, object]) -> None:
    post = normalise(RawPost(text="Acme falls", published_at=NOW, position=""), "test", IngestSettings(), NOW)
    with pytest.raises(Rejected):
        decode(orjson.dumps({**orjson.loads(encode(post)), **change}))


def test_unknown_fields_are_ignored() -> None:
    value = orjson.loads(encode(Heartbeat("test", NOW)))
    assert decode(orjson.dumps({**value, "mood": "good"})) == Heartbeat("test", NOW)


def test_a_dead_letter_with_broken_base64_is_rejected() -> None:
    letter = orjson.loads(encode_dead_letter(DeadLetter("r", "", "posts", 0, 0, NOW, b"k", b"v")))
    for broken in ("%%%", base64.b64encode(b"x").decode()[:-1]):
        with pytest.raises(Rejected):
            decode_dead_letter(orjson.dumps({**letter, "value": broken}))
