"""What `bearometer models` prints."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bearometer.mention import LABELS, WHOLE
from bearometer.registry import ModelChange, ModelState, ModelUsage, ModelVersion, WorkerReport
from bearometer.terminal import plain

if TYPE_CHECKING:
    from storage.shadow import Agreement, Comparison

__all__ = ["print_comparison", "print_history", "print_models"]

SHIPPED = "ships"
UNKNOWN = "-"
TEXT_CHARACTERS = 100


def print_models(
    models: Sequence[ModelVersion],
    usage: Sequence[ModelUsage],
    workers: Sequence[WorkerReport],
    *,
    pinned: Path | None,
    as_json: bool,
) -> None:
    """The registered versions and those that scored without being registered, then the workers."""
    rows = _model_rows(models, usage)
    if as_json:
        shown = [{**row, "state": str(row["state"])} for row in rows]
        _print_json({"models": shown, "workers": [asdict(worker) for worker in workers], "model_path": pinned})
        return
    header = ("VERSION", "STATE", "POSTS", "FIRST STORED", "LAST STORED", "REGISTERED", "BY", "FOLDER")
    keys = ("version", "state", "posts", "first", "last", "registered_at", "registered_by", "folder")
    _print_table(header, [[_cell(row[key]) for key in keys] for row in rows], right=(2,))
    if pinned is not None:
        typer.echo(f"\n`model.path` is {plain(str(pinned))}: with these settings a worker uses it, whatever is active")
    elif not any(model.state is ModelState.ACTIVE for model in models):
        typer.echo("\nnothing is promoted: stream workers use the weights that ship")
    typer.echo(f"\n{len(workers)} stream workers" + ("" if workers else " have reported lately"))
    for worker in workers:
        typer.echo(f"  {plain(worker.id)}  {_describe_worker(worker)}")


def print_history(changes: Sequence[ModelChange], *, as_json: bool) -> None:
    """The changes, the latest first."""
    newest_first = list(reversed(changes))
    if as_json:
        _print_json([asdict(change) for change in newest_first])
    elif not changes:
        typer.echo("nothing was ever promoted")
    else:
        header = ("WHEN", "WHO", "WHAT", "VERSION", "BEFORE")
        rows = []
        for change in newest_first:
            nothing = "nothing" if "shadow" in change.action else "the shipped weights"
            versions = (change.version or nothing, change.previous or nothing)
            rows.append([_cell(value) for value in (change.at, change.who, change.action, *versions)])
        _print_table(header, rows)


def print_comparison(version: str, found: "Comparison", workers: Sequence[WorkerReport], *, as_json: bool) -> None:
    """Agreement, label shifts, differences of the scores, and the answers that lie furthest apart."""
    dropped, scored = (sum(getattr(worker, f"shadow_{name}") for worker in workers) for name in ("dropped", "scored"))
    if as_json:
        fields: dict[str, Any] = {"shadow": version, **asdict(found), "dropped": dropped}
        for name in ("posts", "mentions"):
            if fields[name]:
                pairs = fields[name]["shifts"].items()
                fields[name]["shifts"] = [
                    {"label": a, "shadow_label": b, "answers": count} for (a, b), count in sorted(pairs)
                ]
        _print_json(fields)
        return
    if found.posts is None:
        typer.echo(f"{plain(version)} has said nothing of any stored post")
        _print_drops(workers, dropped, scored)
        return
    typer.echo(f"shadow  {plain(version)}\nstored  {plain(', '.join(found.models))}\n")
    rows = []
    for name, agreement in (("posts", found.posts), ("mentions", found.mentions)):
        if agreement is not None:
            share = f"{agreement.same / agreement.answers:.1%}"
            moves = (f"{agreement.mean_shift:+.3f}", f"{agreement.mean_moved:.3f}", f"{agreement.mean_distance:.3f}")
            rows.append([name, f"{agreement.answers:,}", share, *moves])
    if found.topics:
        rows.append(["topics", f"{found.topics:,}", f"{found.same_topics / found.topics:.1%}", "", "", ""])
    _print_table(("", "ANSWERS", "SAME", "SCORE SHIFT", "SCORE MOVED", "DISTANCE"), rows, right=range(1, 6))
    for name, agreement in (("posts", found.posts), ("mentions", found.mentions)):
        if agreement is not None:
            typer.echo(f"\n{name}: stored label (down) and the shadow's (across)")
            _print_shifts(agreement)
    if found.furthest:
        typer.echo("\nfurthest apart")
        _print_table(
            ("DISTANCE", "PUBLISHED", "OF", "STORED", "SHADOW", "TEXT"),
            [
                [
                    f"{one.distance:.2f}",
                    _cell(one.published_at),
                    "post" if one.symbol == WHOLE else plain(one.symbol, 20),
                    f"{one.label} {one.score:+.2f}",
                    f"{one.shadow_label} {one.shadow_score:+.2f}",
                    plain(one.text, TEXT_CHARACTERS),
                ]
                for one in found.furthest
            ],
        )
    _print_drops(workers, dropped, scored)


def _print_drops(workers: Sequence[WorkerReport], dropped: int, scored: int) -> None:
    if dropped:
        typer.echo(f"\nthe workers that run now scored {scored:,} posts with it and dropped {dropped:,}: it was behind")
    for worker in workers:
        if worker.shadow_problem:
            typer.echo(f"\n{plain(worker.id)}: {plain(worker.shadow_problem)}")


def _print_shifts(agreement: "Agreement") -> None:
    rows = [
        [f"  {stored}", *(f"{agreement.shifts.get((stored, shadow), 0):,}" for shadow in LABELS)] for stored in LABELS
    ]
    _print_table(("", *(label for label in LABELS)), rows, right=(1, 2, 3))


def _model_rows(models: Sequence[ModelVersion], usage: Sequence[ModelUsage]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    left = list(usage)
    known = {model.version for model in models}
    for model in models:
        # Of two folders with the same weights each gets what bears its own name.
        scored = [
            one for one in left if one.model == model.version or (one.model not in known and model.said(one.model))
        ]
        left = [one for one in left if one not in scored]
        registered = {"registered_at": model.registered_at, "registered_by": model.registered_by}
        rows.append({"version": model.version, "state": model.state, **_count(scored), **registered})
        rows[-1]["folder"] = str(model.folder)
    shipped = _shipped_digests()
    for one in left:
        state = SHIPPED if one.model.rpartition("@")[2] in shipped else UNKNOWN
        rows.append({"version": one.model, "state": state, **_count([one])})
        rows[-1] |= {"registered_at": None, "registered_by": None, "folder": None}
    return rows


def _count(usage: Sequence[ModelUsage]) -> dict[str, Any]:
    return {
        "posts": sum(one.posts for one in usage),
        "first": min((one.first for one in usage), default=None),
        "last": max((one.last for one in usage), default=None),
    }


def _shipped_digests() -> set[str]:
    from model.folder import FP32_FILE, INT8_FILE, TORCH_FILE, digest_of
    from model.load import SHIPPED_WEIGHTS

    files = (SHIPPED_WEIGHTS / name for name in (INT8_FILE, FP32_FILE, TORCH_FILE))
    return {digest_of(file) for file in files if file.is_file()}


def _describe_worker(worker: WorkerReport) -> str:
    words = f"scores with {plain(worker.version)}"
    if worker.pinned:
        words += ", as its own `model.path` says"
    if worker.problem:
        words += f"; refuses {plain(worker.wanted or 'the shipped weights')}: {plain(worker.problem)}"
    if worker.shadow:
        words += f"; shadow {plain(worker.shadow)}: {worker.shadow_scored:,} scored, {worker.shadow_dropped:,} dropped"
    if worker.shadow_problem:
        words += f" ({plain(worker.shadow_problem)})"
    return words


def _cell(value: object) -> str:
    match value:
        case None:
            return UNKNOWN
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
        case int():
            return f"{value:,}"
        case _:
            return plain(str(value), 200)


def _print_table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        cells = (
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        typer.echo("  ".join(cells).rstrip())


def _print_json(content: Mapping[str, Any] | Sequence[Any]) -> None:
    import orjson

    typer.echo(orjson.dumps(content, default=str, option=orjson.OPT_UTC_Z).decode())
