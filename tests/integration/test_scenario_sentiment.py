"""The scenarios' sentences must mean to the shipped classifier what they were meant to say."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from bearometer.clock import ManualClock
from bearometer.settings import IngestSettings, ModelSettings
from ingest.normalise import normalise
from ingest.scenario import SCENARIOS, Kind, compose_scenario
from ingest.source import RawPost
from model.classifier import Classifier, Passage
from model.load import load_classifier

END = datetime(2026, 3, 18, 16, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_classifier(ModelSettings(device="cpu"))


def _texts(name: str) -> Mapping[Kind, list[str]]:
    texts: dict[Kind, list[str]] = defaultdict(list)
    now = ManualClock(END).now()
    for post in compose_scenario(name, 1, END):
        if not post.repeat:
            raw = RawPost(text=post.text, published_at=post.at, position="", language="en")
            texts[post.kind].append(normalise(raw, "demo", IngestSettings(), now).text)
    return texts


def _negative_share(classifier: Classifier, texts: list[str]) -> float:
    texts = sorted(texts, key=len)
    negative = 0
    for start in range(0, len(texts), 64):
        batch = [Passage(text) for text in texts[start : start + 64]]
        for judgement in classifier.classify(classifier.prepare(batch)):
            assert judgement is not None
            negative += judgement.sentiment.label == "negative"
    return negative / len(texts)


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "quiet"])
def test_a_crisis_reads_as_negative(classifier: Classifier, name: str) -> None:
    assert _negative_share(classifier, _texts(name)["crisis"]) >= 0.85


def test_ordinary_posts_rarely_read_as_negative(classifier: Classifier) -> None:
    texts = _texts("quiet")
    assert _negative_share(classifier, texts["neutral"][::8]) < 0.05
    assert _negative_share(classifier, texts["positive"][::4]) < 0.05
    assert _negative_share(classifier, texts["negative"]) > 0.5
