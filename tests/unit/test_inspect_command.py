"""`bearometer inspect`."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from bearometer.cli import build_cli
from bearometer.errors import Failed, Misconfigured

CUT = "Northwater Foods cuts its outlook for the year after the recall of 12 products"


def _run(*arguments: str, code: int = 0, **more: Any) -> Result:
    result = CliRunner().invoke(build_cli(), ["inspect", *arguments], catch_exceptions=False, **more)
    assert result.exit_code == code, result.output
    return result


def _lines(*arguments: str, code: int = 0, **more: Any) -> dict[str, str]:
    lines = _run(*arguments, code=code, **more).stdout.splitlines()
    return {line.split()[0]: line[15:] for line in lines if line.startswith("  ")}


def test_a_text_is_shown_as_the_pipeline_sees_it() -> None:
    shown = _lines("Walmart&#39;s recall &amp; $NTHW:  https://example.com/a", "--author", "ann")

    assert shown["text"] == "Walmart's recall & $NTHW:"
    assert (shown["link"], shown["author"], shown["spam"]) == ("https://example.com/a", "ann", "no, by itself")
    assert shown["name"].startswith("+ NTHW 19-24 '$NTHW', cashtag, 9:")
    assert shown["symbol"] == "NTHW: 19-24 '$NTHW'"
    assert len(shown["fingerprint"]) == 24


def test_a_name_that_was_refused_is_shown_too_and_why() -> None:
    assert _lines("I ate an apple")["name"].startswith("- AAPL 9-14 'apple', name")
    assert _lines("I ate an apple")["symbols"] == "none"


def test_what_the_source_states_is_believed() -> None:
    shown = _lines("hello again", "--symbol", "$nthw", "--language", "en-GB")

    assert shown["symbol"] == "NTHW: not named in the text: it has the whole text's sentiment"
    assert shown["language"] == "en, scored"


def test_a_text_in_another_language_is_not_scored_unless_the_settings_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    swedish = ("Bolaget har återkallat tolv produkter och kursen faller nu igen på börsen", "--language", "sv")

    assert _lines(*swedish)["language"] == "sv, not scored (language: sv)"
    monkeypatch.setenv("BEAROMETER_STREAM__LANGUAGES", '["en", "sv"]')
    assert _lines(*swedish)["language"] == "sv, scored"


def test_spam_is_told_with_its_reason_unless_the_source_is_trusted() -> None:
    pushed = "Join our VIP room, free signals, DM me: $NTHW $ACME"

    assert _lines(pushed)["spam"].startswith("promotion: ")
    assert _lines(pushed, "--source", "feeds")["spam"] == "no, by itself"


def test_a_feed_is_trusted_by_its_name_as_the_worker_trusts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pushed = "Join our VIP room, free signals, DM me: $NTHW $ACME"

    assert _lines(pushed, "--source", "wire")["spam"].startswith("promotion: ")
    monkeypatch.setenv("BEAROMETER_INGEST__FEEDS", '[{"url": "https://news.example.com/rss", "name": "wire"}]')
    assert _lines(pushed, "--source", "wire")["spam"] == "no, by itself"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--symbol", "bad symbol!"),
        ("--symbol", "  "),
        ("--language", "xx!!"),
        ("--language", "qme"),
        ("--language", ""),
    ],
)
def test_a_symbol_or_language_that_is_none_is_told_in_one_line(option: str, value: str) -> None:
    with pytest.raises(Misconfigured, match=f"^{option} .* is no (symbol|language); .*$"):
        _run("$NTHW falls", option, value)


def test_a_language_may_be_undetermined() -> None:
    assert _run("$NTHW falls", "--language", "und").exit_code == 0


def test_two_posts_of_one_text_are_one_story() -> None:
    shown = _run(f"{CUT} https://example.com/1", f"RT @desk: {CUT}").stdout

    assert "text 1" in shown and "text 2" in shown
    assert "  fingerprint  the same\n" in shown
    assert shown.endswith("  one story    yes\n")


def test_two_texts_that_differ_in_a_number_are_not_one_story_and_it_is_told_why() -> None:
    shown = _run(CUT, CUT.replace("12", "75"), code=3).stdout

    assert "  fingerprint  different\n" in shown
    assert "different numbers: 12 / 75" in shown
    assert shown.endswith("  one story    no\n")


def test_two_texts_about_different_things_are_not_alike() -> None:
    shown = _run(CUT, "Rain is expected over most of the country at the weekend", code=3).stdout

    assert "not alike enough" in shown


def test_json_is_one_object() -> None:
    one = json.loads(_run("$NTHW falls", "--json", "--language", "en").stdout)
    assert one["symbols"] == [{"symbol": "NTHW", "places": [[0, 5, "$NTHW"]]}]
    assert (one["language"], one["unscored"], one["spam"]) == ("en", None, [])

    two = json.loads(_run(CUT, CUT.replace("12", "75"), "--json", code=3).stdout)
    assert [post["text"] for post in two["posts"]] == [CUT, CUT.replace("12", "75")]
    assert (two["same"]["exact"], two["same"]["one_story"]) == (False, False)
    assert two["same"]["resemblance"] > 0.5


def test_a_text_may_come_from_standard_input() -> None:
    assert _lines("-", input="$NTHW falls\n")["text"] == "$NTHW falls"
    assert _lines("-", input=b"$NTHW \xff falls")["text"] == "$NTHW \ufffd falls"
    assert "one story    yes" in _run(CUT, "-", input=CUT).stdout
    with pytest.raises(Misconfigured, match="only one can be read from standard input"):
        _run("-", "-", input="x")


def test_a_text_that_would_be_refused_is_told_in_one_line() -> None:
    with pytest.raises(Failed, match="the text would be refused: no_text"):
        _run("https://example.com")
    with pytest.raises(Failed, match="text 2 would be refused: too_long"):
        _run("$NTHW falls", "x" * 100_000)


def test_authors_are_hidden_as_the_settings_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEAROMETER_INGEST__AUTHOR_KEY", "a key of our own, long enough")
    assert _lines("$NTHW falls", "--author", "ann")["author"].startswith("anon-")


@settings(max_examples=25)
@given(st.text(min_size=1).filter(lambda text: text.strip() not in {"", "-"}))
def test_no_text_writes_to_the_terminal_what_it_should_not(text: str) -> None:
    result = CliRunner().invoke(build_cli(), ["inspect", "--author", text, "--", f"a {text}", text])
    if isinstance(result.exception, Failed):
        return
    stated = CliRunner().invoke(build_cli(), ["inspect", "--symbol", text, "--language", text, "--", "a text"])
    assert stated.exit_code == 0 or str(stated.exception).isprintable()
    assert result.exit_code in {0, 3}, result.output
    assert all(character == "\n" or character.isprintable() for character in result.stdout)
