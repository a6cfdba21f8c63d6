"""`bearometer windows`: what Redis counted of the last two days, by symbol or by topic."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from bearometer.errors import Misconfigured
from bearometer.terminal import plain

if TYPE_CHECKING:
    from datetime import datetime

    from bearometer.window import Window

__all__ = ["windows"]

OVERVIEW = "24h"
PIPE_WIDTH = 120


def windows(
    symbol: Annotated[
        str | None, typer.Argument(help="A ticker symbol such as WMT; `*` for the market. Without one: all topics.")
    ] = None,
    topic: Annotated[
        str | None, typer.Option(help="In place of a symbol: a topic, or a part of its name that no other has.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="End of the windows, ISO 8601, UTC unless it says otherwise.", metavar="TIME")
    ] = None,
    weighted: Annotated[
        bool, typer.Option("--weighted", help="Also a mean score in which authors weigh by their followers.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object for each window.")] = False,
) -> None:
    """Show what was said of a symbol, or on a topic, in the last 1m, 5m, 15m, 1h and 24h, by the posts' own times.

    Without either: the last 24h of the market and of each topic, the busiest first. A symbol counts the posts that
    speak of it, by how they speak of it; a topic the posts on it, each once, by how the whole post sounds.

    `posts` is the reach: everything that was said, repeats and copies too. `stories` is how many different things were
    said: posts that tell the same are one. Spam is in neither; `bearometer stories` shows what tells the same.

    With --weighted a post of somebody with a hundred followers weighs 3, with ten thousand 5, with a million or more
    7, and 1 where nobody knows. Followers can be bought: take it for a second opinion. No alert looks at it.

    Without --at the windows end with the newest minute that anything was said in. Redis keeps a minute for two days
    after its last post was stored; for older ones ask `bearometer sql`.

    Example: bearometer windows WMT --at 2015-10-14T21:00

    Example: bearometer windows --topic earnings
    """
    from bearometer.post import MARKET, topic_key, topic_of
    from bearometer.settings import load_settings
    from bearometer.window import WINDOWS
    from storage.windows import WindowStore

    if symbol is not None and topic is not None:
        message = f"{plain(symbol, 40)!r} and --topic {plain(topic, 40)!r}: a window is of one of the two"
        raise Misconfigured(message)
    moment = None if at is None else _parse_time(at)
    store = WindowStore(load_settings().redis)
    topics = {topic_key(name): minute for name, minute in store.topics().items()}
    wanted = topic if symbol is None else topic_of(symbol)
    name = (symbol or MARKET).upper().removeprefix("$")
    if wanted is not None:
        name = topic_key(_find_topic(wanted, map(str, map(topic_of, topics))))
    end = moment or _find_end(name, topics | store.symbols())
    if end is None:
        typer.echo("no windows: nothing was stored within the last two days", err=True)
        return
    if symbol is None and topic is None:
        length = WINDOWS[OVERVIEW]
        counted = [store.window(key, length, end) for key, minute in topics.items() if minute >= end - length]
        busiest = sorted((window for window in counted if window.posts), key=lambda w: (-w.posts, w.symbol))
        found = [(OVERVIEW, window) for window in (store.window(MARKET, length, end), *busiest)]
        title, column = f"{OVERVIEW} up to {end:%Y-%m-%d %H:%M} UTC", "topic"
    else:
        found = [(name_, store.window(name, length, end)) for name_, length in WINDOWS.items()]
        title, column = f"{plain(topic_of(name) or name)} up to {end:%Y-%m-%d %H:%M} UTC", "window"
    if json_:
        _print_json(found, weighted=weighted)
    else:
        _print_table(title, column, found, weighted=weighted)


def _find_topic(wanted: str, stored: Iterable[str]) -> str:
    """The topic of this name, or the only one that has it in its name, in any case."""
    from bearometer.topics import TOPICS

    known = dict.fromkeys((*TOPICS, *stored))
    exact = [name for name in known if name.casefold() == wanted.strip().casefold()]
    having = exact or [name for name in known if wanted.strip().casefold() in name.casefold()]
    if len(having) != 1:
        which = "is no topic; it must be one of" if not having else "is several topics:"
        message = f"--topic {plain(wanted, 40)!r} {which} {', '.join(map(plain, having or known))}"
        raise Misconfigured(message)
    return having[0]


def _find_end(name: str, newest: "dict[str, datetime]") -> "datetime | None":
    """The end of the newest minute of this name, or of the market's; None when nothing is stored."""
    from datetime import timedelta

    from bearometer.post import MARKET

    last = newest.get(name) or newest.get(MARKET)
    return None if last is None else last + timedelta(minutes=1)


def _parse_time(text: str) -> "datetime":
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = f"--at is {plain(text, 40)!r}; it must be a time such as 2015-10-14T21:00"
        raise Misconfigured(message) from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _print_json(found: "list[tuple[str, Window]]", *, weighted: bool) -> None:
    import orjson

    from bearometer.post import topic_of

    for length, window in found:
        topic = topic_of(window.symbol)
        subject = {"symbol": window.symbol} if topic is None else {"topic": topic}
        counts = ["negative", "neutral", "positive", "posts", "mean_score", "distinct_authors", "distinct_stories"]
        counts += ["weighted_score"] if weighted else []
        fields = {"window": length, **subject, "start": window.start, "end": window.end}
        fields |= {name: getattr(window, name) for name in counts}
        typer.echo(orjson.dumps(fields, option=orjson.OPT_UTC_Z).decode())


def _print_table(title: str, column: str, found: "list[tuple[str, Window]]", *, weighted: bool) -> None:
    """`column` is what tells the rows apart: `window` or `topic`."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from bearometer.post import topic_of

    typer.echo(title)
    table = Table(column, box=None, header_style="bold", pad_edge=False)
    scores = ("mean score", "weighted") if weighted else ("mean score",)
    for name in ("posts", "stories", "negative", "neutral", "positive", *scores, "authors"):
        table.add_column(name, justify="right")
    for length, window in found:
        means = (window.mean_score, window.weighted_score)[: len(scores)]
        counts = (window.posts, window.distinct_stories, window.negative, window.neutral, window.positive)
        table.add_row(
            Text(length if column == "window" else plain(topic_of(window.symbol) or window.symbol)),
            *(f"{count:,}" for count in counts),
            *("" if score is None else f"{score:+.2f}" for score in means),
            f"{window.distinct_authors:,}",
        )
    # A file or a pipe has no width: there each row is one line.
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)
