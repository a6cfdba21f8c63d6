"""The rows that a plan trains on and is measured on, read and checked before hours are spent on them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bearometer.errors import Failed
from bearometer.mention import LABELS
from bearometer.topics import TOPICS
from model.dataset import Example, read_examples, sample, seen_text, split_examples
from model.folder import digest_of
from model.plan import Plan
from model.recipe import DataSet
from model.schooling import Portion

__all__ = ["TrainingData", "check_data", "leave_out_idle", "read_data", "teaches"]


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a training reads."""

    portions: tuple[Portion, ...]
    """One for each of the plan's data sets, in order."""
    development: tuple[Example, ...]
    digests: dict[str, str]
    """The first digits of each file's SHA-256, by the path in the plan."""


def read_data(plan: Plan, folder: Path) -> TrainingData:
    """Read all files, relative to `folder`; raises Failed in one line when a file, a class or the split is no good.

    No text of the development rows is among the rows to train on, nor one that a model could not tell from it
    (`seen_text`): tweets come again with another link, and the split goes by their letters.
    """
    sets = [read_examples(folder / each.path, each.task) for each in plan.data]
    if plan.development:
        development = [row for each in plan.development for row in read_examples(folder / each.path, each.task)]
    else:
        splits = [split_examples(examples) for examples in sets]
        sets = [rows for rows, _ in splits]
        development = [
            example
            for each, (_, rows) in zip(plan.data, splits, strict=True)
            for example in rows
            if each.task != "texts"  # without labels there is nothing to measure
        ]
    kept_apart = {seen_text(example.text) for example in development}
    portions = [
        Portion(sample([one for one in examples if seen_text(one.text) not in kept_apart], each.rows), each.passes)
        for each, examples in zip(plan.data, sets, strict=True)
    ]
    check_data(portions, development, plan.data)
    files: Iterable[DataSet] = (*plan.data, *plan.development)
    return TrainingData(
        tuple(portions), tuple(development), {each.path: digest_of(folder / each.path) for each in files}
    )


def teaches(portion: Portion) -> bool:
    """Whether any of its rows has a label or a teacher's answer."""
    return any(example.soft is not None or any(_labels(example)) for example in portion.examples)


def leave_out_idle(plan: Plan, data: TrainingData) -> tuple[TrainingData, list[str]]:
    """The data without the sets that teach nothing, which would only cost passes, and the paths of those sets."""
    idle = [each.path for each, portion in zip(plan.data, data.portions, strict=True) if not teaches(portion)]
    kept = tuple(portion for portion in data.portions if teaches(portion))
    digests = {path: digest for path, digest in data.digests.items() if path not in idle}
    return (replace(data, portions=kept, digests=digests) if idle else data), idle


def check_data(portions: Sequence[Portion], development: Sequence[Example], sets: Sequence[DataSet]) -> None:
    """Raises Failed when a class of a taught task has no rows, or a taught task no development rows.

    Otherwise the model would never give that class, or be picked by chance, after hours and in silence.
    """
    names = ", ".join(each.path for each in sets)
    taught = _count(example for portion in portions for example in portion.examples if portion.passes > 0)
    measured = _count(development)
    for task, labels in (("sentiment", LABELS), ("mentions", LABELS), ("topic", TOPICS)):
        if not taught[task]:
            continue
        missing = [label for place, label in enumerate(labels) if not taught[task][place]]
        if missing:
            message = f"no row to train on has the {task} label {missing[0]!r} ({names}): it could never be learnt"
            raise Failed(message)
        if not measured[task]:
            message = f"no development row has a {task} label ({names}): name a file of them as development"
            raise Failed(message)
    if not any(taught.values()):
        message = f"no row to train on has a label ({names})"
        raise Failed(message)


def _count(examples: Iterable[Example]) -> dict[str, Counter[int]]:
    counts: dict[str, Counter[int]] = {"sentiment": Counter(), "mentions": Counter(), "topic": Counter()}
    for example in examples:
        for task, place in _labels(example):
            counts[task][place] += 1
    return counts


def _labels(example: Example) -> Iterator[tuple[str, int]]:
    if example.label is not None:
        yield "sentiment", example.label
    if example.topic is not None:
        yield "topic", example.topic
    for _, label in example.mentions:
        if label is not None:
            yield "mentions", label
