import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearometer.linking import find_cashtags, find_spans
from model import augment, robustness
from model.dataset import Example
from model.evaluate import judge_examples
from model.robustness import CHANGES, FlipResult, changed, measure_robustness
from tests.unit.model.rules import RuleClassifier

EXAMPLES = [
    Example("$QMRK falls after the company announced 12% lower sales in Q3, see https://example.com/report", 0),
    Example("Tern Aviation rises as orders for new aircraft keep coming in", 2, (("Tern Aviation", 2),)),
    Example("$QMRK and $TERN will not report today", 1, (("QMRK", 1), ("TERN", 1))),
    Example("🙂", 1),
]
ANYTHING = st.text(max_size=120)


@given(ANYTHING, st.integers(0, 99), st.sampled_from(sorted(CHANGES)))
def test_no_text_breaks_a_change_and_labels_stay(text: str, seed: int, name: str) -> None:
    example = Example(text, 2, (("Quillmark", 0), ("TERN", None)), 5)
    other = CHANGES[name](example, random.Random(seed))
    assert (other.label, other.topic) == (2, 5)
    assert [label for _, label in other.mentions] == [0, None]


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_the_same_seed_changes_the_same_texts_in_the_same_way(name: str) -> None:
    assert changed(name, EXAMPLES, 7) == changed(name, EXAMPLES, 7)
    assert all(other.text != EXAMPLES[row].text for row, other in changed(name, EXAMPLES, 7))
    assert changed(name, EXAMPLES, 7), "every change applies to one of these"


def test_typos_spare_names_cashtags_numbers_and_links() -> None:
    for seed in range(30):
        for row, other in changed("typos", EXAMPLES, seed):
            before = EXAMPLES[row]
            assert list(find_cashtags(other.text))[:1] == list(find_cashtags(before.text))[:1]
            assert all(find_spans(other.text, name) for name, _ in other.mentions)
            assert ("https://example.com/report" in other.text) == ("https://example.com/report" in before.text)
            assert ("12%" in other.text) == ("12%" in before.text)
            assert abs(len(other.text) - len(before.text)) <= 2


def test_another_cashtag_is_put_everywhere_and_its_mention_follows() -> None:
    example = Example("$QMRK up, $TERN down; $qmrk again, $5 lost", mentions=(("QMRK", 2), ("Tern Aviation", 0)))
    ((_, other),) = changed("other cashtags", [example], 7)
    symbols = [symbol for symbol, _ in find_cashtags(other.text)]
    assert symbols[0] == symbols[2] != symbols[1]
    assert not {"QMRK", "TERN"} & set(symbols)
    assert other.mentions == ((symbols[0], 2), ("Tern Aviation", 0))
    assert other.text.endswith("again, $5 lost")


def test_rewording_leaves_names_alone() -> None:
    example = Example("New Annual Sales announced annual sales", mentions=(("New Annual Sales", 1),))
    texts = {changed("reworded", [example], seed)[0][1].text for seed in range(20)}
    assert all(text.startswith("New Annual Sales ") for text in texts)


def test_no_word_is_put_in_that_training_puts_in() -> None:
    trained = {word for words in augment._SYNONYMS for word in words}
    assert not trained & {word for _, other in robustness._WORDINGS for word in other.split()}


def by_case(text: str, entity: str | None) -> str:
    return "negative" if text.isupper() else "positive"


def test_a_classifier_that_is_swayed_by_capitals_flips_under_capitals_alone() -> None:
    classifier = RuleClassifier(by_case)
    examples = [Example(f"up by {number}", 2) for number in range(20)]
    done: list[int] = []
    found = measure_robustness(classifier, examples, judge_examples(classifier, examples), done.append)
    assert {each.change: each.flips for each in found} == {
        each.change: 20 if each.change == "capitals" else 0 for each in found
    }
    capitals = next(each for each in found if each.change == "capitals")
    assert (capitals.flip_rate.value, capitals.accuracy_before, capitals.accuracy_after) == (1, 1, 0)
    assert sum(done) == len(CHANGES) * len(examples)


def test_only_texts_that_a_change_applies_to_are_counted() -> None:
    classifier = RuleClassifier()
    found = measure_robustness(classifier, EXAMPLES, judge_examples(classifier, EXAMPLES))
    cashtags: dict[str, FlipResult] = {each.task: each for each in found if each.change == "other cashtags"}
    assert (cashtags["sentiment"].answers, cashtags["mentions"].answers) == (2, 2)
