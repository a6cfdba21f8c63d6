import random

from hypothesis import given
from hypothesis import strategies as st

from bearometer.linking import find_cashtags, find_spans
from model.augment import Augmenter
from model.dataset import Example
from model.recipe import Augmentation
from tests.unit.model.tiny import NAMES, tiny_contrasts, tiny_examples

EXAMPLES = [*tiny_contrasts(), *tiny_examples()]
ALL = Augmentation(entities=1, case=1, noise=1, synonyms=1)


@given(st.sampled_from(EXAMPLES), st.integers())
def test_nothing_is_changed_by_shares_of_zero(example: Example, seed: int) -> None:
    assert Augmenter(Augmentation(), EXAMPLES).change(example, random.Random(seed)) is example


@given(st.sampled_from(EXAMPLES), st.integers())
def test_labels_stay_and_every_mention_is_still_named(example: Example, seed: int) -> None:
    changed = Augmenter(ALL, EXAMPLES).change(example, random.Random(seed))
    assert (changed.label, changed.topic) == (example.label, example.topic)
    assert [label for _, label in changed.mentions] == [label for _, label in example.mentions]
    assert all(find_spans(changed.text, name) for name, _ in changed.mentions)


@given(st.sampled_from(EXAMPLES), st.integers())
def test_exchanged_mentions_stand_apart_and_the_order_of_good_and_bad_stays(example: Example, seed: int) -> None:
    changed = Augmenter(Augmentation(entities=1), EXAMPLES).change(example, random.Random(seed))
    places = [find_spans(changed.text, name)[0][0] for name, _ in changed.mentions]
    before = [find_spans(example.text, name)[0][0] for name, _ in example.mentions]
    assert len(set(places)) == len(places)
    assert (places == sorted(places)) == (before == sorted(before))


def test_a_cashtag_becomes_a_cashtag() -> None:
    augmenter = Augmenter(Augmentation(entities=1), EXAMPLES)
    example = Example("$QMRK beats every estimate", 2)
    texts = {augmenter.change(example, random.Random(seed)).text for seed in range(40)}
    assert all(len(list(find_cashtags(text))) == 1 and text.endswith(" beats every estimate") for text in texts)
    assert len(texts) == 6


def test_names_are_exchanged_where_there_are_no_cashtags() -> None:
    augmenter = Augmenter(Augmentation(entities=1), tiny_examples())
    example = Example("Quillmark beats every estimate", mentions=(("Quillmark", 2),))
    changed = [augmenter.change(example, random.Random(seed)) for seed in range(60)]
    assert {one.mentions[0][0] for one in changed} == set(NAMES)
    assert all(one.text == f"{one.mentions[0][0]} beats every estimate" for one in changed)


@given(st.sampled_from(EXAMPLES), st.integers())
def test_the_same_random_state_gives_the_same_change(example: Example, seed: int) -> None:
    augmenter = Augmenter(ALL, EXAMPLES)
    assert augmenter.change(example, random.Random(seed)) == augmenter.change(example, random.Random(seed))
