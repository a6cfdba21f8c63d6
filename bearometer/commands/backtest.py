"""`bearometer backtest`: what rules would have said of the stored past."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bearometer.commands.times import read_time
from bearometer.errors import Failed, Misconfigured
from bearometer.terminal import plain

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from alerts.backtest import Event, Outcome, Period
    from alerts.rules import RuleSet
    from bearometer.alert import Alert
    from bearometer.settings import AlertSettings
    from storage.history import KnownMention

__all__ = ["register"]

MAX_TEXT = 160


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("backtest")(backtest)


def backtest(
    *,
    from_: Annotated[str, typer.Option("--from", metavar="TIME", help="ISO 8601, UTC unless it says otherwise.")],
    to: Annotated[str, typer.Option(metavar="TIME", help="Up to here; a date is its beginning.")],
    rules: Annotated[
        Path | None, typer.Option(help="A rules file; the one of alerts.rules when missing.", metavar="FILE")
    ] = None,
    compare: Annotated[Path | None, typer.Option(help="A second rules file, to set beside it.", metavar="FILE")] = None,
    events: Annotated[
        Path | None,
        typer.Option(help="CSV with the columns symbol and date: what is known to have happened.", metavar="FILE"),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw how the count moves with the budget: a PNG.", metavar="FILE")
    ] = None,
) -> None:
    """Say when the rules would have fired over stored history, and on what.

    The same code as the live evaluator's, fed with the stored posts in the order in which they were ingested, each with
    the score that it got then. Nothing is written and nobody is told. An alert counts as right when it starts on the
    day of an event of its symbol, or on the day after; of events and symbols count those that the rules watch. The last
    table shows how many alerts there would be if all budgets were that many times as large. The mentions of the whole
    time are held in memory, a kilobyte each.

    What it does not know: how long a live worker waited for a heartbeat or for a partition without posts (it tells so
    much later), and what would have held messages back: inhibition, silences, quiet hours, the cap per receiver.

    Example: bearometer backtest --from 2015-10-01 --to 2016-01-01 --events crashes.csv --plot budget.png
    """
    from alerts.backtest import Period, read_events
    from alerts.monitor import watches_whole_posts
    from alerts.rule_file import load_rules, read_rules
    from bearometer.settings import load_settings
    from storage.database import open_database
    from storage.history import read_history

    settings = load_settings()
    period = Period(read_time("--from", from_), read_time("--to", to))
    if period.start >= period.end:
        message = f"--from is {period.start:%Y-%m-%dT%H:%M}, which is not before --to"
        raise Misconfigured(message)
    sets = {
        "rules": load_rules(settings.alerts) if rules is None else read_rules(rules, settings.alerts),
        **({} if compare is None else {"compared": read_rules(compare, settings.alerts)}),
    }
    known_events = [] if events is None else read_events(events)
    engine = open_database(settings.postgres)
    try:
        since = period.reads_since(settings.alerts.history_days)
        whole = any(watches_whole_posts(each) for each in sets.values())
        known = list(read_history(engine, since, period.end, whole_posts=whole))
        if not known:
            message = f"no post is stored from {since:%Y-%m-%d} to {period.end:%Y-%m-%d}"
            raise Failed(message)
        _report(engine, sets, known, known_events, period, settings.alerts, plot)
    finally:
        engine.dispose()


def _report(
    engine: "Engine",
    sets: "dict[str, RuleSet]",
    known: "Sequence[KnownMention]",
    events: "Sequence[Event]",
    period: "Period",
    settings: "AlertSettings",
    plot: Path | None,
) -> None:
    from alerts.backtest import BUDGET_FACTORS, Scope, replay, scale_budgets, score

    symbols = {each.mention.symbol for each in known if each.mention.published_at >= period.start}
    scopes = {name: Scope.of(rules.rules, symbols, events, period) for name, rules in sets.items()}

    def run(rules: "RuleSet", factor: float = 1.0) -> "list[Alert]":
        return replay(scale_budgets(rules, factor), settings.history_days, known, period)

    alerts = {name: run(rules) for name, rules in sets.items()}
    for name, fired in alerts.items():
        others = {alert.symbol for other in alerts if other != name for alert in alerts[other]}
        for alert in fired:
            mark = f"[{name}{'' if alert.symbol in others else ', only'}] " if len(alerts) > 1 else ""
            _print_alert(engine, alert, mark)
    for name, fired in alerts.items():
        typer.echo(f"{name}: {_outcome(score(fired, scopes[name]))}")
        for rule in sets[name].rules:
            own = [alert for alert in fired if alert.rule == rule.name]
            typer.echo(f"  {plain(rule.name, 60)}: {_outcome(score(own, Scope.of([rule], symbols, events, period)))}")
    table = {
        name: [score(run(rules, factor), scopes[name]) for factor in BUDGET_FACTORS] for name, rules in sets.items()
    }
    _print_table(table, BUDGET_FACTORS)
    if plot is not None:
        _draw(plot, table, BUDGET_FACTORS)
        typer.echo(f"drawn: {plot}")


def _print_alert(engine: "Engine", alert: "Alert", mark: str) -> None:
    from alerts.message import expected_count, length_of_time, time_utc
    from bearometer.alert import Measure
    from storage.history import find_post

    spike = alert.peak
    seen = f"{spike.posts} posts" if spike.measure is Measure.VOLUME else f"{spike.negative} negative of {spike.posts}"
    yearly = "" if spike.per_year is None else f", by chance {spike.per_year:.2g} times a year"
    typer.echo(
        f"{mark}{time_utc(alert.started_at)}  {plain(alert.rule, 60)}  {plain(alert.symbol, 40)}  {seen} in "
        f"{length_of_time(spike.end - spike.start)}, {spike.authors} authors, "
        f"{expected_count(spike.expected)} expected{yearly}"
    )
    post = find_post(engine, alert.symbol, spike.start, spike.end)
    if post is not None:
        typer.echo(f"    {post.published_at:%H:%M} {plain(post.author or '-', 30)}: {plain(post.text, MAX_TEXT)}")


def _outcome(outcome: "Outcome") -> str:
    from alerts.wording import count

    said = count(outcome.alerts, "alert")
    if outcome.symbol_years:
        said += f", {outcome.per_symbol_year:.3g} a symbol-year ({outcome.symbol_years:.1f} of them)"
    if outcome.events:
        precision = "-" if outcome.precision is None else f"{outcome.precision:.0%}"
        said += f"; precision {precision}, {outcome.found} of {outcome.events} events found"
    return f"{said}; {outcome.others} more on topics or the market" if outcome.others else said


def _print_table(table: "dict[str, list[Outcome]]", factors: Sequence[float]) -> None:
    typer.echo("budget x" + "".join(f"{factor:>8g}" for factor in factors))
    for name, outcomes in table.items():
        typer.echo(f"{name:<8}" + "".join(f"{outcome.alerts + outcome.others:>8}" for outcome in outcomes))
        if outcomes[0].events:
            typer.echo("  right " + "".join(f"{outcome.right:>8}" for outcome in outcomes))


def _draw(path: Path, table: "dict[str, list[Outcome]]", factors: Sequence[float]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, outcomes in table.items():
        alerts = [outcome.alerts + outcome.others for outcome in outcomes]
        axes.plot(factors, alerts, marker="o", label=f"{name}: alerts")
        if outcomes[0].events:
            axes.plot(factors, [outcome.right for outcome in outcomes], "--", marker="x", label=f"{name}: right ones")
    axes.set_xscale("log")
    axes.set_xlabel("budget, times the rules' own")
    axes.set_ylabel("alerts")
    axes.set_ylim(bottom=0)
    axes.legend()
    try:
        canvas.print_png(str(path))  # type: ignore[no-untyped-call]
    except OSError as error:
        message = f"--plot {path} cannot be written: {error.strerror}"
        raise Misconfigured(message) from None
