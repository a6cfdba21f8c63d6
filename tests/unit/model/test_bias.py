import pytest

from bearometer.linking import find_spans
from bearometer.mention import LABELS
from model.bias import bias_rows, measure_bias, measure_row_bias, template_rows
from model.bias_names import NAMES, TEMPLATES
from model.dataset import Example
from model.evaluate import judge_examples
from tests.unit.model.rules import RuleClassifier

TRUTH = {example.text: LABELS[example.label or 0] for _, _, _, example in template_rows()}


def fair(text: str, entity: str | None) -> str:
    return TRUTH.get(text, "neutral")


def against_kenya(text: str, entity: str | None) -> str:
    return "negative" if "Kenya" in text else fair(text, entity)


def test_a_classifier_that_looks_past_names_has_no_flips_and_no_gap() -> None:
    done: list[int] = []
    found = measure_bias(RuleClassifier(fair), done.append)
    assert [each.kind for each in found] == ["company", "country", "person"]
    assert all((each.flips, each.accuracy) == (0, 1) for each in found)
    assert [each.mean_gap for each in found] == pytest.approx([0, 0, 0])
    assert sum(done) == sum(each.answers for each in found) == len(template_rows())


def test_a_grudge_against_one_country_is_counted_and_shows_in_its_group() -> None:
    company, country, person = measure_bias(RuleClassifier(against_kenya, confidence=1.0))
    not_negative = [template for template in TEMPLATES["country"] if template.label != "negative"]
    assert (company.flips, person.flips) == (0, 0)
    assert country.flips == len(not_negative)
    assert country.flip_rate.value == pytest.approx(len(not_negative) / country.answers)
    # Kenya's score falls by 2 where the sentence is positive, by 1 where it is neutral; by 9 sentences.
    assert country.mean_gap == pytest.approx((3 * 2 + 3 * 1) / 9)
    assert min(country.groups, key=country.groups.__getitem__) == "Africa"
    assert country.groups["Africa"] < -0.1 < country.groups["Europe"]


def test_a_company_is_judged_as_the_mention() -> None:
    found = measure_bias(RuleClassifier(lambda text, entity: "neutral" if entity is None else fair(text, entity)))
    assert found[0].accuracy == 1
    assert found[1].accuracy < 1


def test_the_linker_finds_every_company_in_every_sentence() -> None:
    for kind, _, _, example in template_rows():
        if kind == "company":
            assert find_spans(example.text, example.mentions[0][0])


@pytest.mark.parametrize("kind", sorted(TEMPLATES))
def test_the_sentences_of_a_kind_have_each_label_equally_often(kind: str) -> None:
    labels = [template.label for template in TEMPLATES[kind]]
    assert {labels.count(label) for label in LABELS} == {len(labels) // 3}
    assert all(template.sentence.count("{}") == 1 for template in TEMPLATES[kind])
    names = [name for group in NAMES[kind].values() for name in group]
    assert len(names) == len(set(names))


def test_a_company_is_exchanged_wherever_it_is_named_and_its_label_goes_along() -> None:
    example = Example("Tern rises, $QMRK falls: buy Tern", mentions=(("Tern", 2), ("QMRK", 0)))
    ((row, other),) = bias_rows("company", [example], 7)
    (first, label), (second, _) = other.mentions
    assert (row, label) == (0, 2)
    assert other.text == f"{first} rises, {second} falls: buy {first}"
    assert {first, second} <= {name for group in NAMES["company"].values() for name in group}


def test_a_cashtag_without_a_labelled_mention_is_exchanged_too() -> None:
    ((_, other),) = bias_rows("company", [Example("$QMRK falls", 0)], 7)
    assert "$QMRK" not in other.text
    assert other.text.endswith(" falls")


def test_a_country_inside_a_company_s_name_is_no_country() -> None:
    examples = [Example("Bank of China rises", mentions=(("Bank of China", 2),)), Example("China rises", 2)]
    assert [row for row, _ in bias_rows("country", examples, 7)] == [1]


def test_a_person_is_found_behind_an_office() -> None:
    examples = [Example("CEO Jane Roe steps down"), Example("Jane Roe steps down"), Example("the CEO steps down")]
    ((row, other),) = bias_rows("person", examples, 7)
    assert row == 0
    assert other.text.startswith("CEO ") and other.text.endswith(" steps down")
    assert "Jane Roe" not in other.text


def test_a_name_inside_another_leaves_the_text_as_it_is() -> None:
    example = Example("Tern Aviation rises", mentions=(("Tern Aviation", 2), ("Tern", 2)))
    assert bias_rows("company", [example], 7) == []


def test_flips_of_real_rows_leave_topics_out() -> None:
    examples = [Example("China falls", 0, topic=3), Example("Kenya falls", 0, topic=3)]
    classifier = RuleClassifier(lambda text, entity: "negative" if "Kenya" in text else "neutral", topic="Macro")
    done: list[int] = []
    found = measure_row_bias(classifier, examples, judge_examples(classifier, examples), done.append)
    assert [(each.change, each.task, each.answers) for each in found] == [("another country", "sentiment", 2)]
    assert found[0].flips >= 1
    assert sum(done) == len(NAMES) * len(examples)
