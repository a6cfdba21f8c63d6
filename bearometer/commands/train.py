"""`bearometer train`: fine-tune a pretrained encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bearometer.commands.model_progress import scores_table, training_progress
from bearometer.errors import Misconfigured

if TYPE_CHECKING:
    from model.plan import Plan
    from model.recipe import Scores
    from model.workshop import Outcome

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train")(train)


def train(
    *,
    output: Annotated[Path, typer.Option(help="Run folder to make, or to go on in: weights, metrics, curves, plan.")],
    config: Annotated[
        Path | None, typer.Option(help="Plan of a training (TOML): base, data, recipe, seeds.", metavar="FILE")
    ] = None,
    data_folder: Annotated[
        Path | None, typer.Option(help="Where the plan's data files are; default: beside the plan.", metavar="DIR")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            help="Pretrained encoder: a folder, or a name on the Hugging Face Hub. A run folder is gone on from."
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Without --config: labelled texts, CSV `text,label` or JSONL alike.")
    ] = None,
    task: Annotated[
        str, typer.Option(help="What --data teaches: sentiment, topic, mentions, posts.", show_default=True)
    ] = "sentiment",
    development: Annotated[
        Path | None,
        typer.Option(
            help="Labelled texts to measure on; default: the rows of --data whose SHA-256 starts with 0 or 1."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name in the model's version; default: the output folder's.")] = None,
    layers: Annotated[
        str | None, typer.Option(help="What is trained: all, head, or a number of last layers. Default: all.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Default: 4.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Default: 32.")] = None,
    accumulate: Annotated[
        int | None, typer.Option(help="Batches that make one step, for small memories. Default: 1.")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Default: 0.0001.")] = None,
    warmup_share: Annotated[float | None, typer.Option(help="Share of the steps that warm up. Default: 0.06.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Default: 0.01.")] = None,
    label_smoothing: Annotated[float | None, typer.Option(help="Default: 0.05.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Texts are cut there. Default: 128.")] = None,
    patience: Annotated[
        int | None, typer.Option(help="Epochs without a better development score before it stops. Default: 2.")
    ] = None,
    lora_rank: Annotated[int | None, typer.Option(help="Train adapters of this rank; 0, the default, is none.")] = None,
    seed: Annotated[int | None, typer.Option(help="Default: 7.")] = None,
    checkpoint_seconds: Annotated[
        float, typer.Option(min=0, help="How much of a training a kill may cost.", show_default=True)
    ] = 300.0,
    feedback: Annotated[
        bool,
        typer.Option(
            "--feedback",
            help="Learn what people said at `bearometer label`, from --base (default: the weights that ship); the data "
            "named is replayed.",
        ),
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over where --output holds an earlier run.")] = False,
) -> None:
    """Fine-tune a pretrained encoder: a text's sentiment, each mention's, and the topic, in one pass.

    Killed, the same command goes on where it was. The development rows (those whose SHA-256 starts with 0 or 1) are
    never trained on: they choose the best epoch, stop early, and give the table of before and after. Uses a GPU if
    there is one. With --config, options given here win over the file's. A sentiment label is negative, neutral,
    positive, or 0 (negative), 1 (positive), 2 (neutral). Examples:

    bearometer train --config model/recipes/teacher.toml --data-folder data/ --output runs/teacher

    bearometer train --base all-MiniLM-L6-v2/ --data tfns_train.csv --output runs/minilm-l6

    bearometer train --feedback --config model/recipes/student.toml --data-folder data/ --output runs/corrected
    """
    from rich.console import Console

    from bearometer.commands.feedback import add_feedback, report_lesson
    from model.base import find_base
    from model.feedback import gently
    from model.load import SHIPPED_WEIGHTS
    from model.plan import read_plan
    from model.training_data import leave_out_idle, read_data
    from model.workshop import carry_out, open_run_folder

    if config is not None and (data is not None or development is not None):
        message = "--data and --development cannot be given with --config: the file names its data"
        raise Misconfigured(message)
    base = base or (str(SHIPPED_WEIGHTS) if feedback else None)
    plan = read_plan(config) if config else _plan_of_one_file(base, data, task, development)
    if feedback:
        plan = gently(plan, Path(base or plan.base))
    changes: dict[str, Any] = {
        "layers": layers,
        "epochs": epochs,
        "batch_size": batch_size,
        "accumulate": accumulate,
        "learning_rate": learning_rate,
        "warmup_share": warmup_share,
        "weight_decay": weight_decay,
        "label_smoothing": label_smoothing,
        "max_tokens": max_tokens,
        "patience": patience,
        "lora_rank": lora_rank,
        "seed": seed,
    }
    plan = replace(
        plan,
        recipe=replace(plan.recipe, **{key: value for key, value in changes.items() if value is not None}),
        base=base or plan.base,
        name=name or plan.name,
        seeds=() if seed is not None else plan.seeds,
    )
    folder = data_folder or (config.parent if config else Path.cwd())
    rows, idle = leave_out_idle(plan, read_data(plan, folder))
    lesson = add_feedback(rows) if feedback else None
    rows = lesson.data if lesson else rows
    found = find_base(plan.base)
    goes_on = open_run_folder(output, plan, fresh, models=[found], config=config)
    console = Console()
    if idle:
        said = f"left out, having no labels (bearometer distil learns from such): {', '.join(idle)}"
        console.print(said, soft_wrap=True, highlight=False, markup=False)
    if goes_on:
        console.print(f"going on with the run in {output}", soft_wrap=True, highlight=False)
    count = sum(round(len(portion.examples) * portion.passes) for portion in rows.portions)
    console.print(f"{count:,} rows an epoch to train on, {len(rows.development):,} to measure on")
    outcome = carry_out(plan, rows, found, output, training_progress, checkpoint_seconds)
    console.print(f"{outcome.run.trained_parameters:,} of {outcome.run.all_parameters:,} parameters trained")
    console.print(scores_table("development rows", _columns(outcome, plan)))
    console.print(f"the weights are in {output}", soft_wrap=True, highlight=False)
    if lesson:
        report_lesson(found, outcome.run, lesson, plan.recipe, output)


def _plan_of_one_file(base: str | None, data: Path | None, task: str, development: Path | None) -> Plan:
    from model.plan import Plan
    from model.recipe import DataSet

    if base is None or data is None:
        message = f"--{'base' if base is None else 'data'} is missing; give --base and --data, or --config"
        raise Misconfigured(message)
    return Plan(
        base=base,
        data=(DataSet(str(data.absolute()), task),),
        development=(DataSet(str(development.absolute()), task),) if development else (),
    )


def _columns(outcome: Outcome, plan: Plan) -> Mapping[str, Scores]:
    before = {"before": outcome.run.before}
    if outcome.combined is None:
        return {**before, "after": outcome.run.after}
    members = {f"seed {seed}": run.after for seed, run in outcome.members.items()}
    kept = {name: f"{name}{' (kept)' if plan.combine == name else ''}" for name in ("average", "best")}
    if plan.combine == "best":
        members = {name: scores for name, scores in members.items() if scores != outcome.run.after} | {
            kept["best"]: outcome.run.after
        }
    return {**before, **members, kept["average"]: outcome.combined.average, "ensemble": outcome.combined.ensemble}
