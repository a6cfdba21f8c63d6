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


JOINED = Augmenter(Augmentation(joined=1), EXAMPLES)
JUDGED = tiny_contrasts()


@given(st.sampled_from(JUDGED), st.integers())
def test_joined_texts_stand_whole_behind_one_another_and_every_mention_keeps_its_label(
    example: Example, seed: int
) -> None:
    joined = JOINED.change(example, random.Random(seed))
    other = [one for one in JUDGED if one.text in joined.text and one.text != example.text]
    assert example.text in joined.text
    assert set(example.mentions) <= set(joined.mentions)
    assert joined is example or any(set(joined.mentions) == {*example.mentions, *one.mentions} for one in other)
    assert joined is example or (joined.label, joined.topic) == (None, None)


def test_texts_are_joined_in_both_orders_and_never_two_of_one_company() -> None:
    good, bad = Example("Quillmark wins", mentions=(("Quillmark", 2),)), Example("Tern loses", mentions=(("Tern", 0),))
    augmenter = Augmenter(Augmentation(joined=1), [good, bad])
    joined = {augmenter.change(good, random.Random(seed)) for seed in range(200)}
    assert good in joined
    texts = {one.text for one in joined - {good}}
    assert {text.startswith("Quillmark wins") for text in texts} == {True, False}
    assert {one.mentions for one in joined} == {
        good.mentions,
        (*good.mentions, *bad.mentions),
        (*bad.mentions, *good.mentions),
    }


def test_no_text_is_joined_with_itself_or_with_another_on_the_same_company() -> None:
    unnamed = [Example(text, mentions=(("Lumen", label),)) for text, label in (("It is over", 0), ("What a day", 2))]
    augmenter = Augmenter(Augmentation(joined=1), unnamed)
    assert all(augmenter.change(one, random.Random(seed)) is one for one in unnamed for seed in range(20))


def test_what_is_not_all_labels_of_mentions_is_not_joined() -> None:
    text, half = Example("All is well", 2), Example("Quillmark waits", mentions=(("Quillmark", None),))
    augmenter = Augmenter(Augmentation(joined=1), [*EXAMPLES, text, half])
    assert augmenter.change(text, random.Random(1)) is text
    assert augmenter.change(half, random.Random(1)) is half
    assert all(augmenter.change(one, random.Random(1)) is one for one in tiny_examples())
