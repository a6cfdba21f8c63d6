"""`bearometer train --feedback`: what people said at `bearometer label` is learnt, and what was known is kept."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from bearometer.commands.model_progress import scores_table
from bearometer.errors import Failed

if TYPE_CHECKING:
    from pathlib import Path

    from model.dataset import Example
    from model.feedback import Lesson
    from model.recipe import Recipe
    from model.run_folder import TrainingRun
    from model.training_data import TrainingData
    from storage.feedback import FeedbackStore

__all__ = ["add_feedback", "read_feedback", "report_lesson"]

MAX_LOST = 0.01
"""By how much the overall score on the old data may fall; the seeds of one recipe differ by about so much."""


def read_feedback(store: FeedbackStore) -> list[Example]:
    """What people said, one example per text."""
    from model.feedback import feedback_examples

    return feedback_examples(store.corrections())


def add_feedback(old: TrainingData) -> Lesson:
    """Mix the rows of a training with the feedback in the database that the settings name."""
    from bearometer.settings import load_settings
    from model.feedback import plan_lesson
    from storage.database import open_database
    from storage.feedback import FeedbackStore

    lesson = plan_lesson(read_feedback(FeedbackStore(open_database(load_settings().postgres))), old)
    typer.echo(f"{len(lesson.learnt):,} labelled texts to learn from, {len(lesson.held_back):,} held back")
    return lesson


def report_lesson(base: Path, run: TrainingRun, lesson: Lesson, recipe: Recipe, folder: Path) -> None:
    """Print what is old and what is new before and after, and keep it in the run's metrics.

    Raises Failed when the old data's score has fallen by more than chance; the weights are kept all the same.
    """
    import orjson
    from rich.console import Console

    from model.feedback import measure_lesson
    from model.run_folder import METRICS_FILE

    reports = measure_lesson(base, run, lesson, recipe)
    console = Console()
    for report in reports:
        title = f"{report.name}: {report.rows:,} rows"
        console.print(scores_table(title, {"before": report.before, "after": report.after}))
    path = folder / METRICS_FILE
    metrics = orjson.loads(path.read_bytes()) | {"feedback": [asdict(report) for report in reports]}
    path.write_bytes(orjson.dumps(metrics, option=orjson.OPT_INDENT_2))
    for report in reports:
        if report.name.startswith("old") and report.lost > MAX_LOST:
            message = (
                f"on the old data the overall score fell by {report.lost:.3f}, more than {MAX_LOST}: "
                "lower --learning-rate or --epochs"
            )
            raise Failed(message)
