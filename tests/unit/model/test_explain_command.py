import io
import json
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import typer
from hypothesis import given, settings
from typer.testing import CliRunner, Result

from bearometer.commands.explain import register
from bearometer.commands.explain_shown import render_page, show
from bearometer.errors import Failed, Misconfigured
from bearometer.mention import Sentiment
from model.explain import Explanation, Word, split_words
from tests.sample_alerts import HOSTILE_TEXTS, hostile_text

TEXT = "Tern Aviation shares plunge after a fraud probe"


def run(*arguments: str | Path, given: bytes | None = None) -> Result:
    app = typer.Typer(rich_markup_mode=None)
    register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=given)


def explained(text: str, entity: str | None = None) -> Explanation:
    words = tuple(
        Word(text[start:end], start, end, (-1) ** number / (number + 1))
        for number, (start, end) in enumerate(split_words(text))
    )
    return Explanation(text, entity, True, "negative", Sentiment(0.7, 0.2, 0.1), words, "occlusion", "m@1")


class Tags(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, tuple[str, ...]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, tuple(sorted(name for name, _ in attrs))))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_it_prints_the_label_the_text_and_the_heaviest_words() -> None:
    result = run(TEXT)
    assert result.exit_code == 0, result.output
    first, second, *rest = result.stdout.splitlines()
    assert first.startswith("the text: negative (negative 0.")
    assert second == f"  {TEXT}"
    assert any(line.startswith("  +0.") and line.endswith("plunge") for line in rest)
    assert "red speaks for negative, blue against it; occlusion, " in rest[-1]
    assert "\x1b" not in result.stdout


def test_json_holds_every_word_with_its_place_one_line_for_each_entity() -> None:
    result = run(TEXT, "--entity", "Tern Aviation", "--entity", "Ostrava", "--label", "positive", "--json")
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert (first["entity"], second["entity"]) == ("Tern Aviation", "Ostrava")
    assert second["found"] is False
    assert first["label"] == "positive"
    assert first["probability"] == first["sentiment"]["positive"]
    assert [word["text"] for word in first["words"]] == TEXT.split()
    assert all(TEXT[word["start"] : word["end"]] == word["text"] for word in first["words"])


def test_the_text_may_come_from_standard_input() -> None:
    result = run("-", "--json", given=b"Tern Aviation shares \xff plunge\n")
    assert json.loads(result.stdout)["words"][0]["text"] == "Tern"


def test_a_page_holds_the_same(tmp_path: Path) -> None:
    page = tmp_path / "why.html"
    assert run(TEXT, "--html", page).exit_code == 0
    tags = Tags(page.read_text("utf-8"))
    assert "the text: negative" in tags.text
    assert TEXT in tags.text
    assert not {tag for tag, _ in tags.seen} & {"script", "img", "link", "a"}


@pytest.mark.parametrize(
    ("arguments", "kind", "reason"),
    [
        (("",), Failed, "there is nothing in the text that the model can judge"),
        ((TEXT, "--entity", " "), Misconfigured, "--entity is empty"),
        ((TEXT, "--html", "/no/such/folder/why.html"), Misconfigured, "--html /no/such/folder/why.html cannot be"),
        ((TEXT, "--method", "integrated-gradients"), Misconfigured, "has no model.safetensors"),
        ((TEXT, "--model", "/no/such/folder"), Misconfigured, "/no/such/folder does not exist"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: tuple[str, ...], kind: type[Exception], reason: str
) -> None:
    error = run(*arguments).exception
    assert isinstance(error, kind)
    assert reason in str(error)
    assert "\n" not in str(error)


def test_gradients_explain_a_run_folder(tiny_run: Path) -> None:
    result = run("Quillmark beats every estimate", "--method", "integrated-gradients", "--model", tiny_run)
    assert result.exit_code == 0, result.output
    assert "integrated gradients, tiny-torch@" in result.stdout


def test_on_a_terminal_the_words_are_coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.StringIO()
    show(explained("sinks a little"), stream)
    assert "\x1b[1;37;41msinks\x1b[0m" in stream.getvalue()


@settings(deadline=None)  # a thousand words take a moment
@given(hostile_text, hostile_text)
def test_no_text_reaches_the_terminal_with_its_control_characters(text: str, entity: str) -> None:
    stream = io.StringIO()
    show(explained(text, entity), stream)
    shown = stream.getvalue()
    shown.encode()
    assert not set(shown) & {"\x1b", "\x07", "\x00", "\x85", "\u202e", "\u2028"}


@settings(deadline=None)  # a thousand words take a moment
@given(hostile_text, hostile_text)
def test_no_text_changes_the_page(text: str, entity: str) -> None:
    page = render_page([explained(text, entity)])
    page.encode()
    harmless = render_page([explained("sinks " * len(split_words(text)), "harmless")])
    assert {tag for tag in Tags(page).seen} <= {tag for tag in Tags(harmless).seen} | {
        ("span", ()),
        ("span", ("style",)),
    }


def test_the_hostile_texts_are_what_a_page_must_withstand() -> None:
    naive = f"<p>{HOSTILE_TEXTS[3]}</p>"
    assert {"script", "img"} <= {tag for tag, _ in Tags(naive).seen}


def test_the_command_loads_no_torch_for_occlusion() -> None:
    import subprocess

    code = (
        "import sys; from bearometer.cli import build_cli\n"
        "try: build_cli()(['explain', 'Tern Aviation shares plunge', '--json'])\n"
        "except SystemExit: pass\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
