"""`bearometer export`: from a trained model to what runs without torch."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bearometer.commands.model_options import TasksOption, labelled_files
from bearometer.commands.model_progress import rows_progress
from bearometer.errors import Failed

if TYPE_CHECKING:
    from model.dataset import Example

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    *,
    run: Annotated[Path, typer.Argument(help="Run folder that `bearometer train` made, or a checkpoint of others.")],
    output: Annotated[
        Path, typer.Option(help="Folder to write to; files of the same names are replaced if the check is passed.")
    ],
    data: Annotated[
        list[Path] | None,
        typer.Option(help="Labelled file whose development rows check the export; default: a few built-in sentences."),
    ] = None,
    task: TasksOption = None,
    fp32: Annotated[bool, typer.Option("--fp32/--no-fp32", help="Write the float32 weights beside int8.")] = True,
    max_difference: Annotated[
        float, typer.Option(min=0, max=1, help="Fail when the probabilities differ by more than this on average.")
    ] = 0.02,
) -> None:
    """Write a trained model as ONNX, int8 and float32, and check int8 against torch.

    The folder then runs without torch: `--model`, or `model.path` in the settings. Example:

    bearometer export runs/minilm-l6 --output weights/ --data tfns_train.csv
    """
    from rich.console import Console

    from bearometer.terminal import plain
    from model.export import put_in_place, staging, write_export
    from model.fidelity import PROBES, compare_export, difference_table

    examples = _read_development(data or [], task or []) or list(PROBES)
    console = Console()
    with staging(output) as folder:
        with console.status("exporting: from half a minute to a few") if console.is_terminal else nullcontext():
            write_export(run, folder, output, fp32)
        with rows_progress("checking", 2 * len(examples)) as on_rows:
            difference = compare_export(run, folder, examples, on_rows)
        console.print(difference_table(difference))
        console.print(
            f"difference of a probability: mean {difference.mean:.4f}, largest {difference.largest:.4f}; "
            f"{difference.changed:,} of {difference.answers:,} answers changed",
            soft_wrap=True,
        )
        if difference.mean > max_difference:
            message = (
                f"int8 differs from torch by {difference.mean:.4f} on average; --max-difference is {max_difference}; "
                f"{output} is left as it was"
            )
            raise Failed(message)
        put_in_place(folder, output)
    for file in sorted(output.iterdir()):
        line = f"{file.stat().st_size / 1e6:8.2f} MB  {plain(file.name)}"
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def _read_development(paths: list[Path], tasks: list[str]) -> list[Example]:
    from model.dataset import read_examples, split_examples

    examples: list[Example] = []
    for path, task in labelled_files(paths, tasks):
        development = split_examples(read_examples(path, task))[1]
        if not development:
            message = f"{path} has no rows of the development split to check the export on"
            raise Failed(message)
        examples += development
    return examples
