"""`bearometer rules`: whether a rules file is right, what its rules ask for, and a file to start from."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bearometer.errors import Failed, Misconfigured
from bearometer.terminal import plain

if TYPE_CHECKING:
    from alerts.rules import RuleSet
    from bearometer.settings import Settings

__all__ = ["register"]

NoFile = "no rules file is set (alerts.rules): there is one rule, made of the settings"


def register(app: typer.Typer) -> None:
    """Add `bearometer rules` and its subcommands."""
    rules = typer.Typer(no_args_is_help=True, help="What is watched and who is told: check a rules file, or start one.")
    rules.command("check")(check)
    rules.command("show")(show)
    rules.command("example")(print_example)
    app.add_typer(rules, name="rules")


def check(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A rules file; the one of alerts.rules when missing.")
    ] = None,
) -> None:
    """Name every mistake of a rules file with its line; without any, say in words what each rule does.

    Exit code 1 when there are mistakes. A rule that no configured route takes is a warning: it changes no exit code.

    Example: bearometer rules check rules.toml
    """
    from alerts.rule_file import check_rules
    from alerts.rule_words import describe_rule, describe_together
    from alerts.rules import default_rules
    from bearometer.settings import load_settings

    settings = load_settings()
    path = file or settings.alerts.rules
    if path is None:
        typer.echo(NoFile)
        rules: RuleSet | None = default_rules(settings.alerts)
    else:
        routes = _routes(settings)
        checked = check_rules(path, settings.alerts, routes)
        rules = checked.rules
        for problem in checked.problems:
            typer.echo(str(problem))
        if not routes:
            typer.echo("note: no route is configured here, so it was not looked at who is told")
    if rules is None:
        errors = sum(not problem.is_warning for problem in checked.problems)
        message = f"{plain(str(path))} has {errors} mistake{'' if errors == 1 else 's'}"
        raise Failed(message)
    for rule in rules.rules:
        typer.echo(describe_rule(rule))
    typer.echo(describe_together(rules))
    for rule in rules.supply:
        typer.echo(describe_rule(rule))


def show(
    symbol: Annotated[
        str, typer.Argument(metavar="SYMBOL", help="A ticker symbol, `market`, or a topic such as '#Earnings'.")
    ],
    rules: Annotated[
        Path | None, typer.Option(help="A rules file; the one of alerts.rules when missing.", metavar="FILE")
    ] = None,
) -> None:
    """Say which rules watch a symbol, and what they ask for.

    Example: bearometer rules show WMT
    """
    from alerts.rule_file import load_rules, read_rules
    from alerts.rule_words import describe_rule
    from bearometer.settings import load_settings

    settings = load_settings()
    key = _key(symbol)
    found = (read_rules(rules, settings.alerts) if rules else load_rules(settings.alerts)).for_symbol(key)
    if not found:
        typer.echo(f"no rule watches {plain(symbol, 60)}")
    for rule in found:
        typer.echo(describe_rule(rule, key))


def print_example() -> None:
    """Print a rules file with comments to start from; as it is, it changes nothing.

    Example: bearometer rules example > rules.toml
    """
    from importlib.resources import files

    typer.echo(files("alerts").joinpath("example_rules.toml").read_text(encoding="utf-8"), nl=False)


def _routes(settings: "Settings") -> list[str]:
    from alerts.route import build_notifiers

    return [notifier.name for notifier in build_notifiers(settings)]


def _key(symbol: str) -> str:
    """The key of a symbol, a topic or the market as a person writes it."""
    from alerts.rule_keys import RULE_KEYS, Wrong, read_symbol
    from bearometer.post import MARKET, topic_key, topic_of

    topic = topic_of(symbol)
    try:
        if topic is not None:
            return topic_key(RULE_KEYS["topics"](topic)[0])
        return MARKET if symbol in ("market", MARKET) else read_symbol(symbol)
    except Wrong as wrong:
        message = f"`SYMBOL` is {plain(symbol, 60)!r}; it must be {wrong.faults[0][2]}"
        raise Misconfigured(message) from None
