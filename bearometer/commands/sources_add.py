"""`bearometer sources add`: a source into the settings file, once it has been seen to work."""

import os
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_origin

import typer

from bearometer.errors import Failed, Misconfigured
from bearometer.terminal import plain

if TYPE_CHECKING:
    from pydantic import BaseModel

    from bearometer.settings import FeedSettings, Settings
    from bearometer.source_settings import SourceSettings

__all__ = ["add"]

RSS = "rss"


def add(
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND]", help="rss, edgar, gdelt, json, …: docs/sources.md has all.")
    ] = None,
    fields: Annotated[
        list[str] | None, typer.Argument(metavar="[SETTING=VALUE]...", help="Its settings; lists with commas.")
    ] = None,
    opml: Annotated[Path | None, typer.Option(metavar="FILE", help="Add the feeds of an OPML file.")] = None,
    default_feeds: Annotated[
        bool, typer.Option("--default-feeds", help="Add well-known public feeds: central banks, markets, news.")
    ] = False,
    no_check: Annotated[bool, typer.Option("--no-check", help="Add it without asking it first.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the block, leave the settings file alone.")] = False,
) -> None:
    """Ask a new source once and, if it works, append it to the settings file of --config.

    A secret is best left in the environment: `access_token=env:NAME` names its variable. Feeds that the file has
    already are passed over, and of a list those that do not answer.

    Example: bearometer --config bearometer.toml sources add edgar name=filings contact="Ann Example ann@example.com"

    Example: bearometer --config bearometer.toml sources add rss url=https://example.com/news.rss symbols=ACME

    Example: bearometer --config bearometer.toml sources add --opml feeds.opml
    """
    from bearometer.settings import load_settings

    settings = load_settings()
    config = os.environ.get("BEAROMETER_CONFIG")
    if not dry_run and not config:
        message = "there is no settings file to add to: name one by --config FILE, or see it with --dry-run"
        raise Misconfigured(message)
    if (kind is not None) + (opml is not None) + default_feeds != 1:
        message = "say what to add: a KIND with its settings, --opml FILE or --default-feeds, one of them"
        raise Misconfigured(message)
    if kind is None:
        blocks = _listed(settings, opml, check=not no_check)
    else:
        blocks = [_one(settings, kind, _pairs(fields or []), check=not no_check)]
    if dry_run:
        typer.echo("\n".join(blocks), nl=False)
    elif blocks:
        assert config is not None
        _append(Path(config), blocks)
        typer.echo(f"{len(blocks)} added to {config}")
    else:
        typer.echo("nothing to add")


def _one(settings: "Settings", kind: str, pairs: dict[str, str], *, check: bool) -> str:
    from pydantic import TypeAdapter, ValidationError

    from bearometer.settings import FeedSettings
    from bearometer.source_settings import KINDS, Sources
    from bearometer.toml_block import toml_block

    model: type[BaseModel] | None = FeedSettings if kind == RSS else KINDS.get(kind)
    if model is None:
        message = f"`KIND` is {plain(kind, 40)!r}; it must be one of {', '.join((RSS, *KINDS))}"
        raise Misconfigured(message)
    typed = {name: _typed(model, name, value) for name, value in pairs.items()}
    try:
        source: Any = model.model_validate(typed)
        if kind != RSS:
            TypeAdapter(Sources).validate_python((*settings.ingest.sources, source))
    except ValidationError as error:
        raise Misconfigured("; ".join(_fault(dict(item)) for item in error.errors(include_input=False))) from None
    if check:
        problem = _problem(settings, source)
        if problem is not None:
            message = f"it does not work, and was not added (--no-check adds it all the same): {problem}"
            raise Failed(message)
    plain_fields = {name: _plain_value(getattr(source, name)) for name in pairs}
    if kind == RSS:
        return toml_block("[[ingest.feeds]]", plain_fields)
    return toml_block("[[ingest.sources]]", {"kind": kind, **plain_fields})


def _listed(settings: "Settings", opml: Path | None, *, check: bool) -> list[str]:
    from importlib.resources import as_file, files

    from bearometer.settings import FeedSettings
    from bearometer.toml_block import toml_block
    from ingest.opml import read_opml

    with as_file(files("ingest").joinpath("default_feeds.opml")) as default:
        found = read_opml(opml or default)
    known = {feed.url for feed in settings.ingest.feeds}
    blocks = []
    for each in found:
        if each.url in known:
            typer.echo(f"{plain(each.name or each.url, 100)}: is there already", err=True)
            continue
        feed = FeedSettings(url=each.url, name=each.name)
        if check and _problem(settings, feed) is not None:
            continue
        blocks.append(toml_block("[[ingest.feeds]]", {"url": each.url, **({"name": each.name} if each.name else {})}))
    return blocks


def _problem(settings: "Settings", source: "FeedSettings | SourceSettings") -> str | None:
    """What keeps it from working; says on standard error what it gave."""
    from functools import partial

    from bearometer.clock import SystemClock
    from bearometer.settings import FeedSettings
    from ingest.checks import check_source
    from ingest.rss import RssSource
    from ingest.source import Source
    from ingest.sources import build_source

    clock = SystemClock()
    if isinstance(source, FeedSettings):
        alone = settings.ingest.model_copy(update={"feeds": (source,)})
        name = source.name or source.url
        opened: Callable[[], Source] = partial(RssSource, alone, clock, once=True)
    else:
        name, opened = source.name, partial(build_source, source, settings.ingest, clock, once=True, dry_run=True)
    found = check_source(opened, settings.ingest, clock)
    if found.problem is None:
        typer.echo(f"{plain(name, 100)}: works, {found.posts:,} posts just now", err=True)
    else:
        typer.echo(f"{plain(name, 100)}: does not work: {found.problem}", err=True)
    return found.problem


def _pairs(fields: list[str]) -> dict[str, str]:
    pairs = {}
    for field in fields:
        name, equals, value = field.partition("=")
        if not equals:
            message = f"{plain(field, 60)!r} is no SETTING=VALUE"
            raise Misconfigured(message)
        pairs[name.strip()] = value
    return pairs


def _typed(model: "type[BaseModel]", name: str, value: str) -> Any:
    """The value as the setting needs it: a list, a table, or the text, which numbers are read from."""
    origin = get_origin(model.model_fields[name].annotation) if name in model.model_fields else None
    if origin is tuple and not value.startswith("["):
        return [part.strip() for part in value.split(",") if part.strip()]
    if origin in (tuple, dict):
        try:
            return tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError as error:
            message = f"`{name}` must be written as in TOML, such as {{ text = 'body' }} or ['A', 'B']: {error}"
            raise Misconfigured(message) from None
    return value


def _plain_value(value: Any) -> Any:
    from pydantic import SecretStr

    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Mapping):
        return {name: _plain_value(each) for name, each in value.items()}
    return value


def _fault(item: dict[str, Any]) -> str:
    name = ".".join(str(part) for part in item["loc"]) or "settings"
    if item["type"] == "extra_forbidden":
        return f"`{plain(name, 60)}` is no setting of this kind"
    return f"`{plain(name, 60)}`; {plain(str(item['msg']).removeprefix('Value error, '), 200)}"


def _append(path: Path, blocks: list[str]) -> None:
    """All blocks or nothing: the file is replaced by one that was read and found right."""
    from bearometer.settings import load_settings

    before = path.read_text(encoding="utf-8")
    text = "\n".join([before.rstrip("\n") + "\n" if before.strip() else "", *blocks]).lstrip("\n")
    handle, name = tempfile.mkstemp(dir=path.resolve().parent, prefix=f".{path.name}-", suffix=".toml")
    new = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        new.chmod(path.stat().st_mode & 0o777)
        try:
            load_settings(new)
        except Misconfigured as error:
            message = f"{path} was left as it is; it cannot take this in at its end: {error}"
            raise Failed(message) from None
        new.replace(path.resolve())
    finally:
        new.unlink(missing_ok=True)
