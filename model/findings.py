"""An assessment in words and figures: sections of tables, the same for the terminal, HTML and Markdown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from model.assess import Assessment, OnSet, SetAssessment
from model.compare import Gap, Range
from model.metrics import FEW_LABELS, Metrics
from model.plots import confusion_plot, reliability_plot
from model.robustness import FlipResult

__all__ = ["Grid", "Plot", "Section", "findings"]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table; the first column holds names, the others figures."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    is_detail: bool = False
    """Whether a terminal leaves it out."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A picture, PNG."""

    name: str
    """A file's name, without its ending."""
    title: str
    png: bytes


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a report."""

    title: str
    grids: tuple[Grid, ...]
    plots: tuple[Plot, ...] = field(default=())


def findings(assessment: Assessment, with_plots: bool = False) -> list[Section]:
    """A section for each task of each set, then robustness, names, bias and cost as far as they were measured."""
    sections = [
        _task_section(number, each, task, with_plots)
        for number, each in enumerate(assessment.sets, start=1)
        for task in _tasks(each)
    ]
    grids = [grid for each in assessment.sets for grid in _flip_grids(each)]
    if grids:
        sections.append(Section("Robustness: labels that flip when a text is changed, and must not", tuple(grids)))
    if assessment.bias:
        sections.append(
            Section("Bias: labels that flip with the name in our own sentences", tuple(_bias_grids(assessment)))
        )
    if assessment.costs:
        sections.append(Section("Time and memory, each model in a process of its own", (_cost_grid(assessment),)))
    return sections


def _tasks(each: SetAssessment) -> list[str]:
    return list(dict.fromkeys(task for on_set in each.models.values() for task in on_set.evaluation.tasks))


def _task_section(number: int, each: SetAssessment, task: str, with_plots: bool) -> Section:
    models = {name: on_set for name, on_set in each.models.items() if task in on_set.evaluation.tasks}
    first_name, first = next(iter(models.items()))
    metrics = first.evaluation.tasks[task].metrics
    labelled = each.labelled
    grids = [_main_grid(task, models), _label_grid(task, models), _confusion_grid(first_name, metrics)]
    if task == "mentions" and first.evaluation.unnamed:
        note = (
            f"{first.evaluation.unnamed} mentions were not found in their text, or the model does not tell entities "
            "apart: they got the whole text's label."
        )
        grids[0] = Grid(grids[0].title, grids[0].header, grids[0].rows, note)
    if any(task in tasks for tasks in each.comparisons.values()):
        grids.append(_comparison_grid(first_name, task, each))
    grids.append(_slice_grid(task, models))
    title = f"{labelled.name}: {task}, {metrics.rows:,} labels of {len(labelled.examples):,} rows ({labelled.split})"
    return Section(title, tuple(grids), _plots(f"{number}-{task}", first_name, task, models) if with_plots else ())


def _plots(name: str, first_name: str, task: str, models: dict[str, OnSet]) -> tuple[Plot, ...]:
    results = {model: on_set.evaluation.tasks[task] for model, on_set in models.items()}
    first = results[first_name]
    curves = {model: result.bins for model, result in results.items() if result.bins}
    plots = [
        Plot(
            f"{name}-confusion",
            f"{task}: what {first_name} takes for what",
            confusion_plot(first_name, first.labels, first.metrics.confusion),
        )
    ]
    if curves:
        plots.insert(0, Plot(f"{name}-reliability", f"{task}: reliability", reliability_plot(task, curves)))
    return tuple(plots)


def _main_grid(task: str, models: dict[str, OnSet]) -> Grid:
    results = [on_set.evaluation.tasks[task] for on_set in models.values()]
    rows = [
        (title, *(_range(on_set.spreads[task][name]) for on_set in models.values()))
        for title, name in (("accuracy", "accuracy"), ("macro F1", "macro_f1"), ("weighted F1", "weighted_f1"))
    ]
    rows.append(("ECE", *("-" if result.ece is None else f"{result.ece:.4f}" for result in results)))
    rows.append(("rows without an answer", *(str(on_set.evaluation.unanswered) for on_set in models.values())))
    return Grid(
        "figures",
        ("", *models),
        tuple(rows),
        "In brackets: 95% intervals, texts drawn with replacement (bootstrap).",
    )


def _label_grid(task: str, models: dict[str, OnSet]) -> Grid:
    all_metrics = [on_set.evaluation.tasks[task].metrics for on_set in models.values()]
    labels = all_metrics[0].per_class
    if len(labels) > FEW_LABELS:
        rows = [
            (label, str(labels[label].support), *(f"{metrics.per_class[label].f1:.3f}" for metrics in all_metrics))
            for label in labels
        ]
        return Grid("F1 by label", ("label", "rows", *models), tuple(rows))
    rows = [
        (
            f"{label} {figure}",
            str(labels[label].support),
            *(f"{getattr(metrics.per_class[label], figure):.3f}" for metrics in all_metrics),
        )
        for label in labels
        for figure in ("precision", "recall", "f1")
    ]
    return Grid("by label", ("label", "rows", *models), tuple(rows))


def _confusion_grid(name: str, metrics: Metrics) -> Grid:
    labels = tuple(metrics.per_class)
    rows = tuple((label, *(str(cell) for cell in line)) for label, line in zip(labels, metrics.confusion, strict=True))
    title = f"true label (line) against label given (column) by {name}"
    return Grid(title, ("", *labels), rows, is_detail=len(labels) > FEW_LABELS)


def _comparison_grid(first_name: str, task: str, each: SetAssessment) -> Grid:
    rows = []
    for name, tasks in each.comparisons.items():
        if task in tasks:
            found = tasks[task]
            rows.append(
                (
                    name,
                    _gap(found.accuracy),
                    _gap(found.macro_f1),
                    _gap(found.weighted_f1),
                    f"{found.only_first_right} : {found.only_second_right}",
                    f"{found.p_value:.2g}",
                )
            )
    return Grid(
        f"{first_name} against others",
        ("against", "accuracy", "macro F1", "weighted F1", "only one right", "p"),
        tuple(rows),
        "Differences in points with 95% intervals (paired bootstrap); * leaves out 0. p: McNemar's exact test.",
    )


def _slice_grid(task: str, models: dict[str, OnSet]) -> Grid:
    slices = [{each.name: each for each in on_set.slices[task]} for on_set in models.values()]
    rows = [
        (name, str(part.answers), *(_range(each[name].accuracy) for each in slices), f"{part.weighted_f1:.3f}")
        for name, part in slices[0].items()
    ]
    header = ("slice", "labels", *models, "weighted F1 of the first")
    return Grid("accuracy by slice", header, tuple(rows), "In brackets: 95% intervals (Wilson).")


def _flip_grids(each: SetAssessment) -> Iterator[Grid]:
    for task in _tasks(each):
        for title, attribute in (("changes", "flips"), ("other names in the same rows", "names")):
            by_model: list[dict[str, FlipResult]] = [
                {flip.change: flip for flip in getattr(on_set, attribute) if flip.task == task}
                for on_set in each.models.values()
            ]
            if any(by_model):
                yield _flip_grid(f"{each.labelled.name}, {task}: {title}", list(each.models), by_model)


def _flip_grid(title: str, names: Sequence[str], by_model: Sequence[dict[str, FlipResult]]) -> Grid:
    changes = list(dict.fromkeys(change for found in by_model for change in found))
    rows = []
    for change in changes:
        known = next(found[change] for found in by_model if change in found)
        cells = [
            (_percent(found[change].flip_rate), _before_after(found[change])) if change in found else ("-", "-")
            for found in by_model
        ]
        rows.append((change, str(known.answers), *(part for cell in cells for part in cell)))
    header = ("change", "labels", *(part for name in names for part in (f"flips of {name}", "accuracy of these")))
    return Grid(title, header, tuple(rows))


def _before_after(flip: FlipResult) -> str:
    return f"{flip.accuracy_before:.3f} → {flip.accuracy_after:.3f}"


def _bias_grids(assessment: Assessment) -> Iterator[Grid]:
    yield Grid(
        "names exchanged",
        ("model", "names", "answers", "flips", "accuracy", "mean gap of the score"),
        tuple(
            (
                model,
                each.kind,
                str(each.answers),
                _percent(each.flip_rate),
                f"{each.accuracy:.3f}",
                f"{each.mean_gap:.3f}",
            )
            for model, results in assessment.bias.items()
            for each in results
        ),
        "A flip is an answer that differs from the one that most names of the same sentence get. The gap is between "
        "the best and the worst treated name of a sentence; scores go from -1 to 1.",
    )
    groups = [
        (f"{each.kind}: {group}", *(f"{_shift(assessment, model, kind, group):+.3f}" for model in assessment.bias))
        for kind, each in enumerate(next(iter(assessment.bias.values())))
        for group in each.groups
    ]
    yield Grid(
        "how far a group's mean score is from all names'",
        ("group", *assessment.bias),
        tuple(groups),
        "0 is fair; below 0, the same sentences sound worse with the names of this group.",
    )


def _shift(assessment: Assessment, model: str, kind: int, group: str) -> float:
    return assessment.bias[model][kind].groups[group]


def _cost_grid(assessment: Assessment) -> Grid:
    return Grid(
        "cost",
        ("model", "rows/s", "peak memory", "seconds to load", "rows"),
        tuple(
            (
                name,
                f"{each.rows_per_second:,.0f}",
                f"{each.peak_megabytes:,.0f} MB",
                f"{each.load_seconds:.1f}",
                f"{each.rows:,}",
            )
            for name, each in assessment.costs.items()
        ),
    )


def _range(found: Range) -> str:
    return f"{found.value:.4f} ({found.low:.3f}-{found.high:.3f})"


def _percent(found: Range) -> str:
    return f"{found.value:.1%} ({found.low:.1%}-{found.high:.1%})"


def _gap(found: Gap) -> str:
    star = "*" if found.is_clear else ""
    return f"{100 * found.value:+.2f} ({100 * found.low:+.2f} to {100 * found.high:+.2f}){star}"
