"""`bearometer evaluate`: how good a model is, on whose rows, against what, and whether its probabilities are true."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bearometer.commands.model_options import DeviceOption, ModelOption, TasksOption, labelled_files, model_settings
from bearometer.commands.model_progress import rows_progress
from bearometer.errors import Failed

if TYPE_CHECKING:
    from rich.console import Console

    from bearometer.settings import ModelSettings
    from model.assess import LabelledSet
    from model.calibrate import HeadCalibration
    from model.findings import Grid

__all__ = ["register"]


class Split(StrEnum):
    """Which rows of a labelled file are used."""

    ALL = "all"
    DEVELOPMENT = "development"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate")(evaluate)


def evaluate(
    *,
    data: Annotated[
        list[Path], typer.Option(help="Labelled texts, CSV or JSONL; may be given several times.", show_default=False)
    ],
    task: TasksOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    split: Annotated[
        Split, typer.Option(help="development: only the rows that `train` keeps apart (SHA-256 starts with 0 or 1).")
    ] = Split.ALL,
    compare: Annotated[
        list[Path] | None,
        typer.Option("--compare", help="Another folder of weights on the same rows; may be given several times."),
    ] = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(help="A public tool on the same rows: vader, finvader, pyfin, hf:FOLDER; may be repeated."),
    ] = None,
    checks: Annotated[
        bool, typer.Option("--checks", help="Also robustness, bias, speed and memory: about eleven times the work.")
    ] = False,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate", help="First calibrate on the development rows, and write the scalings into the folder."
        ),
    ] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write report.html, report.md and plots; implies --checks.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Measure a model on labelled rows: accuracy, F1, calibration (ECE) and slices, next to other models and tools.

    With another model or tool also how sure the difference is (paired bootstrap, McNemar's test). Files are read as
    in `train`. Examples:

    bearometer evaluate --data tfns_train.csv --split development --baseline vader

    bearometer evaluate --data tfns_train.csv --task sentiment --data sentfin_train.jsonl --task mentions --report out/
    """
    import orjson
    from rich.console import Console
    from rich.text import Text

    from bearometer.terminal import plain
    from model.assess import assess, rows_to_judge
    from model.cost import Contender
    from model.findings import findings
    from model.report import write_report

    sets = _read_sets(data, task or [], split)
    settings = model_settings(model, device)
    contenders = [
        Contender(settings),
        *(Contender(model_settings(path, device)) for path in compare or []),
        *(Contender(settings, name) for name in baseline or []),
    ]
    console = Console()
    if calibrate:
        fitted = _calibrate(settings, data, task or [])
        if not as_json:
            _print_grid(console, _calibration_grid(fitted))
    checks = checks or report is not None
    with rows_progress("evaluating", rows_to_judge(sets, len(contenders), checks)) as on_rows:
        try:
            assessment = assess(contenders, sets, checks, on_rows)
        except ValueError as error:
            raise Failed(str(error)) from None
    written = write_report(report, assessment, f"How good is {assessment.models[0]}?") if report else []
    if as_json:
        typer.echo(orjson.dumps(assessment.to_dict(), option=orjson.OPT_INDENT_2).decode())
        return
    for section in findings(assessment):
        console.rule(Text(plain(section.title)), align="left", style="dim")
        for grid in section.grids:
            if not grid.is_detail:
                _print_grid(console, grid)
    for path in written[:2]:
        console.print(plain(f"written: {path}", 4096), soft_wrap=True, markup=False, highlight=False)


def _read_sets(paths: Sequence[Path], tasks: Sequence[str], split: Split) -> list[LabelledSet]:
    from model.assess import LabelledSet
    from model.dataset import read_examples, split_examples

    sets = []
    for path, task in labelled_files(paths, tasks):
        examples = read_examples(path, task)
        if split is Split.DEVELOPMENT:
            examples = split_examples(examples)[1]
            if not examples:
                message = f"{path} has no rows of the development split; use --split all"
                raise Failed(message)
        sets.append(LabelledSet(path.name, task, split.value, tuple(examples)))
    return sets


def _calibrate(settings: ModelSettings, paths: Sequence[Path], tasks: Sequence[str]) -> dict[str, HeadCalibration]:
    """Fit on the development rows of all files, whatever is measured afterwards."""
    from model.calibrate import calibrate_folder
    from model.evaluate import judge_examples
    from model.load import SHIPPED_WEIGHTS, load_classifier

    examples = [row for each in _read_sets(paths, tasks, Split.DEVELOPMENT) for row in each.examples]
    classifier = load_classifier(settings)
    with rows_progress("calibrating", len(examples)) as on_rows:
        judgements = judge_examples(classifier, examples, on_rows)
    return calibrate_folder(settings.path or SHIPPED_WEIGHTS, judgements, examples)


def _calibration_grid(fitted: dict[str, HeadCalibration]) -> Grid:
    from model.findings import Grid

    rows = tuple(
        (
            head,
            f"{part.temperature:.4f}",
            f"{part.exponent:.2f}",
            f"{part.rows:,}",
            f"{part.ece_before:.4f}",
            f"{part.ece_after:.4f}",
        )
        for head, part in fitted.items()
    )
    header = ("head", "temperature", "exponent", "development rows", "ECE before", "ECE after")
    return Grid("scalings, now in the model's card", header, rows)


def _print_grid(console: Console, grid: Grid) -> None:
    """A table whose text is shown as it is: names of files and models come from outside."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from bearometer.terminal import plain

    table = Table(
        box=SIMPLE_HEAD,
        title=Text(plain(grid.title)),
        title_justify="left",
        caption=grid.note or None,
        caption_justify="left",
    )
    for place, name in enumerate(grid.header):
        table.add_column(Text(plain(name)), justify="right" if place else "left", overflow="fold")
    for row in grid.rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    console.print(table)
