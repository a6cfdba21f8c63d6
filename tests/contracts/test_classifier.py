"""What every classifier promises, on every classifier that we have."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from bearometer.mention import LABELS, Sentiment
from bearometer.topics import TOPICS
from model.classifier import Classifier, Judgement, Passage
from model.dataset import split_examples
from model.export import export
from model.finetune import Portion, Trainer, save_run
from model.folder import FP32_FILE, INT8_FILE, ModelFolder
from model.load import SHIPPED_WEIGHTS
from model.onnx import OnnxClassifier
from model.recipe import Recipe
from model.text import clean
from model.torch import TorchClassifier
from tests.unit.model.tiny import make_tiny_base, tiny_contrasts, tiny_examples


class WordClassifier:
    """A fake for tests: says negative where a text says `plunge`, and judges nothing without a letter."""

    version = "words@0badc0de"

    def prepare(self, passages: Sequence[Passage]) -> list[Passage]:
        return list(passages)

    def classify(self, prepared: list[Passage]) -> list[Judgement | None]:
        return [self._judge(passage) if any(map(str.isalnum, clean(passage.text))) else None for passage in prepared]

    def _judge(self, passage: Passage) -> Judgement:
        sentiment = Sentiment(0.8, 0.1, 0.1) if "plunge" in passage.text else Sentiment(0.1, 0.8, 0.1)
        entities = passage.entities
        return Judgement(sentiment, (sentiment,) * len(entities), tuple(name in passage.text for name in entities))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of a tiny network, and beside its weights their exports."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("tiny")
    recipe = Recipe(epochs=6, batch_size=16, learning_rate=5e-3, head_rate=1.0, max_tokens=32, patience=6)
    rows, development = split_examples([*tiny_examples(), *tiny_contrasts()])
    run = Trainer(make_tiny_base(folder / "base"), recipe).run([Portion(rows)], development)
    save_run(run, folder / "run", "tiny", recipe, {})
    export(folder / "run", folder / "run")
    return folder / "run"


def only(folder: Path, target: Path, weights: str) -> ModelFolder:
    """The same folder with nothing but one kind of weights."""
    for file in folder.iterdir():
        if file.suffix == ".json" or file.name == weights:
            (target / file.name).write_bytes(file.read_bytes())
    return ModelFolder.open(target)


MAKERS: dict[str, Callable[[Path, Path], Classifier]] = {
    "shipped int8": lambda tiny, folder: OnnxClassifier(ModelFolder.open(SHIPPED_WEIGHTS)),
    "tiny torch": lambda tiny, folder: TorchClassifier(ModelFolder.open(tiny)),
    "tiny int8": lambda tiny, folder: OnnxClassifier(only(tiny, folder, INT8_FILE)),
    "tiny fp32": lambda tiny, folder: OnnxClassifier(only(tiny, folder, FP32_FILE)),
    "fake": lambda tiny, folder: WordClassifier(),
}


@pytest.fixture(scope="module", params=MAKERS)
def classifier(request: pytest.FixtureRequest, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return MAKERS[request.param](tiny, tmp_path_factory.mktemp("classifier"))


def judge(classifier: Classifier, passages: Sequence[Passage]) -> list[Judgement | None]:
    return classifier.classify(classifier.prepare(passages))


def numbers(judgement: Judgement | None) -> np.typing.NDArray[np.float64]:
    """All probabilities of a judgement."""
    assert judgement is not None
    sentiments = (judgement.sentiment, *judgement.entities)
    return np.array([getattr(each, label) for each in sentiments for label in LABELS] + [*judgement.topics.values()])


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
        assert len(judgement.entities) == len(judgement.found) == len(passage.entities)
        assert len(judgement.topics) in {0, len(TOPICS)}
    backwards = judge(classifier, passages[::-1])[::-1]
    for one, other in zip(together, backwards, strict=True):
        assert numbers(one) == pytest.approx(numbers(other), abs=0.02)


@pytest.mark.parametrize("text", ["", "   \n", "https://example.com/only/a/link", "\u200b", "\x00"])
def test_a_text_without_content_gets_no_answer_and_harms_no_other(classifier: Classifier, text: str) -> None:
    judgements = judge(classifier, [Passage(TEXTS[0]), Passage(text, ("QMRK",)), Passage(TEXTS[1])])
    assert [judgement is None for judgement in judgements] == [False, True, False]
    assert judge(classifier, [Passage(text)]) == [None]


def test_nothing_asked_is_nothing_answered(classifier: Classifier) -> None:
    assert judge(classifier, []) == []


def test_an_answer_does_not_depend_on_its_company(classifier: Classifier) -> None:
    asked = [
        Passage(text, ("QMRK", "Tern Aviation", "Harbour Bank")[: number % 4]) for number, text in enumerate(TEXTS)
    ]
    alone = [judge(classifier, [passage])[0] for passage in asked]
    crowd = asked + [Passage(f"{text} {number}", ("up",) * number) for number in range(9) for text in TEXTS]
    for one, other in zip(alone, judge(classifier, crowd), strict=False):
        assert numbers(one) == pytest.approx(numbers(other), abs=0.02)


def test_an_entity_that_is_not_in_the_text_gets_the_texts_sentiment_and_is_not_found(classifier: Classifier) -> None:
    (judgement,) = judge(classifier, [Passage(TEXTS[0], ("Quillmark", "Nobody Anywhere", "$NOBD"))])
    assert judgement is not None
    assert judgement.found[1:] == (False, False)
    assert judgement.entities[1:] == (judgement.sentiment, judgement.sentiment)


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


CONTRASTS = [
    Passage(
        "Quillmark beats every estimate while Tern Aviation cuts its outlook again", ("Quillmark", "Tern Aviation")
    ),
    Passage("$HARB loses its biggest client while $PELI wins a record order", ("PELI", "HARB", "QMRK")),
    Passage("Lumen Foods will report on Thursday today", ("Lumen Foods",)),
    Passage("Ostrava Steel shares plunge after a fraud probe in London"),
]


@pytest.mark.parametrize(("weights", "tolerance"), [(FP32_FILE, 1e-3), (INT8_FILE, 0.05)])
def test_onnx_gives_what_torch_gives(tiny: Path, tmp_path: Path, weights: str, tolerance: float) -> None:
    expected = judge(TorchClassifier(ModelFolder.open(tiny)), CONTRASTS)
    for ours, theirs in zip(judge(OnnxClassifier(only(tiny, tmp_path, weights)), CONTRASTS), expected, strict=True):
        assert numbers(ours) == pytest.approx(numbers(theirs), abs=tolerance)
        assert ours is not None and theirs is not None
        assert ours.found == theirs.found


@pytest.mark.parametrize("kind", ["tiny torch", "tiny int8", "tiny fp32"])
def test_two_companies_of_one_text_are_told_apart(tiny: Path, tmp_path: Path, kind: str) -> None:
    judgements = judge(MAKERS[kind](tiny, tmp_path), CONTRASTS)
    labels = [[sentiment.label for sentiment in judgement.entities] for judgement in judgements if judgement]
    assert labels[0] == ["positive", "negative"]
    assert labels[1][:2] == ["positive", "negative"]


@pytest.mark.parametrize("kind", ["tiny torch", "tiny int8"])
def test_five_companies_cost_one_pass(tiny: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = MAKERS[kind](tiny, tmp_path)
    passes: list[object] = []
    run = classifier._run  # type: ignore[attr-defined]

    def count_and_run(*inputs: object) -> object:
        passes.append(inputs)
        return run(*inputs)

    monkeypatch.setattr(classifier, "_run", count_and_run)
    names = ("Quillmark", "Tern Aviation", "Ostrava Steel", "Lumen Foods", "Harbour Bank")
    (judgement,) = judge(classifier, [Passage(" and ".join(names) + " beat every estimate", names)])
    assert judgement is not None and judgement.found == (True,) * 5
    assert len(passes) == 1
