"""`bearometer up`: live feeds through the whole monitor on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from bearometer.errors import Failed, Misconfigured
from bearometer.logs import start_logging
from bearometer.settings import load_settings

__all__ = ["register", "up"]

RUN_DIR = Path(".bearometer")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("up")(up)


def up(
    run_dir: Annotated[
        Path, typer.Option(help="Where the stores and logs are kept from one start to the next.")
    ] = RUN_DIR,
    workers: Annotated[int, typer.Option(help="Stream workers to start.", min=1, max=64)] = 1,
) -> None:
    """Watch live feeds, with servers and workers of its own, until Ctrl-C.

    Which sources, and who is told, stands in the settings (--config FILE), such as:

        [ingest]
        feeds = [{ url = "https://example.com/markets.rss", interval_seconds = 120 }]

        [[ingest.sources]]
        kind = "gdelt"
        name = "gdelt"
        query = '"Harbor Mills"'

        [slack]
        webhook_url = "https://hooks.slack.com/services/…"

    Example: bearometer --config bearometer.toml up
    """
    settings = load_settings()
    if not (settings.ingest.feeds or settings.ingest.sources):
        message = (
            "there are no sources; name at least one in `ingest.feeds` or `ingest.sources` (`bearometer up --help`)"
        )
        raise Misconfigured(message)
    start_logging(settings.log_level)
    import sys

    from bearometer.clock import SystemClock
    from bearometer.stack import drain, leave_up, start_stack

    clock = SystemClock()
    with start_stack(run_dir, clock, stream_workers=workers) as stack:
        as_of = stack.alerts.as_of()
        if as_of is not None and as_of > clock.now():
            # What is said until then would be late, and nobody would be told of it.
            message = (
                f"a replay in {run_dir} has looked for alerts up to {as_of:%Y-%m-%d %H:%M} UTC: name another --run-dir"
            )
            raise Failed(message)
        stack.workers.start("ingest", [sys.executable, "-m", "bearometer", "ingest"])
        sources = len(settings.ingest.feeds) + len(settings.ingest.sources)
        print(f"Watching {sources} sources; logs in {stack.run_dir / 'logs'}.")
        leave_up(stack)
        stack.workers.stop("ingest")
        drain(stack, clock)
