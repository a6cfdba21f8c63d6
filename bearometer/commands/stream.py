"""`bearometer stream`: a worker that scores posts."""

import typer

from bearometer.logs import start_logging
from bearometer.settings import load_settings

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("stream")(stream)


def stream() -> None:
    """Score posts from the topic and store them, until stopped. Start as many as there are partitions.

    A worker may be killed at any moment: the others take over its partitions within
    stream.session_timeout_seconds, and nothing is lost or counted twice.

    Example: BEAROMETER_KAFKA__SERVERS=broker:9092 bearometer stream
    """
    settings = load_settings()
    start_logging(settings.log_level)
    from stream.worker import run_stream

    run_stream(settings)
