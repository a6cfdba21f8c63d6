"""`bearometer distil`: a small model that learns from a large one."""

from pathlib import Path
from typing import Annotated

import typer

from bearometer.commands.model_options import DeviceOption, model_settings

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("distil")(distil)


def distil(
    *,
    config: Annotated[Path, typer.Option(help="Plan of the student (TOML): base, data, recipe.", metavar="FILE")],
    teacher: Annotated[
        list[Path], typer.Option(help="Folder of the teacher's weights; several times for the mean of several.")
    ],
    output: Annotated[Path, typer.Option(help="Run folder to make, or to go on in.")],
    data_folder: Annotated[
        Path | None, typer.Option(help="Where the plan's data files are; default: beside the plan.", metavar="DIR")
    ] = None,
    base: Annotated[str | None, typer.Option(help="The student's pretrained encoder; wins over the plan's.")] = None,
    name: Annotated[str | None, typer.Option(help="Name in the model's version; wins over the plan's.")] = None,
    device: DeviceOption = None,
    checkpoint_seconds: Annotated[
        float, typer.Option(min=0, help="How much of a training a kill may cost.", show_default=True)
    ] = 300.0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over where --output holds an earlier run.")] = False,
) -> None:
    """Train a small model on a large one's probabilities, beside the labels.

    First the teacher judges every text of the plan, those without any label too (task `texts`): each then teaches the
    sentiment of the text and of its mentions, and the topic. Then the student is trained as `bearometer train` would.
    Killed at any moment, the same command goes on where it was. A teacher that was exported into its own folder is
    run in int8, three times as fast on a CPU. Example:

    bearometer export runs/teacher --output runs/teacher

    bearometer distil --config student.toml --data-folder data/ --teacher runs/teacher --output runs/student
    """
    from dataclasses import replace

    from rich.console import Console

    from bearometer.commands.model_progress import rows_progress, scores_table, training_progress
    from model.base import find_base
    from model.distil import SoftLabels
    from model.load import load_classifier
    from model.plan import read_plan
    from model.training_data import read_data
    from model.workshop import SOFT_LABELS_FILE, carry_out, open_run_folder

    plan = read_plan(config)
    plan = replace(plan, base=base or plan.base, name=name or plan.name)
    rows = read_data(plan, data_folder or config.parent)
    found = find_base(plan.base)
    longest = {"max_tokens": plan.recipe.max_tokens}  # the teacher is to judge what the student reads
    teachers = [load_classifier(model_settings(each, device).model_copy(update=longest)) for each in teacher]
    if open_run_folder(output, plan, fresh, models=[found, *teacher], config=config):
        Console().print(f"going on with the run in {output}", soft_wrap=True, highlight=False)
    soft = SoftLabels(output / SOFT_LABELS_FILE, teachers)
    with rows_progress("the teacher judges", sum(len(portion.examples) for portion in rows.portions)) as on_rows:
        portions = tuple(replace(portion, examples=soft.add(portion.examples, on_rows)) for portion in rows.portions)
    outcome = carry_out(
        plan,
        replace(rows, portions=portions),
        found,
        output,
        training_progress,
        checkpoint_seconds,
        teachers=[each.version for each in teachers],
    )
    console = Console()
    console.print(scores_table("development rows", {"before": outcome.run.before, "after": outcome.run.after}))
    console.print(f"the weights are in {output}", soft_wrap=True, highlight=False)
