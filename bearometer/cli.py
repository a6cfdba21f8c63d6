"""The command line: one typer application, its commands from `bearometer.commands`."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from bearometer import __version__
from bearometer.commands import (
    alerts,
    backtest,
    calibrate,
    demo,
    detect,
    distil,
    doctor,
    drift,
    evaluate,
    explain,
    export,
    forget,
    hydrate,
    ingest,
    inspect,
    label,
    link,
    models,
    notify,
    prune,
    replay,
    rules,
    score,
    silences,
    sources,
    store,
    stories,
    stream,
    train,
    up,
)
from bearometer.errors import BearometerError, Misconfigured
from bearometer.terminal import plain

__all__ = ["build_cli", "main"]

_HELP = """Watches what is said about companies, and says so when the mood turns bad.

Start with `bearometer demo`: everything runs on this machine, nothing needs to be set up.
Then `bearometer replay FILE --embedded` on posts of your own, or `bearometer up` on live feeds.
"""


def build_cli() -> typer.Typer:
    """The application with all commands; importing it reads no settings and opens nothing."""
    app = typer.Typer(
        help=_HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
    )
    app.callback()(_root)
    for subject in (
        demo,
        replay,
        up,
        ingest,
        sources,
        stream,
        alerts,
        notify,
        silences,
        store,
        stories,
        forget,
        prune,
        score,
        link,
        inspect,
        evaluate,
        explain,
        export,
        train,
        distil,
        hydrate,
        models,
        label,
        drift,
        detect,
        rules,
        backtest,
        calibrate,
        doctor,
    ):
        subject.register(app)
    return app


def main() -> None:
    """Run the command line; an error that Bearometer raised on purpose is one line and an exit code.

    Exit codes: 0 done, 1 failed or a server is away, 2 wrong settings or usage, 3 drift was found or two
    texts are not one story, 130 interrupted.
    """
    try:
        build_cli()()
    except Misconfigured as error:
        sys.exit(_complain(error, 2))
    except BearometerError as error:
        sys.exit(_complain(error, 1))
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): not an error, but Python would report it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _complain(error: BearometerError, code: int) -> int:
    print(f"error: {plain(str(error), limit=2000)}", file=sys.stderr)
    return code


def _root(
    config: Annotated[
        Path | None, typer.Option(help="A TOML file of settings; the environment wins over it.", metavar="FILE")
    ] = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    if version:
        print(f"bearometer {__version__}")
        raise typer.Exit
    if config is not None:
        os.environ["BEAROMETER_CONFIG"] = str(config.absolute())
    logging.basicConfig(level="WARNING", format="%(asctime)s %(levelname)s %(name)s: %(message)s")
