import pytest

from model.dataset import Example
from model.evaluate import evaluate
from model.slices import SLICES, measure_slices
from tests.unit.model.rules import RuleClassifier


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$QMRK falls", {"with cashtags", "one entity"}),
        ("$QMRK falls, $TERN rises, $100 lost", {"with cashtags", "several entities"}),
        ("Nothing named here", {"without cashtags", "no entity", "negation"}),
        ("Quillmark won't cut its outlook", {"without cashtags", "no entity", "negation"}),
        ("Quillmark won\u2019t cut its outlook", {"without cashtags", "no entity", "negation"}),
        ("Notes on another novel", {"without cashtags", "no entity"}),
        ("QUILLMARK FALLS AGAIN", {"without cashtags", "no entity", "all caps"}),
        ("USA", {"without cashtags", "no entity"}),
        ("see https://example.com", {"without cashtags", "no entity", "with a link"}),
    ],
)
def test_a_text_is_in_the_slices_that_its_words_say(text: str, expected: set[str]) -> None:
    found = {name for name, belongs in SLICES.items() if belongs(Example(text)) and "characters" not in name}
    assert found == expected


def test_every_text_is_in_exactly_one_slice_of_length_of_cashtags_and_of_entities() -> None:
    for text in ("a" * 10, "a" * 59, "a" * 60, "a" * 140, "a" * 141, "$QMRK up", "$A $B", ""):
        inside = [name for name, belongs in SLICES.items() if belongs(Example(text))]
        assert sum("characters" in name for name in inside) == 1
        assert sum("cashtags" in name for name in inside) == 1
        assert sum("entit" in name for name in inside) == 1


def test_an_entity_named_as_mention_and_as_cashtag_is_one() -> None:
    assert SLICES["one entity"](Example("$QMRK falls", mentions=(("qmrk", 0),)))


def test_entities_that_differ_are_those_with_different_labels() -> None:
    assert SLICES["entities that differ"](Example("a", mentions=(("Quillmark", 0), ("Tern", 2))))
    assert not SLICES["entities that differ"](Example("a", mentions=(("Quillmark", 0), ("Tern", 0))))


def test_each_slice_has_its_own_figures_and_empty_ones_are_left_out() -> None:
    examples = [Example("$QMRK falls", 0), Example("$TERN falls", 2), Example("Lumen rises", 2)]
    result = evaluate(RuleClassifier(), examples).tasks["sentiment"]
    found = {each.name: each for each in measure_slices(result, examples)}
    assert (found["with cashtags"].answers, found["with cashtags"].accuracy.value) == (2, 0.5)
    assert (found["without cashtags"].answers, found["without cashtags"].accuracy.value) == (1, 1)
    assert "negation" not in found


def test_the_mentions_of_a_slice_are_counted_and_not_its_texts() -> None:
    examples = [
        Example("Tern falls, Lumen too", mentions=(("Tern", 0), ("Lumen", 0))),
        Example("a", mentions=(("a", 1),)),
    ]
    result = evaluate(RuleClassifier(), examples).tasks["mentions"]
    assert {each.name: each.answers for each in measure_slices(result, examples)}["several entities"] == 2
