"""`bearometer label`: people say what the model got wrong."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bearometer.commands.answer_file import SUFFIXES, write_answer
from bearometer.commands.label_answer import Action, Answer, WrongAnswer, read_answer
from bearometer.commands.login import find_person
from bearometer.correction import Correction, Criterion
from bearometer.errors import Failed, Misconfigured
from bearometer.mention import WHOLE, Scored, Sentiment
from bearometer.terminal import plain
from bearometer.topics import TOPICS

if TYPE_CHECKING:
    from bearometer.settings import Settings
    from storage.feedback import FeedbackStore, Question

__all__ = ["label", "register"]

DEFAULT_CRITERIA = (Criterion.ENTROPY, Criterion.SHADOW, Criterion.MENTIONS, Criterion.REPEATS)
REASONS = {
    Criterion.ENTROPY: "the model is unsure of {what}",
    Criterion.MARGIN: "the model is torn about {what}",
    Criterion.MENTIONS: "the text has another label than {what}",
    Criterion.REPEATS: "the same text was called {what}",
    Criterion.SHADOW: "the candidate says {what}",
}
HELP = """n, u, p   the whole text is negative, neutral, positive
y         the model is right about the text and the mentions in it
ACME=n    that mention, by symbol, by number, or by a name that stands in the text
t=ipo     the topic, by the beginning of its name or by its number: {topics}
          several together: y ACME=n t=ipo
s skip    b back to the one before    q quit"""
LABELS_QUERY = """SELECT post_id, symbol, label, topic, who, labelled_at, model_label, model, text FROM labels
WHERE label IS NOT NULL OR topic IS NOT NULL ORDER BY labelled_at DESC, post_id, symbol"""
SHOWN = 100


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("label")(label)


def label(
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many posts to show.")] = 20,
    days: Annotated[float, typer.Option(min=0.01, help="Only posts stored in the last so many days.")] = 30.0,
    by: Annotated[
        list[Criterion] | None,
        typer.Option(
            help="entropy, margin: the model is unsure; mentions: text and mention differ; repeats: one text, several "
            "labels; shadow: the candidate differs. Several take turns; default: all but margin.",
            show_default=False,
        ),
    ] = None,
    symbol: Annotated[str | None, typer.Option(help="Only posts about this symbol.")] = None,
    who: Annotated[str | None, typer.Option(help="Whose word it is; default: the user's name.")] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            help="Take labels from this file: `post_id` or `text`, `symbol` (empty: the whole text), `label`, `topic`."
        ),
    ] = None,
    export: Annotated[Path | None, typer.Option(help="Write all labels to this file (.csv, .json, .parquet).")] = None,
    spreadsheet: Annotated[
        bool,
        typer.Option(
            "--spreadsheet", help="With --export, in CSV: an apostrophe before text that could be taken for a formula."
        ),
    ] = False,
    list_: Annotated[bool, typer.Option("--list", help="Show the latest labels.")] = False,
) -> None:
    """Show the posts that the model is least sure of, and keep what you say of them.

    Answer n, u or p (negative, neutral, positive), y where the model is right, ACME=n for one mention, t=ipo for the
    topic, s to skip, b to go back, q to quit; ? explains them. Each answer is stored at once, with who and when; the
    next call goes on with what you have not seen. `bearometer train --feedback` learns from them. Example:

    bearometer label --symbol WMT --limit 10

    A bad line of --csv is told with its number, the rest goes in, and the exit code is 1. The texts are other people's:
    do not open an exported CSV in a spreadsheet without --spreadsheet, nor take it in again with --csv if it was
    written with that.
    """
    from bearometer.settings import load_settings

    if sum((csv is not None, export is not None, list_)) > 1:
        message = "--csv, --export and --list are three things: give one"
        raise Misconfigured(message)
    if spreadsheet and export is None:
        message = "--spreadsheet is for --export"
        raise Misconfigured(message)
    settings = load_settings()
    if list_ or export is not None:
        _show(settings, export, spreadsheet)
        return
    person = find_person(who)
    if csv is not None:
        _import(settings, csv, person)
        return
    _ask(settings, person, days, by or DEFAULT_CRITERIA, limit, symbol)


def _show(settings: "Settings", export: Path | None, spreadsheet: bool) -> None:
    if export is not None:
        format_ = SUFFIXES.get(export.suffix.lower())
        if format_ is None:
            message = f"--export ends in {plain(export.suffix)!r}; it must be one of {', '.join(SUFFIXES)}"
            raise Misconfigured(message)
        write_answer(settings.postgres, LABELS_QUERY, format_, export, spreadsheet=spreadsheet)
        return
    from storage.sql import print_query

    if print_query(settings.postgres, LABELS_QUERY, SHOWN):
        typer.echo(f"the latest {SHOWN}; all of them: --export", err=True)


def _import(settings: "Settings", path: Path, who: str) -> None:
    from bearometer.commands.label_file import read_corrections
    from ingest.normalise import fingerprint
    from storage.database import open_database
    from storage.feedback import FeedbackStore
    from storage.posts import PostStore

    engine = open_database(settings.postgres)
    store, posts = FeedbackStore(engine), PostStore(engine)
    lines = new = left_out = 0
    for corrections, problems in read_corrections(path, who, posts.find, fingerprint):
        new += store.save(corrections)
        lines += len(corrections)
        left_out += len(problems)
        for problem in problems:
            typer.echo(plain(f"line {problem.number}: {problem.why}"), err=True)
    typer.echo(f"taken from the file: {lines:,}; new or changed: {new:,}")
    if left_out:
        message = f"{left_out:,} of {lines + left_out:,} lines were left out"
        raise Failed(message)


def _ask(
    settings: "Settings", who: str, days: float, criteria: Sequence[Criterion], limit: int, symbol: str | None
) -> None:
    from datetime import timedelta

    from bearometer.clock import SystemClock
    from storage.database import open_database
    from storage.feedback import FeedbackStore

    store = FeedbackStore(open_database(settings.postgres))
    since = SystemClock().now() - timedelta(days=days)
    name = symbol.upper().removeprefix("$") if symbol else None
    questions = store.questions(who, since, criteria, limit, name)
    if not questions:
        typer.echo(f"nothing to ask {who}: of the posts of the last {days:g} days all doubtful ones were seen")
        return
    labelled = skipped = 0
    try:
        labelled, skipped = _dialogue(store, questions, who, _lines())
    except KeyboardInterrupt:
        typer.echo()
    typer.echo(f"{labelled} labelled, {skipped} skipped; `bearometer label --list` shows what is stored")


def _lines() -> Iterator[str]:
    while True:
        typer.echo("> ", nl=False)
        line = sys.stdin.buffer.readline()  # as bytes: a terminal may send what is no UTF-8
        if not line:
            typer.echo()
            return
        yield line.decode("utf-8", "replace")


def _dialogue(
    store: "FeedbackStore", questions: Sequence["Question"], who: str, lines: Iterator[str]
) -> tuple[int, int]:
    """Ask one by one until all are answered or the lines end; how many were labelled, and how many skipped."""
    labelled: list[bool] = []
    while len(labelled) < len(questions):
        question = questions[len(labelled)]
        typer.echo(_describe(question, len(labelled) + 1, len(questions)))
        answer = _next_answer(lines, question.scored)
        match answer.action:
            case Action.QUIT:
                break
            case Action.BACK if labelled:
                labelled.pop()
                store.withdraw(questions[len(labelled)].scored.post.id, who)
            case Action.BACK:
                typer.echo("this is the first one")
            case _:
                store.save(_corrections(answer, question.scored, who))
                labelled.append(answer.action is Action.ANSWER)
    return sum(labelled), len(labelled) - sum(labelled)


def _next_answer(lines: Iterator[str], scored: Scored) -> Answer:
    for line in lines:
        try:
            answer = read_answer(line, scored)
        except WrongAnswer as error:
            typer.echo(plain(str(error), 600))
            continue
        if answer.action is not Action.HELP:
            return answer
        typer.echo(HELP.format(topics=", ".join(f"{number} {topic}" for number, topic in enumerate(TOPICS))))
    return Answer(Action.QUIT)


def _corrections(answer: Answer, scored: Scored, who: str) -> list[Correction]:
    """The whole text's row is always there: it says that this person has seen the post."""
    said = {mention.symbol: mention.sentiment.label for mention in scored.mentions}
    post = scored.post

    def about(symbol: str, **given: object) -> Correction:
        fields = {"post_id": post.id, "text": post.text, "fingerprint": post.fingerprint, "model": scored.model}
        return Correction(symbol=symbol, who=who, **fields, **given)  # type: ignore[arg-type]

    return [
        about(WHOLE, label=answer.label, topic=answer.topic, model_label=scored.sentiment.label),
        *(about(symbol, label=one, model_label=said.get(symbol)) for symbol, one in answer.mentions.items()),
    ]


def _describe(question: "Question", number: int, total: int) -> str:
    """A post as a person reads it; nothing of it can reach the terminal's controls."""
    scored, post = question.scored, question.scored.post
    reason = REASONS[question.criterion].format(what=plain(question.detail or "the text", 60))
    lines = [
        "",
        f"{number} of {total}: {reason} ({question.doubt:.2f})",
        f"{post.published_at:%Y-%m-%d %H:%M} UTC  {plain(post.source, 40)}  {plain(post.author or '-', 40)}",
        typer.style(plain(post.text, 1000), bold=True),
        f"  text: {_probabilities(scored.sentiment)}" + (f"; topic {plain(scored.topic, 60)}" if scored.topic else ""),
    ]
    for place, mention in enumerate(scored.mentions, start=1):
        where = "" if mention.in_text else " (not in the text)"
        lines.append(f"  {place} {plain(mention.symbol, 40)}: {_probabilities(mention.sentiment)}{where}")
    return "\n".join(lines)


def _probabilities(sentiment: Sentiment) -> str:
    parts = {"n": sentiment.negative, "u": sentiment.neutral, "p": sentiment.positive}
    return f"{sentiment.label} (" + ", ".join(f"{name} {part:.2f}" for name, part in parts.items()) + ")"
