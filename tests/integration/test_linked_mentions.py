"""From a post that names companies without a symbol to what the model says of each."""

import threading
from datetime import UTC, datetime

import pytest

from bearometer.clock import ManualClock
from bearometer.settings import IngestSettings, ModelSettings
from bearometer.wire import encode
from ingest.normalise import normalise
from ingest.source import RawPost
from model.load import load_classifier
from stream.score import BatchScorer, Message
from tests.fakes import MemoryPosts, MemoryWindows, make_sift

NOW = datetime(2026, 3, 18, 16, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def posts() -> MemoryPosts:
    return MemoryPosts()


@pytest.fixture(scope="module")
def scorer(posts: MemoryPosts) -> BatchScorer:
    return BatchScorer(
        classifier=load_classifier(ModelSettings(device="cpu")),
        posts=posts,
        windows=MemoryWindows(),
        sift=make_sift(),
        clock=ManualClock(NOW),
        cache_size=10,
        stop=threading.Event(),
    )


@pytest.mark.parametrize(
    ("text", "stated", "mentions"),
    [
        ("Walmart plunges after profit warning", (), {"WMT": ("negative", True)}),
        ("Walmart plunges after profit warning", ("WMT",), {"WMT": ("negative", True)}),
        (
            "Boeing plunges after fraud probe, Airbus gains",
            (),
            {"BA": ("negative", True), "AIR.PA": ("positive", True)},
        ),
        ("Shares of Target plunge on weak sales", (), {"TGT": ("negative", True)}),
        ("Walmart plunges after profit warning", ("HBRM",), {"HBRM": ("negative", False)}),
    ],
)
def test_each_company_has_the_sentiment_of_its_own_words(
    scorer: BatchScorer,
    posts: MemoryPosts,
    text: str,
    stated: tuple[str, ...],
    mentions: dict[str, tuple[str, bool]],
) -> None:
    raw = RawPost(text=text, published_at=NOW, position="", native_id=f"{text} {stated}", symbols=stated)
    post = normalise(raw, "test", IngestSettings(), NOW)
    scorer.finish(scorer.read([Message("posts", 0, 0, None, encode(post))]))
    found = posts.stored[post.id].mentions
    assert {one.symbol: (one.sentiment.label, one.in_text) for one in found} == mentions
