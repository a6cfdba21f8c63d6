import json
import shutil
from pathlib import Path

import pytest

from bearometer.errors import Failed, Misconfigured
from bearometer.settings import ModelSettings
from model.classifier import Classifier, Passage
from model.explain import Explanation, explain_by_occlusion
from model.explain_torch import GradientExplainer
from model.load import SHIPPED_WEIGHTS, load_classifier
from tests.unit.model.deletion import deletion_test, shuffled
from tests.unit.model.tiny import NAMES

TEXTS = (
    "Quillmark shares plunge after a fraud probe today",
    "Tern Aviation cuts its outlook again on Monday",
    "Lumen Foods loses its biggest client as expected",
    "Ostrava Steel beats every estimate this week",
    "Harbour Bank raises its dividend again in London",
    "Pelican Energy wins a record order says its board",
)


@pytest.fixture(scope="module")
def gradients(tiny_run: Path) -> GradientExplainer:
    return GradientExplainer(tiny_run)


@pytest.fixture(scope="module")
def classifier(tiny_run: Path) -> Classifier:
    return load_classifier(ModelSettings(path=tiny_run, device="cpu", threads=1))


def test_it_explains_what_the_classifier_says(gradients: GradientExplainer, classifier: Classifier) -> None:
    text = "Quillmark beats every estimate today"
    for entity in (None, "Quillmark", "Tern Aviation"):
        found = gradients.explain(text, entity)
        (judgement,) = classifier.classify(classifier.prepare([Passage(text, (entity,) if entity else ())]))
        assert judgement is not None
        expected = judgement.entities[0] if entity else judgement.sentiment
        for label in ("negative", "neutral", "positive"):
            assert getattr(found.sentiment, label) == pytest.approx(getattr(expected, label), abs=1e-4)
        assert found.found == (entity == "Quillmark")
        assert found.model == classifier.version
        assert found.method == "integrated gradients"


def test_the_words_weights_sum_to_the_difference_from_an_empty_text(gradients: GradientExplainer) -> None:
    negative = gradients.explain(TEXTS[0], label="negative")
    neutral = gradients.explain(TEXTS[0], label="neutral")
    positive = gradients.explain(TEXTS[0], label="positive")
    sums = [sum(word.weight for word in each.words) for each in (negative, neutral, positive)]
    # The empty text has probabilities too, and both sets sum to 1.
    assert sum(sums) == pytest.approx(0, abs=1e-3)
    empty = [each.probability - total for each, total in zip((negative, neutral, positive), sums, strict=True)]
    assert all(-0.02 < probability < 1.02 for probability in empty)
    other = gradients.explain(f"{TEXTS[0]} {TEXTS[0]}", label="negative")
    assert sum(word.weight for word in other.words) < 1.02


@pytest.mark.parametrize("method", ["gradients", "occlusion"])
@pytest.mark.parametrize("of_entity", [False, True])
def test_the_tiny_model_needs_the_words_that_the_explanation_names(
    method: str, of_entity: bool, gradients: GradientExplainer, classifier: Classifier
) -> None:
    def explain(text: str) -> Explanation:
        entity = next(name for name in NAMES if text.startswith(name)) if of_entity else None
        if method == "gradients":
            return gradients.explain(text, entity)
        return explain_by_occlusion(classifier, text, entity)

    explanations = [explain(text) for text in TEXTS]
    assert [explanation.label for explanation in explanations] == ["negative"] * 3 + ["positive"] * 3
    by_weight, by_chance = deletion_test(classifier, explanations, 2)
    assert by_weight > 1.5 * by_chance
    assert by_weight > 0.1
    mixed, _ = deletion_test(classifier, [shuffled(e, n) for n, e in enumerate(explanations)], 2)
    assert mixed < by_weight


def test_each_word_has_the_weight_of_its_tokens_and_the_rest_of_a_cut_text_none(gradients: GradientExplainer) -> None:
    found = gradients.explain("Quillmark plunge " + "today " * 200)
    assert len(found.words) == 202
    assert found.words[1].weight != 0
    assert all(word.weight == 0 for word in found.words[40:])


def test_nothing_to_judge_is_said_in_one_line(gradients: GradientExplainer) -> None:
    with pytest.raises(Failed, match="there is nothing in the text that the model can judge"):
        gradients.explain("https://example.com/")


def test_a_cooler_model_is_explained_as_it_answers(tiny_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cooled"
    shutil.copytree(tiny_run, folder)
    card = json.loads((folder / "bearometer.json").read_text())
    card["temperatures"], card["exponents"] = {"text": 3.0}, {"text": 1.2}
    (folder / "bearometer.json").write_text(json.dumps(card))
    cooled, plain = GradientExplainer(folder).explain(TEXTS[0]), GradientExplainer(tiny_run).explain(TEXTS[0])
    assert cooled.probability < plain.probability
    classifier = load_classifier(ModelSettings(path=folder, device="cpu", threads=1))
    (answer,) = classifier.classify(classifier.prepare([Passage(TEXTS[0])]))
    assert answer is not None
    assert cooled.sentiment.negative == pytest.approx(answer.sentiment.negative, abs=1e-5)


def test_weights_without_gradients_are_refused_with_what_to_do() -> None:
    with pytest.raises(Misconfigured, match=r"has no model\.safetensors: .*--method occlusion"):
        GradientExplainer(SHIPPED_WEIGHTS)
