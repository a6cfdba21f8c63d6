import pytest

from bearometer.settings import ModelSettings
from model.classifier import Classifier, Passage
from model.load import SHIPPED_WEIGHTS, load_classifier

PLAIN = {
    "negative": [
        "Acme shares plunge after fraud probe",
        "Tern Aviation to close two plants and cut 900 jobs",
        "Quillmark cuts its full-year outlook as sales fall",
        "Ostrava Steel downgraded to sell at Harbour Bank",
        "$LUMN sinks 14% after missing earnings estimates",
        "Pelican Energy files for bankruptcy",
    ],
    "positive": [
        "Harbour Bank raises its full-year outlook",
        "Quillmark beats estimates and raises its dividend",
        "Tern Aviation shares jump 9% on a record order",
        "Ostrava Steel upgraded to buy at Harbour Bank",
        "$LUMN hits an all-time high after strong results",
        "Pelican Energy's quarterly profit doubles",
        "Lumen Foods sales surge past every forecast",
    ],
    "neutral": [
        "Quillmark to report third-quarter results on Thursday",
        "Tern Aviation names a new member of its board",
        "Ostrava Steel holds its annual meeting in Leeds",
        "What to watch in the markets this week",
    ],
}


TOPICS = {
    "Tern Aviation names Jo Marsh as its new chief executive": "Personnel Change",
    "Quillmark declares a quarterly dividend of 12 cents a share": "Dividend",
    "The central bank leaves its key rate unchanged": "Fed | Central Banks",
}


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    return load_classifier(ModelSettings(device="cpu"))


@pytest.mark.parametrize("label", PLAIN)
def test_plain_sentences_get_the_plain_label(shipped: Classifier, label: str) -> None:
    judgements = shipped.classify(shipped.prepare([Passage(text) for text in PLAIN[label]]))
    for text, judgement in zip(PLAIN[label], judgements, strict=True):
        assert judgement is not None
        assert (text, judgement.sentiment.label) == (text, label)


def test_two_companies_of_one_sentence_are_told_apart(shipped: Classifier) -> None:
    (judgement,) = shipped.classify(shipped.prepare([Passage("AAPL soars while INTC sinks", ("AAPL", "INTC", "MSFT"))]))
    assert judgement is not None
    apple, intel, absent = judgement.entities
    assert (apple.label, intel.label) == ("positive", "negative")
    assert apple.positive > intel.positive + 0.5
    assert (judgement.found, absent) == ((True, True, False), judgement.sentiment)


def test_plain_sentences_get_the_plain_topic(shipped: Classifier) -> None:
    judgements = shipped.classify(shipped.prepare([Passage(text) for text in TOPICS]))
    for (text, topic), judgement in zip(TOPICS.items(), judgements, strict=True):
        assert judgement is not None
        assert (text, max(judgement.topics, key=judgement.topics.__getitem__)) == (text, topic)


def test_a_plunge_after_a_fraud_probe_is_surely_negative(shipped: Classifier) -> None:
    (judgement,) = shipped.classify(shipped.prepare([Passage(PLAIN["negative"][0])]))
    assert judgement is not None
    assert judgement.sentiment.negative > 0.8


def test_what_ships_is_small_and_has_a_model_card() -> None:
    assert sum(file.stat().st_size for file in SHIPPED_WEIGHTS.iterdir()) < 30_000_000
    assert {file.name for file in SHIPPED_WEIGHTS.iterdir()} == {
        *("README.md", "bearometer.json", "config.json", "model-int8.onnx", "profile.json", "tokenizer.json")
    }
