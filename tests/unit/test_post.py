"""Names that stand where a symbol stands."""

from hypothesis import given
from hypothesis import strategies as st

from bearometer.post import MARKET, is_symbol, topic_key, topic_of
from bearometer.topics import TOPICS
from ingest.symbols import clean_symbols


@given(st.sampled_from(TOPICS) | st.text())
def test_a_topics_key_gives_the_topic_back_and_is_no_symbol(topic: str) -> None:
    assert topic_of(topic_key(topic)) == topic
    assert not is_symbol(topic_key(topic))
    assert topic_key(topic) != MARKET


@given(st.text() | st.from_regex(r"[#*$]{0,2}[A-Z.]{1,5}", fullmatch=True))
def test_what_a_source_states_as_a_symbol_never_stands_for_the_market_or_a_topic(stated: str) -> None:
    assert all(is_symbol(symbol) and topic_of(symbol) is None for symbol in clean_symbols([stated]))


def test_the_market_is_no_symbol_and_no_topic() -> None:
    assert not is_symbol(MARKET)
    assert topic_of(MARKET) is None
