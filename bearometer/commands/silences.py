"""`bearometer silences`: what nobody is to be told of, for a while."""

import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from bearometer.alert import Silence
from bearometer.commands.alerts_shown import print_silences, time_shown
from bearometer.commands.login import find_person
from bearometer.commands.times import read_length, read_time
from bearometer.errors import Failed, Misconfigured
from bearometer.terminal import plain

if TYPE_CHECKING:
    from storage.alerts import AlertStore

__all__ = ["add", "expire", "list_silences", "register"]

ID_CHARACTERS = "23456789abcdefghjkmnpqrstuvwxyz"
"""Without those that are mistaken for others."""
ID_LENGTH = 5
ID_ATTEMPTS = 10
MAX_PATTERN_CHARS = 100
MAX_REASON_CHARS = 500
MAX_LAG = timedelta(hours=1)
"""How far behind the evaluation of what happens now may be; what is further back is a replay, or a long backlog."""


def register(app: typer.Typer) -> None:
    """Add `bearometer silences` and its subcommands."""
    silences = typer.Typer(
        no_args_is_help=True, help="What nobody is to be told of, for a while: who says so, and why."
    )
    silences.command("add")(add)
    silences.command("list")(list_silences)
    silences.command("expire")(expire)
    app.add_typer(silences, name="silences")


def add(
    symbol: Annotated[
        str,
        typer.Argument(
            metavar="SYMBOL|PATTERN",
            help="A symbol, a shell-style pattern ('*' for all), `market`, '#' and a topic, or '!' and a source.",
        ),
    ],
    reason: Annotated[str, typer.Option(help="Why; whoever wonders about the quiet reads it.")],
    for_: Annotated[
        str | None, typer.Option("--for", metavar="LENGTH", help="For how long: 30m, 2h, 1h30m, 7d.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Or until when, ISO 8601, UTC unless it says otherwise.")
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="From when; now when missing.", show_default=False)
    ] = None,
    rule: Annotated[str, typer.Option(help="Only alerts of this rule, or of those that the pattern fits.")] = "*",
    who: Annotated[str | None, typer.Option(help="Who says so; the login name when missing.")] = None,
) -> None:
    """Have nobody told of alerts for a symbol, or for all that a pattern fits, until a time.

    The alerts are found and kept all the same, `bearometer alerts list` shows them, and what still goes on when the
    silence ends is told then. The times are those of the posts: for a replay of an old day, silence that day.

    Example: bearometer silences add WMT --for 2h --reason "results are out, we are on it"

    Example: bearometer silences add 'XL*' --rule 'negative-*' --until 2026-12-01T08:00 --reason maintenance
    """
    from bearometer.clock import SystemClock

    pattern, rules, why = _symbol(symbol), plain(rule, MAX_PATTERN_CHARS), plain(reason, MAX_REASON_CHARS)
    for name, given in (("SYMBOL", pattern), ("--rule", rules), ("--reason", why)):
        if not given:
            message = f"{name} is empty: it must say something"
            raise Misconfigured(message)
    if (for_ is None) == (until is None):
        message = "say how long: --for 2h, or --until 2026-12-01T08:00, one of the two"
        raise Misconfigured(message)
    now = SystemClock().now()
    begin = read_time("--from", from_) if from_ is not None else now
    end = begin + read_length("--for", for_) if for_ is not None else read_time("--until", until or "")
    if end <= begin:
        message = f"--until is {time_shown(end)}; it must be after {time_shown(begin)}, when it begins"
        raise Misconfigured(message)
    person = find_person(who)
    store = _open()
    if from_ is None:
        begin = _catch_up(begin, store.as_of())
    silence = _keep(store, Silence("", pattern, rules, person, why, begin, end))
    scope = plain(pattern) + ("" if rules == "*" else f", rule {plain(rules)}")
    typer.echo(f"silence {silence.id}: nobody is told of {scope} until {time_shown(end)}")
    typer.echo(f"to end it before: bearometer silences expire {silence.id}")


def list_silences(
    all_: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON instead of lines.")] = False,
) -> None:
    """List the silences that are not over, the first to end first: what, how long, who said so and why.

    Example: bearometer silences list --all
    """
    from bearometer.clock import SystemClock

    now = SystemClock().now()
    print_silences(_open().silences(None if all_ else now), now, as_json=as_json)


def expire(
    silence_id: Annotated[str, typer.Argument(metavar="ID", help="As `bearometer silences list` shows it.")],
) -> None:
    """End a silence now: what goes on is told again.

    A silence of an old day, for a replay, ends where the replay is; one that it has not reached never begins.

    Example: bearometer silences expire k7m2p
    """
    from bearometer.clock import SystemClock

    store, wanted = _open(), silence_id.strip().lower()
    known = next((silence for silence in store.silences(None) if silence.id == wanted), None)
    if known is None:
        message = f"no silence has the id {plain(wanted, 40)!r}; `bearometer silences list --all` shows them"
        raise Failed(message)
    if not store.expire_silence(wanted, _end(known, SystemClock().now(), store.as_of())):
        message = f"silence {plain(wanted, 40)} was over at {time_shown(known.ends_at)}"
        raise Failed(message)
    typer.echo(f"silence {plain(wanted, 40)} is over")


def _symbol(given: str) -> str:
    """The pattern as symbols are written: upper case, no `$`; topics, sources and the market have their own names."""
    wanted = plain(given, MAX_PATTERN_CHARS)
    if wanted.lower() == "market":
        return "market"
    return wanted if wanted.startswith(("#", "!")) else wanted.upper().removeprefix("$")


def _end(silence: Silence, now: datetime, as_of: datetime | None) -> datetime:
    """When a silence ends that somebody ends now: silences go by the times of the posts, which may be of an old day."""
    if silence.ends_at > now - MAX_LAG:
        return _catch_up(now, as_of)
    return silence.starts_at if as_of is None else as_of


def _catch_up(now: datetime, as_of: datetime | None) -> datetime:
    """Now, or where the evaluation is if it lags a little: whoever says it now means the next message, too."""
    return as_of if as_of is not None and now - MAX_LAG <= as_of < now else now


def _keep(store: "AlertStore", wanted: Silence) -> Silence:
    from dataclasses import replace

    for attempt in range(ID_ATTEMPTS):
        silence = replace(wanted, id="".join(secrets.choice(ID_CHARACTERS) for _ in range(ID_LENGTH)))
        try:
            store.add_silence(silence)
        except Failed:
            if attempt == ID_ATTEMPTS - 1:
                raise
        else:
            break
    return silence


def _open() -> "AlertStore":
    from bearometer.settings import load_settings
    from storage.alerts import AlertStore
    from storage.database import open_database

    return AlertStore(open_database(load_settings().postgres))
