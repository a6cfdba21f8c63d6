from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearometer.correction import Correction
from bearometer.errors import Failed, Misconfigured
from bearometer.mention import LABELS, WHOLE, Label
from bearometer.topics import TOPICS
from model.dataset import Example, is_development, split_examples
from model.feedback import MIN_REPLAY, feedback_examples, gently, measure_lesson, plan_lesson
from model.finetune import Trainer
from model.plan import Plan
from model.recipe import DataSet, Recipe
from model.schooling import Portion
from model.training_data import TrainingData
from tests.unit.model.tiny import NAMES, tiny_contrasts, tiny_examples

NEGATIVE, NEUTRAL, POSITIVE = range(3)


def said(
    text: str, label: Label | None = None, symbol: str = WHOLE, who: str = "ann", topic: str | None = None
) -> Correction:
    return Correction(f"test:{text}", symbol, who, label, text, f"f-{text}", topic)


def test_what_is_said_of_one_text_becomes_one_example() -> None:
    corrections = [
        said("ACME beats ZETA", "neutral", topic="Earnings"),
        said("ACME beats ZETA", "positive", "ACME"),
        said("ZETA waits", "negative", "ZETA"),
        said("ACME beats ZETA", "negative", "ZETA"),
        said("nobody knows"),
    ]

    assert feedback_examples(corrections) == [
        Example("ACME beats ZETA", NEUTRAL, (("ACME", POSITIVE), ("ZETA", NEGATIVE)), TOPICS.index("Earnings")),
        Example("ZETA waits", None, (("ZETA", NEGATIVE),)),
    ]


def test_most_people_are_right_and_of_equally_many_the_latest() -> None:
    def verdict(*labels: Label) -> int | None:
        return feedback_examples([said("x", label, who=str(who)) for who, label in enumerate(labels)])[0].label

    assert verdict("negative", "positive", "negative", "neutral") == NEGATIVE
    assert verdict("negative", "positive") == POSITIVE
    assert verdict("positive", "negative", "negative", "positive") == POSITIVE


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([WHOLE, "ACME"]), st.sampled_from(LABELS))))
def test_every_text_that_somebody_labelled_stands_once(given_: list[tuple[str, str, Label]]) -> None:
    examples = feedback_examples([said(text, label, symbol) for text, symbol, label in given_])
    assert [example.text for example in examples] == list(dict.fromkeys(text for text, _, _ in given_))


def rows(prefix: str, count: int) -> list[Example]:
    return [Example(f"{prefix} {number}", NEUTRAL) for number in range(count)]


def data(*portions: Portion) -> TrainingData:
    """As `read_data` gives it: development rows held back from each set."""
    splits = [(split_examples(portion.examples), portion.passes) for portion in portions]
    return TrainingData(
        tuple(Portion(train, passes) for (train, _), passes in splits),
        tuple(example for (_, development), _ in splits for example in development),
        {"old.csv": "12345678"},
    )


@pytest.mark.parametrize(("fresh", "old", "seen"), [(20, 10_000, MIN_REPLAY), (1_000, 10_000, 3_500), (20, 100, 85)])
def test_an_epoch_replays_old_rows_in_proportion_and_never_trains_on_held_back_ones(
    fresh: int, old: int, seen: int
) -> None:
    lesson = plan_lesson(rows("new", fresh), data(Portion(rows("a", old // 2)), Portion(rows("b", old), 0.5)))

    (feedback, *replay) = lesson.data.portions
    assert tuple(feedback.examples) == lesson.learnt
    sizes = [len(portion.examples) * portion.passes for portion in replay]
    assert sum(sizes) == pytest.approx(seen, rel=0.1)
    assert sizes[0] == pytest.approx(sizes[1], rel=0.2), "the two sets weigh as they did"
    assert not any(is_development(row.text) for portion in lesson.data.portions for row in portion.examples)
    assert all(is_development(row.text) for row in lesson.data.development)
    assert lesson.data.development == (*lesson.old, *lesson.held_back)
    assert len(lesson.learnt) + len(lesson.held_back) == fresh


def test_feedback_on_a_text_that_is_measured_on_is_held_back() -> None:
    old = TrainingData((Portion(rows("old", 20)),), (Example("new 2", POSITIVE),), {})
    assert not is_development("new 2")

    lesson = plan_lesson(rows("new", 20), old)
    assert "new 2" in [example.text for example in lesson.held_back]
    assert "new 2" not in [example.text for example in lesson.learnt]


def test_feedback_is_held_back_by_what_the_model_sees_and_is_not_replayed() -> None:
    old = TrainingData(
        (Portion([*rows("old", 20), *rows("NEW", 20)]), Portion([Example("new 2 too")])),
        (Example("New 2  https://example.com", POSITIVE),),
        {},
    )
    assert not is_development("new 2")

    lesson = plan_lesson(rows("new", 20), old)
    held_back = {example.text for example in lesson.held_back}
    assert held_back == {"new 2"} | {row.text for row in rows("new", 20) if is_development(row.text)}
    (_, *replay) = lesson.data.portions
    assert len(replay) == 1, "what has no label is not replayed"
    assert {row.text for row in replay[0].examples} == {
        row.text for row in (*rows("old", 20), *rows("NEW", 20)) if row.text.lower() not in held_back
    }
    assert len(held_back) > 1


def test_feedback_of_one_text_in_two_spellings_is_on_one_side() -> None:
    twins = [Example(text, NEUTRAL) for row in rows("new", 40) for text in (row.text, row.text.upper())]
    lesson = plan_lesson(twins, data(Portion(rows("old", 20))))
    learnt, held_back = ({row.text.lower() for row in part} for part in (lesson.learnt, lesson.held_back))
    assert learnt and held_back and learnt.isdisjoint(held_back)


def test_a_run_is_told_apart_by_the_feedback_that_it_learnt_from() -> None:
    digests = [plan_lesson(rows("new", count), data(Portion(rows("old", 20)))).data.digests for count in (20, 20, 21)]
    assert digests[0] == digests[1] != digests[2]
    assert digests[0]["old.csv"] == "12345678"


def test_what_cannot_be_learnt_from_is_told() -> None:
    with pytest.raises(Failed, match="0 texts have labels, none of them to train on"):
        plan_lesson([], data(Portion(rows("old", 10))))
    with pytest.raises(Failed, match="would forget"):
        plan_lesson(rows("new", 20), data())


def new_sense() -> Sequence[Example]:
    """What the tiny run takes for good news, and people say is bad: a record order that nobody wins."""
    return [
        Example(f"{name} holds a record order {day}", NEGATIVE)
        for name in NAMES
        for day in ("today", "on Monday", "this week", "in London", "as expected", "says its board", "again")
    ]


def test_what_people_say_is_learnt_and_what_was_known_is_kept(tiny_run: Path) -> None:
    lesson = plan_lesson(new_sense(), data(Portion(tiny_examples()), Portion(tiny_contrasts())))
    recipe = Recipe(epochs=4, batch_size=16, learning_rate=2e-3, head_rate=1.0, max_tokens=32)

    run = Trainer(tiny_run, recipe).run(lesson.data.portions, lesson.data.development)

    reports = {report.name: report for report in measure_lesson(tiny_run, run, lesson, recipe)}
    held_back, trained, kept = (
        reports[name] for name in ("feedback, held back", "feedback, trained on", "old data, held back")
    )
    assert held_back.before.text_accuracy is not None
    assert held_back.before.text_accuracy < 0.5
    assert (held_back.after.text_accuracy or 0) > 0.9
    assert (trained.after.text_accuracy or 0) > 0.9
    assert kept.lost < 0.02
    assert (kept.after.mention_accuracy or 0) > 0.9
    assert kept.rows == len(lesson.old)


def test_the_plan_for_feedback_takes_small_steps_from_a_run_folder_and_from_nothing_else(
    tiny_run: Path, tiny_base: Path
) -> None:
    plan = Plan("base", (DataSet("a.csv"),), seeds=(1, 2), recipe=Recipe(epochs=9, dropout=0.3, base_share=0.5))
    gentle = gently(plan, tiny_run)
    assert gentle.recipe.learning_rate < plan.recipe.learning_rate / 5
    assert (gentle.recipe.head_rate, gentle.recipe.dropout, gentle.recipe.max_tokens) == (1.0, 0.3, 32)
    assert gentle.recipe.base_share == 0, "else half of what people said would be undone"
    assert (gentle.base, gentle.seeds, gentle.data) == (str(tiny_run), (), plan.data)
    with pytest.raises(Misconfigured, match="to go on from"):
        gently(plan, tiny_base)
