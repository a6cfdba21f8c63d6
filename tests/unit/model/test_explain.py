import math
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearometer.errors import Failed
from bearometer.linking import find_spans
from bearometer.mention import Sentiment
from bearometer.settings import ModelSettings
from model.classifier import Judgement, Passage
from model.explain import MAX_CHARS, MAX_WORDS, explain_by_occlusion, read_words, readable, split_words, without
from model.load import load_classifier
from model.text import clean
from tests.sample_alerts import hostile_text
from tests.unit.model.deletion import deletion_test, shuffled


class WordCounter:
    """A classifier that knows what each word is worth: bad words before "while" are of the text's first half."""

    version = "counter@1"
    bad = ("plunges", "fraud", "sinks")
    good = ("soars",)

    def __init__(self, reads: int = 10_000) -> None:
        self.batches: list[list[Passage]] = []
        self._reads = reads

    def prepare(self, passages: Sequence[Passage]) -> list[Passage]:
        self.batches.append(list(passages))
        return list(passages)

    def classify(self, prepared: list[Passage]) -> list[Judgement | None]:
        return [self._judge(passage) for passage in prepared]

    def _judge(self, passage: Passage) -> Judgement | None:
        text = " ".join(passage.text.split()[: self._reads])
        if not text:
            return None
        halves = text.split("while")
        named = [next((half for half in halves if find_spans(half, entity)), "") for entity in passage.entities]
        return Judgement(
            self._feel(text),
            tuple(self._feel(half or text) for half in named),
            tuple(bool(half) for half in named),
        )

    def _feel(self, text: str) -> Sentiment:
        words = text.split()
        score = max(-3, sum(word in self.good for word in words) - sum(word in self.bad for word in words))
        negative, positive = 1 / (1 + math.exp(1 + 2 * score)), 1 / (1 + math.exp(1 - 2 * score))
        return Sentiment(negative * 0.9, 1 - 0.9 * (negative + positive), positive * 0.9)


@given(hostile_text)
def test_the_words_hold_every_character_that_is_not_space(text: str) -> None:
    spans = split_words(text)
    assert "".join(text[start:end] for start, end in spans) == "".join(text.split())
    assert all(start < end for start, end in spans)
    assert [start for start, _ in spans] == sorted(start for start, _ in spans)


def test_what_belongs_to_a_word_stays_with_it() -> None:
    text = "($AAPL -3.5%, Moody's AT&T year-end 1,000 jobs,cuts!! 🚀)"
    words = [text[start:end] for start, end in split_words(text)]
    assert words == [
        *("(", "$AAPL", "-3.5%", ",", "Moody's", "AT&T", "year-end", "1,000", "jobs", ",", "cuts", "!!", "🚀)"),
    ]


@given(hostile_text)
def test_a_readable_text_is_clean_and_can_be_written(text: str) -> None:
    shown = readable(text)
    shown.encode()
    assert clean(shown) == shown or "&" in text  # escaped five times and more, it stays escaped


@given(st.lists(st.sampled_from(["plunges", "soars", "on", "Monday"]), min_size=1, max_size=8))
def test_leaving_all_words_out_leaves_space(words: list[str]) -> None:
    text = " ".join(words)
    assert without(text, split_words(text)).strip() == ""
    assert without(text, []) == text


def test_the_words_that_the_classifier_goes_by_are_the_heaviest() -> None:
    classifier = WordCounter()
    found = explain_by_occlusion(classifier, "Quillmark plunges on Monday after a fraud probe")
    assert (found.label, found.method, found.model) == ("negative", "occlusion", "counter@1")
    assert {word.text for word in found.strongest(2)} == {"plunges", "fraud"}
    assert all(word.weight == pytest.approx(0) for word in found.words if word.text not in ("plunges", "fraud"))
    assert found.probability == found.sentiment.negative


def test_behind_the_text_and_its_beginning_all_variants_are_one_batch_of_two_a_word() -> None:
    classifier = WordCounter()
    explain_by_occlusion(classifier, "On Monday Quillmark plunges")
    assert [len(batch) for batch in classifier.batches] == [1, 1, 2 * 4]


def test_words_that_the_model_did_not_read_are_not_blamed() -> None:
    text = "Quillmark reports on Monday as usual plunges after fraud"
    assert {word.text for word in explain_by_occlusion(WordCounter(), text).strongest(2)} == {"plunges", "fraud"}
    found = explain_by_occlusion(WordCounter(reads=7), text)
    assert [word.text for word in found.words if abs(word.weight) > 1e-9] == ["plunges"]


def test_a_word_is_not_blamed_for_what_would_be_read_in_its_place() -> None:
    found = explain_by_occlusion(WordCounter(reads=4), "On Monday Quillmark soars plunges fraud")
    assert [word.text for word in found.words if abs(word.weight) > 1e-9] == ["soars"]


def test_an_entity_that_the_model_did_not_read_is_in_no_variant() -> None:
    classifier = WordCounter(reads=3)
    found = explain_by_occlusion(classifier, "On Monday fraud while Tern soars", "Tern")
    assert not found.found
    assert found.strongest(1)[0].text == "fraud"
    assert [passage.text for passage in classifier.batches[-1][3:]] == ["On", "Monday", "fraud"]


def test_a_text_that_names_its_entity_in_every_other_word_takes_no_longer_than_its_length() -> None:
    began = time.perf_counter()
    found = explain_by_occlusion(WordCounter(), "A x " * 200_000, "A", max_words=8)
    assert time.perf_counter() - began < 10, "comparing every word with every mention takes hours"
    assert len(found.words) == MAX_WORDS


@given(hostile_text)
def test_what_is_read_of_a_text_is_its_beginning(text: str) -> None:
    read, spans = read_words(text)
    assert readable(text).startswith(read)
    assert spans == split_words(read)


def test_what_is_read_of_a_text_is_bounded() -> None:
    assert len(read_words("a" * 1_000_000)[0]) == MAX_CHARS
    assert len(read_words("a " * 1_000_000)[1]) == MAX_WORDS


def test_each_entity_has_words_of_its_own_and_keeps_its_name() -> None:
    classifier = WordCounter()
    text = "Quillmark soars while Tern Aviation sinks"
    good, bad = (explain_by_occlusion(classifier, text, entity) for entity in ("Quillmark", "Tern Aviation"))
    assert (good.label, good.strongest(1)[0].text) == ("positive", "soars")
    assert (bad.label, bad.strongest(1)[0].text) == ("negative", "sinks")
    assert all(find_spans(passage.text, "Tern Aviation") for passage in classifier.batches[-1])
    assert [word.weight for word in bad.words if word.text in ("Tern", "Aviation")] == [0, 0]
    assert good.found and bad.found


def test_an_entity_that_is_not_named_gets_the_explanation_of_the_text() -> None:
    found = explain_by_occlusion(WordCounter(), "Quillmark plunges", "Ostrava")
    assert not found.found
    assert found.strongest(1)[0].text == "plunges"


def test_another_label_than_the_likeliest_can_be_asked_for() -> None:
    found = explain_by_occlusion(WordCounter(), "On Monday Quillmark plunges", label="positive")
    assert (found.label, found.sentiment.label) == ("positive", "negative")
    assert min(found.words, key=lambda word: word.weight).text == "plunges"
    assert found.strongest(3) == ()


def test_a_text_of_one_word_is_weighed_against_knowing_nothing() -> None:
    found = explain_by_occlusion(WordCounter(), "plunges")
    assert found.strongest(1)[0].weight == pytest.approx((found.probability - 1 / 3) / 2)


@pytest.mark.parametrize("text", ["", "   ", "https://example.com/a"])
def test_nothing_to_judge_is_said_in_one_line(text: str) -> None:
    with pytest.raises(Failed, match="there is nothing in the text that the model can judge"):
        explain_by_occlusion(WordCounter(), text)


def test_words_past_the_limit_have_no_weight_and_cost_nothing() -> None:
    classifier = WordCounter()
    found = explain_by_occlusion(classifier, "on Monday plunges " + "fraud " * 5000, max_words=3)
    assert [word.text for word in found.words if word.weight] == ["plunges"]
    assert len(classifier.batches[-1]) == 2 * 3


SENTENCES = (
    "Quillmark shares plunge on Monday after a fraud probe into its accounts",
    "The board of Ostrava Steel said on Tuesday that the company files for bankruptcy",
    "Lumen Foods sinks 14% in early trading after missing earnings estimates",
    "Harbour Bank was downgraded to sell by two brokers this morning in London",
    "Pelican Energy tumbles to a new low as its biggest client walks away",
    "Tern Aviation shares jump 9% on a record order from two carriers",
    "On Thursday Quillmark beats estimates and raises its dividend for the year",
    "Ostrava Steel was upgraded to buy by two brokers this morning in London",
    "Lumen Foods hits an all-time high after strong results in the third quarter",
    "Pelican Energy said on Tuesday that its quarterly profit doubles once more",
)


@pytest.mark.parametrize("count", [1, 3])
def test_the_shipped_weights_need_the_words_that_the_explanation_names(count: int) -> None:
    classifier = load_classifier(ModelSettings(device="cpu", threads=1))
    explanations = [explain_by_occlusion(classifier, text) for text in SENTENCES]
    assert {explanation.label for explanation in explanations} == {"negative", "positive"}
    by_weight, by_chance = deletion_test(classifier, explanations, count)
    assert by_weight > 2 * by_chance
    assert by_weight > 0.1
    mixed, _ = deletion_test(classifier, [shuffled(e, n) for n, e in enumerate(explanations)], count)
    assert mixed < by_weight / 2
