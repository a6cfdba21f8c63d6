import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest

from bearometer.clock import ManualClock
from bearometer.errors import Unavailable
from bearometer.mention import Mention, Unscored
from bearometer.post import Heartbeat
from bearometer.progress import Progress
from bearometer.sketch import make_sketch
from bearometer.story import story_id
from bearometer.wire import encode, encode_dead_letter
from model.classifier import Classifier, Judgement, Passage
from storage.memory_stories import MemoryStoryStore
from stream.score import BatchScorer, Message, Outcome
from tests.fakes import (
    NEGATIVE,
    NEUTRAL,
    NOON,
    KeywordClassifier,
    MemoryPosts,
    MemoryWindows,
    make_post,
    make_sift,
    scores_of,
)
from tests.stored_samples import GOOD


class Bench:
    """A scorer between a keyword classifier and stores in memory."""

    def __init__(
        self,
        *,
        failures: int = 0,
        lost: bool = False,
        cache_size: int = 100,
        classifier: Classifier | None = None,
        stories: MemoryStoryStore | None = None,
    ) -> None:
        self.classifier = KeywordClassifier()
        self.posts = MemoryPosts(failures)
        self.windows = MemoryWindows(lost=lost)
        self.sift = make_sift(stories)
        self.stop = threading.Event()
        self.scorer = BatchScorer(
            classifier=classifier or self.classifier,
            posts=self.posts,
            windows=self.windows,
            sift=self.sift,
            clock=ManualClock(NOON),
            cache_size=cache_size,
            stop=self.stop,
        )
        self.offset = 0

    def messages(self, *values: bytes | None, partition: int = 0) -> list[Message]:
        """These values at the next offsets of a partition."""
        made = [Message("posts", partition, self.offset + n, b"key", value) for n, value in enumerate(values)]
        self.offset += len(values)
        return made

    def score(self, *values: bytes | None) -> Outcome:
        return self.scorer.finish(self.scorer.read(self.messages(*values)))


def test_a_batch_is_classified_and_lands_in_both_stores() -> None:
    bench = Bench()
    outcome = bench.score(encode(make_post("1", "shares plunge")), encode(make_post("2", "a quiet day")))
    assert outcome == Outcome(messages=2, posts=2, cache_hits=0, dead=())
    assert scores_of(bench.posts.stored) == {"test:1": "negative", "test:2": "neutral"}
    assert bench.windows.counted == bench.posts.stored
    assert bench.posts.stored["test:1"].mentions[0].symbol == "HBRM"
    assert bench.posts.stored["test:1"].model == "keywords@1"


class FixedClassifier:
    """Gives the same judgement for every passage."""

    version = "fixed@1"

    def __init__(self, judgement: Judgement) -> None:
        self.judgement = judgement

    def prepare(self, passages: Sequence[Passage]) -> Sequence[Passage]:
        return list(passages)

    def classify(self, prepared: Sequence[Passage]) -> list[Judgement | None]:
        return [self.judgement for _ in prepared]


def test_each_mention_has_its_own_sentiment_and_says_whether_the_text_names_its_symbol() -> None:
    judgement = Judgement(
        NEUTRAL, (GOOD, NEGATIVE, NEUTRAL), (True, True, False), topics={"Earnings": 0.2, "Macro": 0.7}
    )
    bench = Bench(classifier=FixedClassifier(judgement))
    text = "AAPL soars while INTC sinks"
    bench.score(encode(make_post("1", text, symbols=("AAPL", "INTC", "MSFT"))))
    stored = bench.posts.stored["test:1"]
    assert stored.mentions == (
        Mention("AAPL", GOOD, in_text=True),
        Mention("INTC", NEGATIVE, in_text=True),
        Mention("MSFT", NEUTRAL, in_text=False),
    )
    assert (stored.sentiment, stored.topic) == (NEUTRAL, "Macro")


def test_a_symbol_that_only_the_source_states_is_not_in_the_text() -> None:
    bench = Bench()
    bench.score(encode(make_post("1", "a quiet day")), encode(make_post("2", "$HBRM has a quiet day")))
    assert [bench.posts.stored[f"test:{n}"].mentions[0].in_text for n in (1, 2)] == [False, True]


def test_the_classifier_is_told_where_a_company_is_named_without_its_symbol() -> None:
    asked: list[Passage] = []

    class Listener(FixedClassifier):
        def prepare(self, passages: Sequence[Passage]) -> Sequence[Passage]:
            asked.extend(passages)
            return list(passages)

    bench = Bench(classifier=Listener(Judgement(NEUTRAL, (NEUTRAL,) * 3, (True, True, False))))
    bench.score(encode(make_post("1", "Walmart falls, $TGT too: Target warned", symbols=("WMT", "TGT", "HBRM"))))
    (passage,) = asked
    assert passage.entities == ("WMT", "TGT", "HBRM")
    assert passage.spans == (((0, 7),), ((15, 19),), ())


def test_an_answer_for_other_entities_than_were_asked_for_stops_the_worker() -> None:
    bench = Bench(classifier=FixedClassifier(Judgement(NEUTRAL, (NEUTRAL,), found=())))
    with pytest.raises(ValueError, match="shorter"):
        bench.score(encode(make_post("1")))
    assert not bench.posts.stored


def test_repeats_of_a_fingerprint_are_classified_once_within_and_across_batches() -> None:
    bench = Bench()
    text = "shares plunge"
    first = bench.score(encode(make_post("1", text)), encode(make_post("2", text)))
    second = bench.score(encode(make_post("3", text)))
    assert bench.classifier.judged == [text]
    assert (first.cache_hits, second.cache_hits) == (1, 1)
    assert set(scores_of(bench.posts.stored).values()) == {"negative"}


def test_a_repeat_read_while_its_first_is_still_being_classified_shares_the_answer() -> None:
    bench = Bench()
    early = bench.scorer.read(bench.messages(encode(make_post("1", "shares plunge"))))
    late = bench.scorer.read(bench.messages(encode(make_post("2", "shares plunge"))))
    bench.scorer.finish(early)
    bench.scorer.finish(late)
    assert bench.classifier.judged == ["shares plunge"]
    assert len(bench.posts.stored) == 2


def test_a_cache_that_forgot_a_text_classifies_it_again() -> None:
    bench = Bench(cache_size=1)
    for native_id, text in (("1", "one"), ("2", "two"), ("3", "one")):
        bench.score(encode(make_post(native_id, text)))
    assert bench.classifier.judged == ["one", "two", "one"]


def test_undecodable_and_unscorable_messages_become_dead_letters_and_the_rest_goes_on() -> None:
    bench = Bench()
    outcome = bench.score(b"\xff", None, encode(make_post("1", "unscorable")), encode(make_post("2", "fine")))
    assert [(letter.reason, letter.offset) for letter in outcome.dead] == [
        ("undecodable", 0),
        ("undecodable", 1),
        ("unscorable", 2),
    ]
    assert outcome.dead[0].value == b"\xff"
    assert list(bench.posts.stored) == ["test:2"]


def test_progress_counts_every_message_and_takes_event_time_from_posts_and_heartbeats() -> None:
    bench = Bench()
    later = NOON + timedelta(hours=3)
    bench.score(encode(make_post("1")), encode(Heartbeat("test", later)), b"broken")
    assert bench.posts.progress == {("posts", 0): Progress("posts", 0, 3, later)}


def test_a_post_from_the_future_moves_event_time_to_the_present_only() -> None:
    bench = Bench()
    post = make_post("1", published_at=NOON + timedelta(hours=20))
    bench.score(encode(post))
    assert bench.posts.progress == {("posts", 0): Progress("posts", 0, 1, post.ingested_at)}


def test_a_dead_letter_that_no_broker_would_take_goes_without_its_bytes() -> None:
    bench = Bench()
    (letter,) = bench.score(b"x" * 900_000).dead
    assert (letter.key, letter.value) == (None, None)
    assert letter.detail.startswith("900003 bytes")
    assert len(encode_dead_letter(letter)) < 1_000_000


def test_a_batch_without_readable_time_moves_the_offset_only() -> None:
    bench = Bench()
    bench.score(b"broken")
    assert bench.posts.progress == {("posts", 0): Progress("posts", 0, 1, None)}


def test_scoring_the_same_messages_again_changes_nothing() -> None:
    bench = Bench()
    messages = bench.messages(encode(make_post("1", "shares plunge")))
    bench.scorer.finish(bench.scorer.read(messages))
    before = dict(bench.posts.stored)
    bench.scorer.finish(bench.scorer.read(messages))
    assert bench.posts.stored == before == bench.windows.counted


def test_the_windows_get_the_score_that_postgres_already_had() -> None:
    bench = Bench()
    bench.score(encode(make_post("1", "shares plunge")))
    other_opinion = make_post("1", "a quiet day")
    bench.score(encode(other_opinion))
    assert bench.windows.counted["test:1"].sentiment.label == "negative"


def test_a_store_that_is_away_is_waited_for() -> None:
    bench = Bench(failures=1)
    bench.score(encode(make_post("1")))
    assert list(bench.posts.stored) == ["test:1"]


def test_waiting_for_a_store_ends_when_the_worker_stops() -> None:
    bench = Bench(failures=1_000)
    bench.stop.set()
    with pytest.raises(Unavailable):
        bench.score(encode(make_post("1")))
    assert not bench.windows.counted


def test_lost_windows_are_restored_from_postgres_before_the_batch_is_counted() -> None:
    bench = Bench()
    bench.score(encode(make_post("1", "one")))
    bench.windows.counted.clear()
    bench.windows.lost = True
    bench.score(encode(make_post("2", "two")))
    assert set(bench.windows.counted) == {"test:1", "test:2"}


def test_lost_windows_are_restored_though_no_batch_comes() -> None:
    bench = Bench()
    bench.score(encode(make_post("1", "one")))
    bench.windows.counted.clear()
    bench.windows.lost = True
    bench.scorer.restore_windows()
    assert set(bench.windows.counted) == {"test:1"}
    bench.scorer.restore_windows()
    assert set(bench.windows.counted) == {"test:1"}


class OtherClassifier(KeywordClassifier):
    """Another version, of another opinion, with a tokeniser of its own."""

    version = "others@2"

    def prepare(self, passages: Sequence[Passage]) -> Sequence[Passage]:
        return [Passage(f"others: {passage.text} plunge", passage.entities) for passage in passages]


def test_a_batch_on_its_way_keeps_the_classifier_that_tokenised_it() -> None:
    bench = Bench()
    early = bench.scorer.read(bench.messages(encode(make_post("1", "a quiet day"))))
    other = OtherClassifier()
    bench.scorer.use(other)
    late = bench.scorer.read(bench.messages(encode(make_post("2", "a quiet week"))))
    bench.scorer.finish(early)
    bench.scorer.finish(late)
    assert {post_id: scored.model for post_id, scored in bench.posts.stored.items()} == {
        "test:1": "keywords@1",
        "test:2": "others@2",
    }
    assert scores_of(bench.posts.stored) == {"test:1": "neutral", "test:2": "negative"}
    assert bench.classifier.judged == ["a quiet day"]
    assert other.judged == ["others: a quiet week plunge"]


def test_a_repeat_is_judged_again_by_a_new_classifier() -> None:
    bench = Bench()
    bench.score(encode(make_post("1", "a quiet day")))
    bench.scorer.use(OtherClassifier())
    outcome = bench.score(encode(make_post("2", "a quiet day")))
    assert outcome.cache_hits == 0
    assert scores_of(bench.posts.stored) == {"test:1": "neutral", "test:2": "negative"}


def test_the_shadow_gets_the_posts_once_both_stores_have_them() -> None:
    bench = Bench(failures=1)
    offered: list[tuple[list[str], int, int]] = []
    bench.scorer = BatchScorer(
        classifier=bench.classifier,
        posts=bench.posts,
        windows=bench.windows,
        sift=bench.sift,
        clock=ManualClock(NOON),
        cache_size=100,
        stop=bench.stop,
        shadow=lambda posts: offered.append(
            ([post.id for post in posts], len(bench.posts.stored), len(bench.windows.counted))
        ),
    )
    bench.score(encode(make_post("1", "one")), b"broken", encode(make_post("2", "unscorable")))
    assert offered == [(["test:1"], 1, 1)]


def test_a_post_in_a_language_that_the_model_does_not_know_is_stored_and_not_judged() -> None:
    bench = Bench()
    foreign = make_post("1", "Harbor Mills cierra su planta de Bilbao", language="es")
    outcome = bench.score(encode(foreign), encode(make_post("2", "a quiet day")))
    assert (outcome.posts, outcome.cache_hits, outcome.dead) == (2, 0, ())
    assert bench.classifier.judged == ["a quiet day"]
    assert bench.posts.unscored == {"test:1": Unscored(foreign, "language: es", story_id("test:1"))}
    assert list(bench.windows.counted) == ["test:2"]


def test_a_near_repeat_has_the_story_of_the_first_post_also_in_another_batch() -> None:
    bench = Bench()
    text = "Harbor Mills shares plunge after the plant in Bilbao burns down"
    bench.score(encode(make_post("1", text, fingerprint="a")))
    bench.score(encode(make_post("2", f"RT @wire: {text} #stocks #news", fingerprint="b")))
    assert [bench.posts.stored[f"test:{n}"].story for n in (1, 2)] == [story_id("test:1")] * 2


def test_a_post_that_becomes_a_dead_letter_has_no_part_in_any_story() -> None:
    stories = MemoryStoryStore()
    bench = Bench(stories=stories)
    text = "Harbor Mills is unscorable after the plant in Bilbao burns down"
    outcome = bench.score(encode(make_post("1", text, fingerprint="a")))
    assert len(outcome.dead) == 1
    (placement,) = stories.place([make_sketch(make_post("2", f"RT @wire: {text}", fingerprint="b"))])
    assert placement.first


def test_spam_is_judged_and_stored_with_its_reasons() -> None:
    bench = Bench()
    bench.score(
        encode(make_post("1", "Our free chat room called $HBRM before everybody, join now for the next hot pick"))
    )
    stored = bench.posts.stored["test:1"]
    assert stored.spam
    assert stored.mentions


def test_a_redis_that_came_back_empty_is_restored_before_posts_get_their_stories() -> None:
    stories = MemoryStoryStore()
    bench = Bench(stories=stories)
    text = "Harbor Mills shares plunge after the plant in Bilbao burns down"
    bench.score(encode(make_post("1", text, fingerprint="a")))
    stories.lose()
    bench.windows.restore_too = stories.restore
    bench.score(encode(make_post("2", "a quiet day")))
    assert set(bench.posts.stored) == {"test:1", "test:2"}
    assert bench.windows.rebuilds == 1
