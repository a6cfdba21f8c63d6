"""`bearometer link`."""

import gzip
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from bearometer.cli import build_cli
from bearometer.errors import Failed, Misconfigured


def _run(*arguments: object) -> str:
    result = CliRunner().invoke(build_cli(), ["link", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_text_is_shown_with_symbol_place_and_why() -> None:
    shown = _run("Walmart falls; I ate an apple").splitlines()
    assert shown[0].startswith("+ WMT") and "0-7 'Walmart'" in shown[0] and "only the company's" in shown[0]
    assert shown[1].startswith("- AAPL") and "`an` in front" in shown[1]
    assert _run("nothing to see") == "no company is named\n"


def test_a_hostile_text_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    names = tmp_path / "names.csv"
    names.write_text("QVLT,Qui volt\n", "utf-8")
    assert "\x1b" not in _run("Qui\u00a0volt \x1b[2J falls \x1b]0;x\x07", "--gazetteer", names)


@pytest.mark.parametrize("name", ["posts.jsonl", "posts.jsonl.gz", "posts.txt"])
def test_a_file_is_counted(tmp_path: Path, name: str) -> None:
    texts = ["Walmart falls", "$AAPL up", "rain"]
    lines = [text if name.endswith(".txt") else orjson.dumps({"text": text}).decode() for text in texts]
    content = "\n".join(lines).encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    shown = _run("--file", path)
    assert shown.startswith("3 posts in ") and "posts/s" in shown
    assert "2 of them name 2 companies" in shown
    assert "1 by name, 1 by cashtag" in shown or "1 by cashtag, 1 by name" in shown


def test_precision_and_recall_are_measured_on_symbols(tmp_path: Path) -> None:
    rows = [
        {"text": "Walmart falls", "symbols": ["WMT"]},
        {"text": "Apple shares and Boeing fall", "symbols": ["AAPL", "F"]},
        {"text": "rain", "symbols": []},
    ]
    path = tmp_path / "cases.jsonl"
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    shown = _run("--measure", path)
    assert "3 texts name 3 companies" in shown
    assert "66.7%  2 of 3 found" in shown
    assert "66.7%  2 of 3 that were found are named" in shown
    assert "missed F; invented BA: Apple shares and Boeing fall" in shown


def test_precision_and_recall_are_measured_on_named_entities(tmp_path: Path) -> None:
    rows = [
        {"title": "Walmart falls, gold rises", "decisions": {"Walmart": "negative", "gold": "positive"}},
        {"title": "Boeing falls, Wal-Mart too", "decisions": {"Walmart": "negative"}},
    ]
    path = tmp_path / "entities.jsonl"
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    shown = _run("--measure", path)
    assert "2 companies that the gazetteer knows (1 entities are not in the gazetteer)" in shown
    assert "100.0%  2 of 2 found" in shown
    assert "66.7%  2 of 3 that were found are named" in shown
    assert "invented BA (Boeing)" in shown


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"{", "line 1: not JSON"),
        (b'{"text": "a", "symbols": []}\n[]', "line 2: not a JSON object"),
        (b'{"text": 1, "symbols": []}', "line 1: `text`"),
        (b'{"text": "a"}', "line 1: it must have `symbols`"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    with pytest.raises(Failed, match=complaint):
        _run("--measure", path)


def test_what_is_missing_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="say one of TEXT"):
        _run()
    with pytest.raises(Failed, match="no such file"):
        _run("--file", tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_bytes(b"")
    with pytest.raises(Failed, match="holds no posts"):
        _run("--file", tmp_path / "empty.jsonl")
    with pytest.raises(Misconfigured, match="cannot be read"):
        _run("x", "--gazetteer", tmp_path / "none.csv")
