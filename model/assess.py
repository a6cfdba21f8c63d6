"""All that `bearometer evaluate` finds out about one or several models, on one or several labelled sets."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from model.bias import BiasResult, measure_bias, measure_row_bias, template_rows
from model.bias_names import NAMES
from model.classifier import Classifier
from model.compare import Comparison, Range, compare, spread
from model.cost import Contender, Cost, measure_cost
from model.dataset import Example
from model.evaluate import Evaluation, evaluate
from model.robustness import CHANGES, FlipResult, measure_robustness
from model.slices import SliceResult, measure_slices

__all__ = ["Assessment", "LabelledSet", "OnSet", "SetAssessment", "assess", "rows_to_judge"]


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """Rows to measure on, and where they come from."""

    name: str
    """The file's name."""
    task: str
    """What it was read as: one of `model.dataset.TASKS`."""
    split: str
    """`all` or `development`."""
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class OnSet:
    """One model on one set."""

    evaluation: Evaluation
    spreads: dict[str, dict[str, Range]]
    """By task: accuracy, macro F1 and weighted F1, with 95% intervals."""
    slices: dict[str, tuple[SliceResult, ...]]
    flips: tuple[FlipResult, ...] = ()
    """Under the changes of `model.robustness`; empty when it was not asked for, as are the names."""
    names: tuple[FlipResult, ...] = ()
    """Under other names in the same rows."""

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary for JSON."""
        found = self.evaluation.to_dict()
        for task, result in found["tasks"].items():
            result["intervals"] = {name: [each.low, each.high] for name, each in self.spreads[task].items()}
            result["slices"] = [each.to_dict() for each in self.slices[task]]
        return {
            **found,
            "robustness": [each.to_dict() for each in self.flips],
            "names": [each.to_dict() for each in self.names],
        }


@dataclass(frozen=True, slots=True)
class SetAssessment:
    """All models on one set."""

    labelled: LabelledSet
    models: dict[str, OnSet]
    """By the model's version, in the order asked for."""
    comparisons: dict[str, dict[str, Comparison]]
    """The first model against each other one, by task."""

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary for JSON."""
        return {
            "data": self.labelled.name,
            "task": self.labelled.task,
            "split": self.labelled.split,
            "rows": len(self.labelled.examples),
            "models": {name: each.to_dict() for name, each in self.models.items()},
            "comparisons": {
                name: {task: each.to_dict() for task, each in tasks.items()} for name, tasks in self.comparisons.items()
            },
        }


@dataclass(frozen=True, slots=True)
class Assessment:
    """Everything."""

    sets: tuple[SetAssessment, ...]
    bias: dict[str, tuple[BiasResult, ...]] = field(default_factory=dict)
    """By model, in our own sentences; empty when it was not asked for, as are the costs."""
    costs: dict[str, Cost] = field(default_factory=dict)

    @property
    def models(self) -> list[str]:
        """The versions of the models, the first one first."""
        return list(self.sets[0].models)

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary for JSON."""
        return {
            "sets": [each.to_dict() for each in self.sets],
            "bias": {name: [asdict(each) for each in results] for name, results in self.bias.items()},
            "costs": {name: each.to_dict() for name, each in self.costs.items()},
        }


def rows_to_judge(sets: Sequence[LabelledSet], contenders: int, checks: bool) -> int:
    """How many rows `assess` will report as done."""
    rows = sum(len(each.examples) for each in sets)
    passes = 1 + (len(CHANGES) + len(NAMES) if checks else 0)
    return contenders * (rows * passes + (len(template_rows()) if checks else 0))


def assess(
    contenders: Sequence[Contender],
    sets: Sequence[LabelledSet],
    checks: bool = False,
    on_rows: Callable[[int], None] = lambda rows: None,
) -> Assessment:
    """Measure each contender on each set, and compare the first one with the others.

    `checks` adds robustness, bias, and what each costs. Models are in memory one after another. Raises ValueError,
    before any check, when a set has no label that the first contender answers; another one that answers none has no
    figures on that set. Raises also what `Contender.open` and `measure_cost` raise.
    """
    measured: list[dict[str, OnSet]] = [{} for _ in sets]
    bias: dict[str, tuple[BiasResult, ...]] = {}
    costs: dict[str, Cost] = {}
    for place, contender in enumerate(contenders):
        classifier = contender.open()
        name = _unused(classifier.version, measured[0])
        evaluations = [evaluate(classifier, each.examples, on_rows, may_answer_nothing=place > 0) for each in sets]
        for labelled, evaluation, models in zip(sets, evaluations, measured, strict=True):
            models[name] = _measure(classifier, labelled.examples, evaluation, checks, on_rows)
        if checks:
            bias[name] = measure_bias(classifier, on_rows)
        del classifier  # its memory is for the next one
        if checks:
            costs[name] = measure_cost(contender, [example for each in sets for example in each.examples])
    return Assessment(
        tuple(
            SetAssessment(labelled, models, _compare(models)) for labelled, models in zip(sets, measured, strict=True)
        ),
        bias,
        costs,
    )


def _measure(
    classifier: Classifier,
    examples: Sequence[Example],
    evaluation: Evaluation,
    checks: bool,
    on_rows: Callable[[int], None],
) -> OnSet:
    judgements = evaluation.judgements
    return OnSet(
        evaluation,
        {task: spread(result) for task, result in evaluation.tasks.items()},
        {task: measure_slices(result, examples) for task, result in evaluation.tasks.items()},
        measure_robustness(classifier, examples, judgements, on_rows) if checks else (),
        measure_row_bias(classifier, examples, judgements, on_rows) if checks else (),
    )


def _compare(models: dict[str, OnSet]) -> dict[str, dict[str, Comparison]]:
    (_, first), *others = models.items()
    return {name: dict(_by_task(first.evaluation, other.evaluation)) for name, other in others}


def _by_task(first: Evaluation, second: Evaluation) -> Iterator[tuple[str, Comparison]]:
    for task, result in first.tasks.items():
        if task in second.tasks:
            yield task, compare(result, second.tasks[task])


def _unused(name: str, taken: dict[str, OnSet]) -> str:
    """A model that is asked for twice stands twice."""
    number = 2
    unused = name
    while unused in taken:
        unused, number = f"{name} ({number})", number + 1
    return unused
