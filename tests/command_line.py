"""A command as a person runs it, in this process."""

from collections.abc import Callable

import typer
from typer.testing import CliRunner, Result

__all__ = ["Run", "command_on"]

Run = Callable[..., Result]


def command_on(database_url: str, register: Callable[[typer.Typer], None], name: str) -> Run:
    """What runs the command of this name on the database, with the arguments given; it raises what the command does."""
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)

    def run(*arguments: object) -> Result:
        result = CliRunner(env={"BEAROMETER_POSTGRES__URL": database_url}).invoke(app, [name, *map(str, arguments)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run
