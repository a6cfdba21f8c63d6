import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bearometer.mention import LABELS
from model.base import open_tokeniser
from model.dataset import Example
from model.recipe import Augmentation, Recipe
from model.schooling import Portion, Schooling
from model.tokenise import Tokeniser
from tests.unit.model.tiny import tiny_contrasts, tiny_examples

RECIPE = Recipe(batch_size=7, accumulate=3, label_smoothing=0.0)


@pytest.fixture(scope="module")
def tokeniser(tiny_base: Path) -> Tokeniser:
    return open_tokeniser(tiny_base, 32)


def seen(schooling: Schooling, epoch: int) -> list[tuple[int, ...]]:
    return [tuple(row.encoded.ids.tolist()) for step in schooling.epoch(epoch) for batch in step for row in batch]


@pytest.mark.parametrize(("rows", "passes"), [(1, 1.0), (20, 1.0), (21, 0.5), (50, 2.5), (64, 0.1)])
def test_an_epoch_has_as_many_steps_as_it_says_and_the_rows_of_its_passes(
    tokeniser: Tokeniser, rows: int, passes: float
) -> None:
    schooling = Schooling([Portion(tiny_examples()[:rows], passes)], tokeniser, RECIPE)
    for epoch in range(3):
        steps = schooling.epoch(epoch)
        assert len(steps) == schooling.steps_per_epoch
        assert sum(len(batch) for step in steps for batch in step) == round(rows * passes)


def test_of_a_half_each_epoch_sees_the_other_half(tokeniser: Tokeniser) -> None:
    examples = tiny_examples()[:40]
    schooling = Schooling([Portion(examples, 0.5)], tokeniser, RECIPE)
    assert Counter(seen(schooling, 0) + seen(schooling, 1)) == Counter(
        tuple(ids.tolist()) for ids in tokeniser.encode([example.text for example in examples]) if ids is not None
    )


def test_an_epoch_depends_on_seed_and_number_alone(tokeniser: Tokeniser) -> None:
    recipe = replace(RECIPE, augmentation=Augmentation(entities=0.5, case=0.3, noise=0.3, synonyms=0.3))
    portions = [Portion(tiny_contrasts()[:60])]
    one, same = (Schooling(portions, tokeniser, recipe) for _ in range(2))
    first = seen(one, 0)
    assert seen(one, 1) == seen(same, 1)  # whether or not the epoch before was asked for
    assert seen(one, 0) == first != seen(one, 1)
    assert seen(Schooling(portions, tokeniser, replace(recipe, seed=8)), 0) != first


def test_nothing_of_a_set_that_no_epoch_sees_is_joined_to_another(tokeniser: Tokeniser) -> None:
    recipe = replace(RECIPE, augmentation=Augmentation(joined=1))
    taught = Example("Quillmark wins a record order", mentions=(("Quillmark", LABELS.index("positive")),))
    plain = seen(Schooling([Portion([taught])], tokeniser, RECIPE), 0)
    both = [Portion([taught]), Portion(tiny_contrasts(), 0.0)]
    assert all(seen(Schooling(both, tokeniser, replace(recipe, seed=seed)), 0) == plain for seed in range(5))
    assert seen(Schooling([both[0], Portion(tiny_contrasts()[:1])], tokeniser, recipe), 0) != plain


def test_class_shares_count_passes(tokeniser: Tokeniser) -> None:
    portions = [
        Portion([Example("cuts its outlook", LABELS.index("negative"))] * 3, 1.0),
        Portion([Example("wins a record order", LABELS.index("positive"))], 2.0),
    ]
    shares = Schooling(portions, tokeniser, RECIPE).class_shares()
    assert shares.text.tolist() == pytest.approx([0.6, 0, 0.4])
    assert math.fsum(shares.topics) == 0
