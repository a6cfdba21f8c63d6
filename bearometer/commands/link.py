"""`bearometer link`: which companies a text names, and why."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bearometer.errors import Failed, Misconfigured
from bearometer.terminal import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bearometer.linker import Linker

__all__ = ["register"]

MOST_SHOWN = 20
MAX_LINE_BYTES = 16_000_000


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("link")(link)


def link(
    *,
    text: Annotated[str | None, typer.Argument(help="A text to link.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="Posts, JSONL with `text`, or plain lines (.txt), or .gz: speed, counts.", metavar="FILE"),
    ] = None,
    measure: Annotated[
        Path | None,
        typer.Option(help="JSONL with `text` and `symbols`, or SEntFiN's form: precision and recall.", metavar="FILE"),
    ] = None,
    gazetteer: Annotated[
        Path | None, typer.Option(help="CSV of more names; default: `ingest.gazetteer`.", metavar="CSV")
    ] = None,
    wrong: Annotated[int, typer.Option(min=0, help="With --measure: how many of the wrong ones to print.")] = 10,
) -> None:
    """Show which companies a text names: symbol, place, score and why; a score of 2 or more is a link.

    What was looked at and refused is shown too, with a minus. Names are those that ship and those of the CSV, whose
    columns are symbol,name and, for a word that is not always the company, ambiguous (yes). Examples:

    bearometer link "Walmart falls, Apple's margins hold; I ate an apple"

    bearometer link --measure tests/data/linker_cases.jsonl
    """
    if sum(given is not None for given in (text, file, measure)) != 1:
        message = "say one of TEXT, --file FILE and --measure FILE"
        raise Misconfigured(message)
    linker = _open(gazetteer)
    if text is not None:
        _show(text, linker)
    elif file is not None:
        _count(file, linker)
    elif measure is not None:
        _measure(measure, linker, wrong)


def _open(own: Path | None) -> Linker:
    from bearometer.linker import open_linker
    from bearometer.settings import load_settings

    return open_linker(own or load_settings().ingest.gazetteer)


def _show(text: str, linker: Linker) -> None:
    found = linker.judge(text)
    for one in found:
        start, end = one.span
        why = ", ".join(f"{weight:+g} {plain(reason)}" for weight, reason in one.cues)
        sign = "+" if one.linked else "-"
        typer.echo(f"{sign} {one.symbol:12} {start}-{end} {plain(text[start:end])!r}, {one.kind}, {one.score:g}: {why}")
    if not found:
        typer.echo("no company is named")


def _count(path: Path, linker: Linker) -> None:
    texts = [_text(path, number, row) for number, row in _rows(path)]
    if not texts:
        message = f"{plain(str(path))} holds no posts"
        raise Failed(message)
    began = process_time()  # a busy machine does not count
    found = [linker.find(text) for text in texts]
    seconds = process_time() - began
    symbols = Counter(symbol for links in found for symbol in {one.symbol for one in links})
    kinds = Counter(one.kind for links in found for one in links)
    typer.echo(f"{len(texts):,} posts in {seconds:.2f} s of one core: {len(texts) / max(seconds, 1e-9):,.0f} posts/s")
    typer.echo(f"{sum(map(bool, found)):,} of them name {len(symbols):,} companies")
    typer.echo("places: " + (", ".join(f"{count:,} by {kind}" for kind, count in kinds.most_common()) or "none"))
    for symbol, count in symbols.most_common(MOST_SHOWN):
        typer.echo(f"{symbol:12} {count:8,} posts")


def _measure(path: Path, linker: Linker, shown: int) -> None:
    from bearometer.link_measure import measure

    result = measure(_rows(path), linker)
    unknown = f" ({result.unknown:,} entities are not in the gazetteer)" if result.unknown else ""
    typer.echo(f"{result.texts:,} texts name {result.named:,} companies that the gazetteer knows{unknown}")
    typer.echo(f"recall     {result.recall:6.1%}  {result.found:,} of {result.named:,} found")
    typer.echo(f"precision  {result.precision:6.1%}  {result.right:,} of {result.linked:,} that were found are named")
    for one in result.wrong[:shown]:
        parts = [f"missed {', '.join(one.missed)}"] * bool(one.missed)
        parts += [f"invented {', '.join(one.invented)}"] * bool(one.invented)
        typer.echo(f"  {plain('; '.join(parts))}: {plain(one.text, 200)}")
    if len(result.wrong) > shown:
        typer.echo(f"  … {len(result.wrong) - shown:,} more texts: --wrong {len(result.wrong)} prints all")


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers and rows; a line of a .txt is a row with only a text. Raises Failed, naming the line."""
    import orjson

    lines_only = path.name.removesuffix(".gz").endswith(".txt")
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            for number, line in enumerate(iter(lambda: stream.readline(MAX_LINE_BYTES), b""), start=1):
                if not line.strip():
                    continue
                row = {"text": line.decode("utf-8", "replace").strip()} if lines_only else orjson.loads(line)
                if not isinstance(row, dict):
                    message = f"{plain(str(path))}, line {number}: not a JSON object"
                    raise Failed(message)
                yield number, row
    except orjson.JSONDecodeError as error:
        message = f"{plain(str(path))}, line {number}: not JSON: {error}"
        raise Failed(message) from None
    except (OSError, EOFError) as error:
        message = f"{plain(str(path))} cannot be read: {getattr(error, 'strerror', None) or error}".lower()
        raise Failed(message) from None


def _text(path: Path, number: int, row: dict[str, Any]) -> str:
    text = row.get("text", row.get("title"))
    if not isinstance(text, str):
        message = f"{plain(str(path))}, line {number}: `text` must be a string"
        raise Failed(message)
    return text
