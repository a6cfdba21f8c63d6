"""Carrying out a plan in a run folder: killed at any moment, the same call goes on where it was."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from bearometer.errors import Misconfigured
from model.checkpoint import clear_checkpoint, has_checkpoint
from model.curves import CURVES_FILE, STEPS_FILE, CurveLog, draw_curves, read_steps
from model.finetune import Trainer
from model.folder import CARD_FILE, CONFIG_FILE, TOKENIZER_FILE, TORCH_FILE
from model.plan import Plan, write_plan
from model.recipe import Observer, Recipe
from model.run_folder import METRICS_FILE, NEW_CARD_FILE, TrainingRun, load_run, save_run
from model.seeds import Combined, combine_runs, spread
from model.training_data import TrainingData

__all__ = ["PLAN_FILE", "SOFT_LABELS_FILE", "Outcome", "carry_out", "open_run_folder"]

PLAN_FILE = "config.toml"
SOFT_LABELS_FILE = "soft-labels.jsonl"
"""What `bearometer distil` keeps in the folder before the training begins: only a fresh start does without."""

Watch = Callable[[str], AbstractContextManager[Observer]]
"""Gives the observer of one training, by its title."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a plan gave."""

    run: TrainingRun
    """The one whose weights are kept."""
    members: Mapping[int, TrainingRun]
    """By seed; empty unless the plan has several."""
    combined: Combined | None = None


def open_run_folder(
    folder: Path, plan: Plan, fresh: bool = False, *, models: Sequence[Path] = (), config: Path | None = None
) -> bool:
    """Make the folder for a plan, and write the plan into it; gives whether an earlier start is gone on with.

    `fresh` takes away what an earlier run left. Misconfigured when the folder holds a finished run, one of another
    plan, or things that are no run; or any of `models` (the base, the teachers) that the training reads, or `config`,
    the file of the plan, which a start would write over.
    """
    for path in models:
        _refuse_if_inside(folder, path)
    text = write_plan(plan)
    earlier = folder / PLAN_FILE
    if folder.exists() and not folder.is_dir():
        message = f"--output {folder} is there already, and is no folder"
        raise Misconfigured(message)
    if folder.exists() and any(folder.iterdir()) and not earlier.is_file():
        message = f"--output {folder} is there already and holds no run; name a new folder, or remove it"
        raise Misconfigured(message)
    if _has_begun(folder) and not fresh:
        if (folder / CARD_FILE).is_file():
            message = f"--output {folder} is there already and holds a finished run; name a new folder, or use --fresh"
            raise Misconfigured(message)
        if earlier.read_text(encoding="utf-8") != text:
            message = (
                f"--output {folder} holds a run of another configuration ({_difference(earlier, text)}); "
                "name a new folder, or use --fresh"
            )
            raise Misconfigured(message)
        return True
    if config:
        _refuse_if_inside(folder, config)
    _clear(folder, SOFT_LABELS_FILE if fresh else "")
    folder.mkdir(parents=True, exist_ok=True)
    earlier.write_text(text, encoding="utf-8")
    return False


def carry_out(
    plan: Plan,
    data: TrainingData,
    base: Path,
    folder: Path,
    watch: Watch,
    checkpoint_seconds: float = 300.0,
    *,
    teachers: Sequence[str] = (),
) -> Outcome:
    """Train as planned, and save the run into its folder (`open_run_folder`), with curves and TensorBoard's events.

    `teachers` are the versions of those whose answers are in the data. Blocks for minutes to hours; several seeds each
    leave a run of their own in `seed-N`. Raises as `Trainer` does.
    """
    name = plan.name or folder.resolve().name
    origin = {
        "base": Path(plan.base).name if Path(plan.base).is_dir() else plan.base,
        "data": data.digests,
        "training_rows": sum(len(portion.examples) for portion in data.portions),
        "development_rows": len(data.development),
        **({"teachers": teachers} if teachers else {}),
    }

    def train(recipe: Recipe, where: Path, title: str, version: str) -> TrainingRun:
        if (where / CARD_FILE).is_file():
            if orjson.loads((where / CARD_FILE).read_bytes()).get("data") != origin["data"]:
                message = f"{where} is a run on other data; name a new folder, or use --fresh"
                raise Misconfigured(message)
            return load_run(where)
        with watch(title) as observer, closing(CurveLog(where, observer)) as log:
            run = Trainer(base, recipe).run(data.portions, data.development, log, where, checkpoint_seconds)
        save_run(run, where, version, recipe, origin)
        clear_checkpoint(where)
        draw_curves(read_steps(where), run.history, where / CURVES_FILE)
        return run

    if len(plan.seeds) < 2:
        recipe = replace(plan.recipe, seed=plan.seeds[0]) if plan.seeds else plan.recipe
        return Outcome(train(recipe, folder, "training", name), {})
    members = {}
    for number, seed in enumerate(plan.seeds, start=1):
        # The same fresh heads for all: weights can only be averaged between networks that began alike.
        recipe = replace(plan.recipe, seed=seed, head_seed=plan.seeds[0])
        title = f"seed {seed} ({number} of {len(plan.seeds)})"
        members[seed] = train(recipe, folder / f"seed-{seed}", title, f"{name}-seed-{seed}")
    combined = combine_runs(members, plan.combine, data.development, plan.recipe)
    best = max(members, key=lambda seed: members[seed].after.overall)
    metrics: dict[str, Any] = {
        "seeds": {str(seed): asdict(run.after) for seed, run in members.items()},
        "spread": spread(members),
        "average": asdict(combined.average),
        "ensemble": asdict(combined.ensemble),
        "combine": plan.combine,
    }
    save_run(combined.run, folder, name, plan.recipe, {**origin, "seeds": plan.seeds}, metrics)
    draw_curves(read_steps(folder / f"seed-{best}"), members[best].history, folder / CURVES_FILE)
    return Outcome(combined.run, members, combined)


def _has_begun(folder: Path) -> bool:
    """Whether something would be lost: a checkpoint or a finished run."""
    return any(has_checkpoint(each) or (each / CARD_FILE).is_file() for each in (folder, *folder.glob("seed-*/")))


def _clear(folder: Path, *more: str) -> None:
    """Take away the files of a run, and nothing else."""
    clear_checkpoint(folder)
    for name in (
        *(CARD_FILE, NEW_CARD_FILE, PLAN_FILE, CURVES_FILE, STEPS_FILE, METRICS_FILE),
        *(CONFIG_FILE, TOKENIZER_FILE, TORCH_FILE, *filter(None, more)),
    ):
        (folder / name).unlink(missing_ok=True)
    for path in folder.glob("events.out.tfevents.*"):
        path.unlink()
    for path in folder.glob("seed-*/"):
        if path.name.removeprefix("seed-").removeprefix("-").isdecimal():
            shutil.rmtree(path)


def _refuse_if_inside(folder: Path, path: Path) -> None:
    """Misconfigured when `path` is the folder or lies in it: what the training reads would be taken away."""
    if path.resolve().is_relative_to(folder.resolve()):
        message = f"--output {folder} holds {path}, which the training reads; name another folder"
        raise Misconfigured(message)


def _difference(earlier: Path, text: str) -> str:
    """The first option that differs, for the message."""
    try:
        before = dict(_flat(tomllib.loads(earlier.read_text(encoding="utf-8")), ""))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return f"its {PLAN_FILE} cannot be read"
    now = dict(_flat(tomllib.loads(text), ""))
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) != now.get(key):
            return f"`{key}` was {_shown(before, key)} and is {_shown(now, key)}"
    return f"its {PLAN_FILE} was changed by hand"


def _flat(table: Mapping[str, Any], where: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{where}{key}.")
        else:
            yield where + key, value


def _shown(table: Mapping[str, Any], key: str) -> str:
    return orjson.dumps(table[key]).decode()[:80] if key in table else "not set"
