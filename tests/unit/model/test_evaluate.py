import pytest

from bearometer.mention import LABELS
from bearometer.topics import TOPICS
from model.dataset import Example
from model.evaluate import evaluate
from tests.unit.model.rules import RuleClassifier, by_words

NEGATIVE, NEUTRAL, POSITIVE = range(3)


def by_sides(text: str, entity: str | None) -> str:
    """Whoever stands before `falls` is spoken of badly, the others well."""
    if entity is None:
        return "neutral"
    return "negative" if f"{entity} falls" in text else "positive"


def test_each_task_is_measured_on_its_own_labels() -> None:
    examples = [
        Example("Quillmark falls", NEGATIVE, topic=TOPICS.index("IPO")),
        Example("Tern rises", NEUTRAL, topic=TOPICS.index("Macro")),
        Example("Tern falls while Quillmark rises", mentions=(("Tern", NEGATIVE), ("Quillmark", POSITIVE))),
        Example("Ostrava falls", mentions=(("Ostrava", POSITIVE), ("Lumen", None))),
    ]
    found = evaluate(RuleClassifier(by_sides, topic="IPO"), examples)
    assert list(found.tasks) == ["sentiment", "mentions", "topic"]
    assert found.tasks["sentiment"].metrics.confusion == ((0, 1, 0), (0, 1, 0), (0, 0, 0))
    assert found.tasks["mentions"].metrics.confusion == ((1, 0, 0), (0, 0, 0), (1, 0, 1))
    assert found.tasks["topic"].metrics.accuracy == 0.5
    assert [each.row for each in found.tasks["mentions"].answers] == [2, 2, 3]
    assert found.metrics is found.tasks["sentiment"].metrics


def test_every_mention_is_asked_for_in_one_pass_over_the_text() -> None:
    classifier = RuleClassifier()
    evaluate(classifier, [Example("a falls", mentions=(("QMRK", 0), ("TERN", None)))])
    assert [passage.entities for passage in classifier.judged] == [("QMRK", "TERN")]


def test_a_row_without_an_answer_counts_as_neutral_and_is_counted() -> None:
    examples = [Example("", NEUTRAL, (("QMRK", POSITIVE),)), Example("a falls", NEGATIVE, (("a", NEGATIVE),))]
    found = evaluate(RuleClassifier(lambda text, entity: by_words(text) if text else None), examples)
    assert found.unanswered == 1
    assert found.tasks["sentiment"].metrics.accuracy == 1
    assert found.tasks["mentions"].metrics.confusion == ((1, 0, 0), (0, 0, 0), (0, 1, 0))


def test_a_mention_that_the_linker_does_not_find_is_measured_and_counted() -> None:
    found = evaluate(RuleClassifier(), [Example("Tern falls", mentions=(("Tern", NEGATIVE), ("ZZZZ", NEGATIVE)))])
    assert found.unnamed == 1
    assert found.tasks["mentions"].metrics.rows == 2


def test_the_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    examples = [Example("a falls", NEGATIVE)] * 6 + [Example("a falls", POSITIVE)] * 4
    found = evaluate(RuleClassifier(confidence=0.9), examples)
    assert found.tasks["sentiment"].ece == pytest.approx(0.9 - 0.6)


def test_a_tool_that_is_always_certain_gives_no_probabilities_to_believe() -> None:
    result = evaluate(RuleClassifier(confidence=1.0), [Example("a falls", NEGATIVE)]).tasks["sentiment"]
    assert (result.ece, result.bins) == (None, ())


def test_a_classifier_without_topics_is_not_measured_on_them() -> None:
    found = evaluate(RuleClassifier(), [Example("a falls", NEGATIVE, topic=3)])
    assert list(found.tasks) == ["sentiment"]
    with pytest.raises(ValueError, match="none of 1 examples has a label that by_words@1 answers"):
        evaluate(RuleClassifier(), [Example("a falls", topic=3)])


def test_progress_tells_every_row_once_also_over_many_batches() -> None:
    done: list[int] = []
    examples = [Example("a falls", NEGATIVE)] * 600
    evaluation = evaluate(RuleClassifier(), examples, done.append)
    assert sum(done) == 600
    assert len(done) > 1
    assert len(evaluation.judgements) == 600


def test_the_dictionary_holds_figures_of_each_task_and_no_texts() -> None:
    content = evaluate(RuleClassifier(), [Example("secret falls", NEGATIVE)]).to_dict()
    assert content["tasks"]["sentiment"]["accuracy"] == 1
    assert set(content["tasks"]["sentiment"]["per_class"]) == set(LABELS)
    assert "secret" not in str(content)
