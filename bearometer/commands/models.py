"""`bearometer models`: which version of the model scores, which one scored what, and how to change that."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bearometer.commands.login import find_person
from bearometer.commands.models_shown import print_comparison, print_history, print_models
from bearometer.errors import Failed
from bearometer.terminal import plain

if TYPE_CHECKING:
    from bearometer.registry import ModelVersion
    from bearometer.settings import Settings
    from storage.models import ModelStore
    from storage.shadow import ShadowStore

__all__ = ["register"]

_ASK_SECONDS = 0.5

Version = Annotated[str, typer.Argument(metavar="VERSION", help="A registered version, or a beginning only it has.")]
Who = Annotated[str | None, typer.Option(help="Who decides so; the login name when missing.")]
Wait = Annotated[float, typer.Option(min=0, help="Seconds to wait until all running stream workers have switched.")]
Unchecked = Annotated[
    bool, typer.Option("--unchecked", help="Do not load the folder here first: it is on the workers' machines only.")
]
Days = Annotated[float | None, typer.Option(min=0, help="Only posts published in so many last days.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON instead of lines.")]


def register(app: typer.Typer) -> None:
    """Add `bearometer models` and its subcommands."""
    models = typer.Typer(
        no_args_is_help=True,
        help="Which model scores the posts: register, promote, roll back, and try a candidate on live posts.",
    )
    models.command("list")(list_models)
    models.command("register")(register_folder)
    models.command("promote")(promote)
    models.command("rollback")(roll_back)
    models.command("shadow")(shadow)
    models.command("unshadow")(unshadow)
    models.command("compare")(compare)
    models.command("history")(history)
    app.add_typer(models, name="models")


def list_models(days: Days = None, as_json: AsJson = False) -> None:
    """List the versions: what each is used for, how many stored posts it scored and when, and what the workers use.

    Counting looks at every stored post; --days makes it quick on a large database.

    Example: bearometer models list --days 30
    """
    registry = _open()
    print_models(
        registry.models.versions(),
        registry.models.usage(_since(days)),
        registry.models.workers(registry.seen_seconds),
        pinned=registry.settings.model.path,
        as_json=as_json,
    )


def register_folder(
    folder: Annotated[Path, typer.Argument(help="A folder of weights, at this path on every worker's machine.")],
    who: Who = None,
) -> None:
    """Make the model in a folder known as a candidate; it is loaded and tried first, and nothing else changes.

    Register a folder again when its tokenizer, configuration, topics or temperatures have changed: until then it is
    refused, and then the workers that use it load it again.

    Example: bearometer models register /srv/models/2026-11
    """
    from model.registry import inspect_folder

    registry = _open()
    found = inspect_folder(folder, registry.settings.model)
    new = registry.models.register(found.version, found.name, found.path, found.files, found.card, find_person(who))
    said = "is registered as a candidate" if new else "was registered before; its folder is now"
    typer.echo(f"{plain(found.version)} {said}{'' if new else f' {plain(str(found.path))}'}")


def promote(version: Version, who: Who = None, wait: Wait = 30.0, unchecked: Unchecked = False) -> None:
    """Make a version the active one: all running stream workers switch to it between two batches.

    They look every stream.registry_seconds. A worker that cannot load the version keeps the one it has and says so;
    then this ends with exit code 1. A worker whose settings have a model.path does not follow.

    Example: bearometer models promote minilm-l6-int8@69a7ec09
    """
    registry = _open()
    model = registry.models.find(version)
    _check(registry, model, unchecked)
    previous = registry.models.promote(model.version, find_person(who))
    typer.echo(f"{plain(model.version)} is active; before it: {plain(previous or 'the shipped weights')}")
    _wait_for_workers(registry, model.version, wait)


def roll_back(who: Who = None, wait: Wait = 30.0, unchecked: Unchecked = False) -> None:
    """Take the last promotion back: the version before it is active again, or the weights that ship.

    A second rollback goes one promotion further back.

    Example: bearometer models rollback
    """
    registry = _open()
    way = registry.models.way_back()
    target = way[0] if way else None
    if target is not None:
        _check(registry, target, unchecked)
    previous = registry.models.rollback(find_person(who), target.version if target else None)
    name = target.version if target else "the model that ships"
    typer.echo(f"{plain(name)} is active again; {plain(previous or '')} is retired")
    _wait_for_workers(registry, target.version if target else None, wait)


def shadow(version: Version, who: Who = None, unchecked: Unchecked = False) -> None:
    """Have a version score the same live posts beside the active one; nobody but `models compare` sees what it says.

    Each stream worker runs it in a process of its own, on one CPU thread at the lowest priority. In a container it uses
    up part of the CPU quota that the active model has. Posts that it is too slow for are dropped and counted. There is
    one shadow at a time.

    Example: bearometer models shadow minilm-l6-int8@69a7ec09
    """
    registry = _open()
    model = registry.models.find(version)
    _check(registry, model, unchecked)
    registry.models.shadow(model.version, find_person(who))
    seconds = registry.settings.stream.registry_seconds
    typer.echo(f"{plain(model.version)} is the shadow; running stream workers start it within {seconds:g} s")


def unshadow(
    forget: Annotated[bool, typer.Option("--forget", help="Remove what it has said, too.")] = False, who: Who = None
) -> None:
    """Have no shadow any more; what it has said stays, for `models compare`, unless it is to be forgotten.

    Example: bearometer models unshadow
    """
    registry = _open()
    previous = registry.models.shadow(None, find_person(who))
    if previous is None:
        typer.echo("there was no shadow")
        return
    removed = f"; {registry.shadows.forget(previous):,} answers removed" if forget else ""
    typer.echo(f"{plain(previous)} is no longer the shadow{removed}")


def compare(
    version: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help="A version that is or was the shadow; the shadow if none.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="Only beside what this version scored; as `models list` spells it.")
    ] = None,
    days: Days = None,
    limit: Annotated[int, typer.Option(min=0, help="How many of the furthest answers to show.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Put a shadow's answers beside the stored ones: how often they agree, how labels and scores shift, and where.

    Example: bearometer models compare --days 7
    """
    registry = _open()
    model = registry.models.find(version) if version else registry.models.chosen().shadow
    if model is None:
        message = "there is no shadow: name a version that was one, or choose one with `bearometer models shadow`"
        raise Failed(message)
    found = registry.shadows.compare(model.version, against, _since(days), limit)
    workers = [w for w in registry.models.workers(registry.seen_seconds) if w.shadow == model.version]
    print_comparison(model.version, found, workers, as_json=as_json)


def history(as_json: AsJson = False) -> None:
    """List every promotion, rollback and change of the shadow: who, what and when.

    Example: bearometer models history
    """
    print_history(_open().models.changes(), as_json=as_json)


@dataclass(frozen=True)
class _Registry:
    settings: "Settings"
    models: "ModelStore"
    shadows: "ShadowStore"

    @property
    def seen_seconds(self) -> float:
        """A worker that has not reported for this long is taken for gone; it is silent while it loads a model."""
        return max(30.0, 6 * self.settings.stream.registry_seconds)


def _open() -> _Registry:
    from bearometer.settings import load_settings
    from storage.database import open_database
    from storage.models import ModelStore
    from storage.shadow import ShadowStore

    settings = load_settings()
    engine = open_database(settings.postgres)
    return _Registry(settings, ModelStore(engine), ShadowStore(engine))


def _check(registry: _Registry, model: "ModelVersion", unchecked: bool) -> None:
    from model.registry import load_version

    if not unchecked:
        load_version(model, registry.settings.model)


def _since(days: float | None) -> Any:
    from bearometer.clock import SystemClock

    return None if days is None else SystemClock().now() - timedelta(days=days)


def _check_still_active(registry: _Registry, version: str | None) -> None:
    active = registry.models.chosen().active
    now = active.version if active else None
    if now != version:
        message = f"the registry was changed meanwhile: {plain(now or 'the model that ships')} is active now"
        raise Failed(message)


def _wait_for_workers(registry: _Registry, version: str | None, wait_seconds: float) -> None:
    """Say what the running workers make of it; Failed when any of them keeps its old model."""
    from bearometer.clock import SystemClock

    clock = SystemClock()
    began = clock.monotonic()
    while True:
        # A worker is silent while it loads: whoever was there at the beginning stays in sight until it leaves.
        passed = clock.monotonic() - began
        workers = [worker for worker in registry.models.workers(registry.seen_seconds + passed) if not worker.pinned]
        waiting = [worker for worker in workers if worker.wanted != version]
        if waiting:
            _check_still_active(registry, version)
        if not waiting or passed >= wait_seconds:
            break
        clock.sleep(_ASK_SECONDS)
    refusals = [f"{worker.id}: {worker.problem}" for worker in workers if worker not in waiting and worker.problem]
    if not workers:
        typer.echo("no stream worker that follows the registry is running; the next one to start does")
        return
    typer.echo(f"{len(workers) - len(waiting) - len(refusals)} of {len(workers)} stream workers have switched")
    if refusals:
        message = f"{len(refusals)} of {len(workers)} stream workers kept their model: {'; '.join(refusals)}"
        raise Failed(message)
    if waiting and wait_seconds:
        message = f"{len(waiting)} stream workers have not looked within {wait_seconds:g} s: {waiting[0].id}"
        raise Failed(message)
