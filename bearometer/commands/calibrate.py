"""`bearometer calibrate`: the false alerts that come beside those that are promised."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bearometer.commands.times import read_time
from bearometer.errors import Failed, Misconfigured

if TYPE_CHECKING:
    from alerts.backtest import Period
    from alerts.rules import RuleSet
    from bearometer.mention import SeenMention
    from bearometer.settings import Settings

__all__ = ["register"]

MOST_SHUFFLES = 1000
LEAST_YEARS, MOST_YEARS = 0.1, 100.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("calibrate")(calibrate)


def calibrate(
    *,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="ISO 8601, UTC unless it says otherwise.")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="TIME", help="Up to here; a date is its beginning.")] = None,
    rules: Annotated[
        Path | None, typer.Option(help="A rules file; the one of alerts.rules when missing.", metavar="FILE")
    ] = None,
    shuffles: Annotated[int, typer.Option(min=1, max=MOST_SHUFFLES, help="How often the history is shuffled.")] = 5,
    keep: Annotated[
        Literal["hours", "days"],
        typer.Option(help="days: a day gets the more, the more was said of others on it; hours: all days alike."),
    ] = "hours",
    simulated: Annotated[bool, typer.Option("--simulated", help="Made-up streams instead of stored history.")] = False,
    years: Annotated[
        float, typer.Option(min=LEAST_YEARS, max=MOST_YEARS, help="With --simulated: the length of each stream.")
    ] = 3.0,
    measure: Annotated[
        Literal["count", "share", "volume"], typer.Option(help="With --simulated: what is watched.")
    ] = "count",
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same.")] = 1,
) -> None:
    """Say how many false alerts come where nothing happens, beside how many are promised.

    Stored history is shuffled: each distinct mention keeps its symbol, its sentiment and its time of day, and gets a
    day of its own, so that nothing real is left and every alert is a false one. Each rule is watched with its own
    budget and with larger ones, of which there are more alerts to count: first by the budget alone, then, in the last
    column, with the rule's minimums, of which the promise is an upper bound. The first three days are only learned
    from. Nothing is written and nobody is told. The mentions are held in memory, a kilobyte each.

    With --simulated no store is needed: streams of 2 posts a day to 50 a minute, plain Poisson and with busy and quiet
    days or hours. A `no` or a `*` stands where a true rate within a factor of two would hardly bring what was found.

    Example: bearometer calibrate --from 2015-10-01 --to 2016-01-01 --shuffles 10

    Example: bearometer calibrate --simulated --years 3 --measure share
    """
    if simulated:
        _simulate(years, measure, seed)
        return
    if from_ is None or to is None:
        message = "--from and --to are needed, or --simulated"
        raise Misconfigured(message)
    _shuffle(_period(from_, to), rules, shuffles, keep, seed)


def _period(from_: str, to: str) -> "Period":
    from alerts.backtest import Period
    from alerts.calibrate import LEAST

    period = Period(read_time("--from", from_), read_time("--to", to))
    if period.end - period.start < LEAST:
        message = f"--to must be {LEAST.days} days after --from at least; three of them are only learned from"
        raise Misconfigured(message)
    return period


def _simulate(years: float, measure: str, seed: int) -> None:
    from alerts.simulate import STREAMS, simulate, table
    from bearometer.alert import Measure

    results = []
    with _bar("simulating") as progress:
        progress(0.0)
        for row in simulate(STREAMS, years, measure=Measure(measure), seed=seed):
            results.append(row)
            progress(len(results) / len(STREAMS))
    for line in table(results):
        typer.echo(line)


def _shuffle(period: "Period", rules: Path | None, shuffles: int, keep: str, seed: int) -> None:
    from alerts.calibrate import Keep, calibrate, table
    from alerts.rule_file import load_rules, read_rules
    from bearometer.settings import load_settings

    settings = load_settings()
    watched = load_rules(settings.alerts) if rules is None else read_rules(rules, settings.alerts)
    if all(rule.at_least is not None for rule in watched.rules):
        message = "every rule has a threshold (at_least) and none a budget: nothing is promised"
        raise Failed(message)
    mentions = _read(settings, watched, period)
    with _bar("shuffling") as progress:
        found = calibrate(
            watched,
            settings.alerts.history_days,
            mentions,
            period,
            shuffles=shuffles,
            seed=seed,
            keep=Keep(keep),
            on_progress=progress,
        )
    for line in table(found):
        typer.echo(line)


def _read(settings: "Settings", rules: "RuleSet", period: "Period") -> "list[SeenMention]":
    from alerts.monitor import watches_whole_posts
    from storage.database import open_database
    from storage.history import read_history

    engine = open_database(settings.postgres)
    try:
        whole = watches_whole_posts(rules)
        history = read_history(engine, period.start, period.end, whole_posts=whole)
        mentions = [each.mention for each in history]
    finally:
        engine.dispose()
    if not mentions:
        message = f"no post is stored from {period.start:%Y-%m-%d} to {period.end:%Y-%m-%d}"
        raise Failed(message)
    return mentions


@contextmanager
def _bar(part: str) -> Iterator[Callable[[float], None]]:
    from bearometer.bars import show_bars

    with show_bars() as bars:
        yield lambda share: bars.set(part, share)
