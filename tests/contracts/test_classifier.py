"""What every classifier promises, on every classifier that we have."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bearometer.mention import LABELS, Sentiment
from model.classifier import Classifier, Judgement, Passage
from model.dataset import split_examples
from model.finetune import Trainer, save_run
from model.folder import ModelFolder
from model.load import SHIPPED_WEIGHTS
from model.onnx import OnnxClassifier
from model.recipe import Recipe
from model.text import clean
from model.torch import TorchClassifier
from tests.unit.model.tiny import make_tiny_base, tiny_examples


class WordClassifier:
    """A fake for tests: says negative where a text says `plunge`, and judges nothing without a letter."""

    version = "words@0badc0de"

    def prepare(self, passages: Sequence[Passage]) -> list[Passage]:
        return list(passages)

    def classify(self, prepared: list[Passage]) -> list[Judgement | None]:
        return [self._judge(passage) if any(map(str.isalnum, clean(passage.text))) else None for passage in prepared]

    def _judge(self, passage: Passage) -> Judgement:
        sentiment = Sentiment(0.8, 0.1, 0.1) if "plunge" in passage.text else Sentiment(0.1, 0.8, 0.1)
        return Judgement(sentiment, (sentiment,) * len(passage.entities))


def make_shipped(_: Path) -> Classifier:
    return OnnxClassifier(ModelFolder.open(SHIPPED_WEIGHTS))


def make_tiny_torch(folder: Path) -> Classifier:
    recipe = Recipe(epochs=1, max_tokens=32)
    run = Trainer(make_tiny_base(folder / "base"), recipe).run(*split_examples(tiny_examples()))
    save_run(run, folder / "run", "tiny", recipe, {})
    return TorchClassifier(ModelFolder.open(folder / "run"))


def make_fake(_: Path) -> Classifier:
    return WordClassifier()


MAKERS: dict[str, Callable[[Path], Classifier]] = {
    "shipped int8": make_shipped,
    "tiny torch": make_tiny_torch,
    "fake": make_fake,
}


@pytest.fixture(scope="module", params=MAKERS)
def classifier(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return MAKERS[request.param](tmp_path_factory.mktemp("classifier"))


def judge(classifier: Classifier, passages: Sequence[Passage]) -> list[Judgement | None]:
    return classifier.classify(classifier.prepare(passages))


TEXTS = [
    "Quillmark shares plunge after a fraud probe",
    "up",
    "$QMRK: Tern Aviation wins a record order and raises its dividend for the ninth year, says its board " * 3,
    "Harbour Bank will report on Thursday https://example.com/a",
    "$$$ BUY NOW!!! 🚀🚀🚀 " * 40,
    "\u202e\u0000 unfriendly \x1b[31m marks \ud800",
]


def test_each_passage_gets_its_answer_in_order(classifier: Classifier) -> None:
    passages = [Passage(text, ("QMRK", "Tern", "x")[: number % 4]) for number, text in enumerate(TEXTS)]
    together = judge(classifier, passages)
    assert len(together) == len(passages)
    for passage, judgement in zip(passages, together, strict=True):
        assert judgement is not None
        assert len(judgement.entities) == len(passage.entities)
    backwards = judge(classifier, passages[::-1])[::-1]
    for one, other in zip(together, backwards, strict=True):
        assert one is not None and other is not None
        assert one.sentiment.negative == pytest.approx(other.sentiment.negative, abs=0.02)


@pytest.mark.parametrize("text", ["", "   \n", "https://example.com/only/a/link", "\u200b", "\x00"])
def test_a_text_without_content_gets_no_answer_and_harms_no_other(classifier: Classifier, text: str) -> None:
    judgements = judge(classifier, [Passage(TEXTS[0]), Passage(text, ("QMRK",)), Passage(TEXTS[1])])
    assert [judgement is None for judgement in judgements] == [False, True, False]
    assert judge(classifier, [Passage(text)]) == [None]


def test_nothing_asked_is_nothing_answered(classifier: Classifier) -> None:
    assert judge(classifier, []) == []


def test_an_answer_does_not_depend_on_its_company(classifier: Classifier) -> None:
    alone = [judge(classifier, [Passage(text)])[0] for text in TEXTS]
    crowd = [Passage(text) for text in TEXTS] + [Passage(f"{text} {number}") for number in range(9) for text in TEXTS]
    for one, other in zip(alone, judge(classifier, crowd), strict=False):
        assert one is not None and other is not None
        for label in LABELS:
            assert getattr(one.sentiment, label) == pytest.approx(getattr(other.sentiment, label), abs=0.02)


def test_the_same_question_gets_the_same_answer(classifier: Classifier) -> None:
    passages = [Passage(text) for text in TEXTS]
    assert judge(classifier, passages) == judge(classifier, passages)


def test_one_batch_may_be_prepared_while_another_is_classified(classifier: Classifier) -> None:
    passages = [Passage(text) for text in TEXTS]
    expected = judge(classifier, passages)
    prepared = [classifier.prepare(passages)]
    stop = threading.Event()

    def keep_preparing() -> None:
        while not stop.is_set():
            prepared[0] = classifier.prepare(passages)

    thread = threading.Thread(target=keep_preparing)
    thread.start()
    try:
        for _ in range(5):
            assert classifier.classify(prepared[0]) == expected
    finally:
        stop.set()
        thread.join()


def test_the_version_names_the_weights(classifier: Classifier) -> None:
    name, _, digest = classifier.version.partition("@")
    assert name
    assert len(digest) == 8 and int(digest, 16) >= 0
