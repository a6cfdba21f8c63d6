"""`bearometer inspect`: how ingest and stream would see a text, and whether two of them tell the same."""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bearometer.errors import Failed, Misconfigured, Rejected
from bearometer.terminal import plain

if TYPE_CHECKING:
    from bearometer.linker import Link
    from bearometer.post import Post
    from bearometer.settings import Settings
    from bearometer.sketch import Comparison

__all__ = ["inspect", "register"]

NOT_THE_SAME = 3
MAX_STDIN_BYTES = 8_000_000
SHOWN_CHARS = 2_000
NO_PLACE = "not named in the text: it has the whole text's sentiment"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("inspect")(inspect)


def inspect(
    text: Annotated[str, typer.Argument(help="A post's text; `-` reads it from standard input.")],
    text2: Annotated[
        str | None, typer.Argument(help="Another one to compare it with; `-` likewise.", show_default=False)
    ] = None,
    author: Annotated[str | None, typer.Option(help="Who wrote it.")] = None,
    followers: Annotated[int | None, typer.Option(min=0, help="How many follow the author.")] = None,
    symbol: Annotated[
        list[str] | None,
        typer.Option(help="A symbol that the source states, may be repeated; then the text is not searched for more."),
    ] = None,
    language: Annotated[str | None, typer.Option(help="The language that the source states, such as en.")] = None,
    source: Annotated[str, typer.Option(help="Which source it comes from; some are trusted.")] = "inspect",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show how a text would be seen on its way: normalised, linked, its language, its fingerprint, whether it is spam.

    A dry run by the settings: no server is asked, nothing is stored, and no model scores it. Of spam only what a post
    shows by itself is found; how often its author writes and how many say the same is seen on the way alone.

    With two texts, also whether both tell one story, and if not, why. Exit codes: 0; 1 when a text would be refused; 3
    when two texts are not one story.

    Example: bearometer inspect "Walmart recalls lettuce in 12 states https://example.com/a" --language en

    Example: bearometer inspect "WMT falls 5% on weak guidance" "RT @desk: WMT falls 5% on weak guidance"
    """
    from bearometer.clock import SystemClock
    from bearometer.settings import load_settings
    from ingest.normalise import normalise
    from ingest.source import RawPost

    _check(symbol or [], language)
    texts = _read([text] if text2 is None else [text, text2])
    settings, now = load_settings(), SystemClock().now()
    posts = []
    for number, each in enumerate(texts, start=1):
        raw = RawPost(
            text=each,
            published_at=now,
            position=str(number),
            author=author,
            followers=followers,
            language=language,
            symbols=tuple(symbol or ()),
        )
        try:
            posts.append(normalise(raw, source, settings.ingest, now))
        except Rejected as error:
            which = "the text" if len(texts) == 1 else f"text {number}"
            message = f"{which} would be refused: {error}"
            raise Failed(message) from error
    compared = _compare(*posts) if len(posts) == 2 else None
    seen = [_see(post, settings) for post in posts]
    if as_json:
        both = {} if compared is None else {"same": asdict(compared) | {"one_story": compared.is_same}}
        # In plain ASCII: a terminal obeys more than the control characters of ASCII.
        typer.echo(json.dumps(seen[0] if compared is None else {"posts": seen} | both))
    else:
        for number, one in enumerate(seen, start=1):
            if compared is not None:
                typer.echo(f"text {number}")
            _print(one)
        if compared is not None:
            _print_compared(compared)
    if compared is not None and not compared.is_same:
        raise typer.Exit(NOT_THE_SAME)


def _check(symbols: list[str], language: str | None) -> None:
    """Refuse what a source might state, and what would be left out without a word."""
    from ingest.language import UNDETERMINED, clean_language
    from ingest.symbols import clean_symbols

    for each in symbols:
        if not clean_symbols([each]):
            message = f"--symbol {plain(each, 40)!r} is no symbol; one is up to 15 letters and digits, such as BRK.B"
            raise Misconfigured(message)
    if language is not None and clean_language(language) == UNDETERMINED and language.strip().lower() != UNDETERMINED:
        message = f"--language {plain(language, 40)!r} is no language; give a code such as en or pt-BR"
        raise Misconfigured(message)


def _read(texts: list[str]) -> list[str]:
    if texts.count("-") > 1:
        message = "TEXT and TEXT2 are both `-`; only one can be read from standard input"
        raise Misconfigured(message)
    return [
        sys.stdin.buffer.read(MAX_STDIN_BYTES).decode("utf-8", "replace") if text == "-" else text for text in texts
    ]


def _see(post: "Post", settings: "Settings") -> dict[str, Any]:
    from bearometer.linker import open_linker
    from stream.sift import why_unscored
    from stream.spam import find_spam, name_trusted

    spam = name_trusted(settings.spam, settings.ingest)
    linker = open_linker(settings.ingest.gazetteer)
    found = linker.judge(post.text) if settings.ingest.link_names else []
    places = linker.locate(post.text, post.symbols)
    return {
        "text": post.text,
        "links": list(post.links),
        "author": post.author,
        "symbols": [
            {"symbol": symbol, "places": [[*span, post.text[slice(*span)]] for span in spans]}
            for symbol, spans in zip(post.symbols, places, strict=True)
        ],
        "names": [_name(post.text, link) for link in found],
        "language": post.language,
        "unscored": why_unscored(post, settings.stream.languages),
        "fingerprint": post.fingerprint,
        "spam": list(find_spam(post, None, spam)),
    }


def _name(text: str, link: "Link") -> dict[str, Any]:
    return {
        "symbol": link.symbol,
        "place": [*link.span, text[slice(*link.span)]],
        "kind": link.kind,
        "score": link.score,
        "linked": link.linked,
        "why": [[weight, reason] for weight, reason in link.cues],
    }


def _compare(one: "Post", other: "Post") -> "Comparison":
    from bearometer.sketch import compare, make_sketch

    return compare(make_sketch(one).leader, make_sketch(other).leader)


def _print(seen: dict[str, Any]) -> None:
    _line("text", plain(seen["text"], SHOWN_CHARS))
    for link in seen["links"]:
        _line("link", plain(link))
    if seen["author"]:
        _line("author", plain(seen["author"], 200))
    if not seen["symbols"]:
        _line("symbols", "none")
    for one in seen["symbols"]:
        places = ", ".join(f"{start}-{end} {plain(words)!r}" for start, end, words in one["places"])
        _line("symbol", f"{plain(one['symbol'])}: {places or NO_PLACE}")
    for one in seen["names"]:
        start, end, words = one["place"]
        why = ", ".join(f"{weight:+g} {plain(reason)}" for weight, reason in one["why"])
        sign = "+" if one["linked"] else "-"
        _line("name", f"{sign} {one['symbol']} {start}-{end} {plain(words)!r}, {one['kind']}, {one['score']:g}: {why}")
    fate = f"not scored ({plain(seen['unscored'])})" if seen["unscored"] else "scored"
    _line("language", f"{seen['language']}, {fate}")
    _line("fingerprint", seen["fingerprint"])
    for reason in seen["spam"]:
        _line("spam", plain(reason))
    if not seen["spam"]:
        _line("spam", "no, by itself")


def _print_compared(compared: "Comparison") -> None:
    typer.echo("together")
    _line("fingerprint", "the same" if compared.exact else "different")
    alike = "alike" if compared.is_alike else "not alike enough"
    _line("shared", f"{compared.resemblance:.0%} of both, {compared.containment:.0%} of the shorter: {alike}")
    for block in compared.blocks:
        _line("apart by", plain(block))
    _line("one story", "yes" if compared.is_same else "no")


def _line(name: str, said: str) -> None:
    typer.echo(f"  {name:<13}{said}")
