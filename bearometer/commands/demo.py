"""`bearometer demo`: two invented weeks with one crisis, and the alert that comes of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bearometer.errors import Failed

if TYPE_CHECKING:
    from bearometer.alert import Alert
    from bearometer.stack import Stack
    from ingest.scenario import ScenarioSummary

__all__ = ["demo", "register"]

SQL = (
    (
        "Who was spoken badly of, each story counted once",
        "SELECT symbol, count(*) AS negative, count(DISTINCT story) AS stories FROM negative_posts\n"
        "GROUP BY symbol ORDER BY stories DESC LIMIT 5",
    ),
    (
        "The worst day, hour by hour",
        "SELECT hour, posts, negative, mean_score, distinct_authors FROM sentiment_by_hour\n"
        "WHERE symbol = '{symbol}' AND negative > 2 ORDER BY hour LIMIT 8",
    ),
    (
        "What was alerted",
        "SELECT symbol, started_at, resolved_at, negative, expected, p_value FROM alert_history",
    ),
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    scenario: Annotated[str, typer.Option(help="Which two weeks; `list` shows them.")] = "product-recall",
    seed: Annotated[int, typer.Option(help="Another seed, other posts.")] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the stack up at the end, until Ctrl-C.")] = False,
    run_dir: Annotated[
        Path | None, typer.Option(help="Keep the stores and messages here; a temporary folder when missing.")
    ] = None,
) -> None:
    """Start everything, replay two invented weeks at full speed, and show the alert.

    Twelve invented companies, thousands of posts with daily rhythm, repeats and spam, and one crisis. They go the
    way that real posts go: onto the topic, through the classifier, into Postgres and Redis, to the detector, and the
    alert to a folder of messages.

    Example: bearometer demo --scenario fraud --keep
    """
    from ingest.scenario import SCENARIOS, write_scenario

    if scenario == "list":
        for name, description in SCENARIOS.items():
            typer.echo(f"{name:<16}{description}")
        return
    import shutil
    import tempfile

    from bearometer.bars import show_bars
    from bearometer.clock import SystemClock
    from bearometer.replay import replay_through
    from bearometer.stack import leave_up, open_run_dir, start_stack
    from ingest.replay import ReplaySource

    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder, open_run_dir(run_dir, keep=True) as stack_dir:
        posts = Path(folder) / "demo.jsonl"
        story = write_scenario(posts, scenario, seed, clock.now())
        typer.echo(f"{story.posts:,} posts about {len(story.symbols)} invented companies, two weeks, seed {seed}.")
        typer.echo("Starting a broker, Postgres, Redis and the workers …")
        with start_stack(stack_dir, clock, durable=run_dir is not None, notify=False) as stack:
            source = ReplaySource(posts, stack.settings.ingest, clock, name="demo")
            with show_bars() as bars:
                result = replay_through(source, stack.settings, stack.stores, clock, bars, pause=stack.wait)
            typer.echo(
                f"{result.stored.posts:,} posts stored, which tell {result.stored.stories:,} stories, in "
                f"{result.seconds:.1f} s from the first row to the last message."
            )
            _show_alerts(stack, result.alerts, story)
            _show_queries(stack, story)
            if keep:
                leave_up(stack)
        if run_dir is None:
            # Each demo would leave some 70 MB of tables behind; what a person may want to look at is small.
            shutil.rmtree(stack_dir / "postgres", ignore_errors=True)
        typer.echo(f"\nAll is stopped; `bearometer demo --keep` leaves it up. Messages and logs stay in {stack_dir}.")


def _show_alerts(stack: "Stack", alerts: "tuple[Alert, ...]", story: "ScenarioSummary") -> None:
    from alerts.message import compose, render_text
    from bearometer.alert import Delivery, NotificationReason

    if not alerts:
        if story.crisis_symbol is not None:
            message = f"the crisis about {story.crisis_symbol} was not found; the logs are in {stack.run_dir / 'logs'}"
            raise Failed(message)
        typer.echo("\nNo alert: bad days and spam alone are none.")
        return
    for alert in alerts:
        shown = Delivery(alert.id, alert, NotificationReason.FIRING, "console", 0, alert.started_at)
        typer.echo(f"\n{'─' * 100}\n{render_text(compose(shown, stack.settings.alerts))}{'─' * 100}")
    typer.echo(f"\nThe messages that Slack and the mail server would have got ({stack.messages_dir}):")
    for file in sorted(stack.messages_dir.iterdir()):
        typer.echo(f"  {file.name}")


def _show_queries(stack: "Stack", story: "ScenarioSummary") -> None:
    import sys

    from storage.sql import write_query

    for title, query in SQL:
        statement = query.format(symbol=story.crisis_symbol or story.symbols[0])
        typer.echo(f"\n{title}:\n\n{statement}\n")
        sys.stdout.flush()
        write_query(stack.settings.postgres, statement, "table", sys.stdout.buffer)
