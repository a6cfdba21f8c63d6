"""The names that ship, and a user's own."""

import csv
from importlib.resources import files
from pathlib import Path

import pytest

from bearometer.errors import Misconfigured
from bearometer.gazetteer.read import Level, read_gazetteer
from bearometer.gazetteer.words import split_words
from bearometer.linker import Linker, open_linker
from ingest.symbols import clean_symbols

SHIPPED = read_gazetteer()


def _linker(tmp_path: Path, rows: str) -> Linker:
    path = tmp_path / "names.csv"
    path.write_text(rows, "utf-8")
    return Linker(read_gazetteer(path))


def test_what_ships_knows_thousands_of_names_and_every_symbol_is_one_that_ingest_takes() -> None:
    symbols = {entry.symbol for entry in SHIPPED.names.values() if entry.symbol}
    assert len(SHIPPED.names) > 4_000
    assert len(symbols) > 1_500
    assert [symbol for symbol in symbols if clean_symbols([symbol]) != (symbol,)] == []


def test_a_name_stands_once_in_our_own_file() -> None:
    """Two rows with one name would make the first of them a lie."""
    seen: dict[str, str] = {}
    for row in csv.reader(files("bearometer.gazetteer").joinpath("names.csv").read_text("utf-8").splitlines()):
        if row and not row[0].startswith("#"):
            for name in row[1].split("|"):
                key = " ".join(split_words(name).folded)
                if not name.startswith("$"):
                    assert seen.setdefault(key, row[0]) == row[0], name


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("Facebook", "META"),
        ("YouTube", "GOOGL"),
        ("iPhone", "AAPL"),
        ("Royal Dutch Shell", "SHEL"),
        ("Alnylam", "ALNY"),
        ("nestle", "NESN.SW"),
        ("JOHNSON and JOHNSON", "JNJ"),
        ("Fox News", None),
        ("no such thing", None),
    ],
)
def test_a_name_is_looked_up_in_any_spelling(name: str, symbol: str | None) -> None:
    assert open_linker().symbol_of(name) == symbol


def test_a_users_names_are_linked_and_win_over_ours(tmp_path: Path) -> None:
    linker = _linker(
        tmp_path,
        "symbol,name,ambiguous\n# ours\nQVLT,Quivolt Motors|Quivolt\nTWTR,Twitter\nACME,Apple,no\n"
        "SHLF,Shelf,yes\n-,Boeing\n",
    )
    assert list(linker.symbols("Quivolt falls, Twitter too")) == ["QVLT", "TWTR"]
    assert list(linker.symbols("an apple a day")) == []  # a longer name of ours, which is nobody
    assert list(linker.symbols("I ate the apple")) == ["ACME"]
    assert list(linker.symbols("The shelf is empty. Boeing waits.")) == []
    assert list(linker.symbols("Shares of Shelf plunge")) == ["SHLF"]
    assert list(linker.symbols("Follow us on Twitter; stocks slip via Twitter")) == []


def test_a_users_ticker_is_found_bare_and_in_brackets(tmp_path: Path) -> None:
    linker = _linker(tmp_path, "QVLT,Quivolt Motors\nQVLT,$QVO\n")
    assert list(linker.symbols("QVLT down 5%, short it")) == ["QVLT"]
    assert list(linker.symbols("$QVO down: Quivolt Motors warns")) == ["QVO", "QVO"]


@pytest.mark.parametrize(
    ("rows", "line", "complaint"),
    [
        ("WMT\n", 1, "it has 1 columns"),
        ("symbol,name\nWMT,Walmart\nW M T,Walmart\n", 3, "`W M T` is no symbol"),
        ("WMT,Walmart,maybe\n", 1, "ambiguous is `maybe`"),
        ("WMT,Walmart\n\nWMT,!!!\n", 3, "the name is `!!!`"),
        ("WMT," + "very " * 13 + "long\n", 1, "it must have 1 to 12 words"),
        ("WMT,Walmart,no,more\n", 1, "it has 4 columns"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, rows: str, line: int, complaint: str) -> None:
    path = tmp_path / "names.csv"
    path.write_text(rows, "utf-8")
    with pytest.raises(Misconfigured) as caught:
        read_gazetteer(path)
    assert f"names.csv, line {line}: " in str(caught.value)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("content", "complaint"), [(b"WMT,W\xffalmart\n", "is not UTF-8"), (None, "no such file or directory")]
)
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, content: bytes | None, complaint: str) -> None:
    path = tmp_path / "names.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Misconfigured, match=complaint):
        read_gazetteer(path)


def test_excels_csv_is_read(tmp_path: Path) -> None:
    path = tmp_path / "names.csv"
    path.write_bytes("\ufeffsymbol,name\r\nQVLT,Quivolt\r\n".encode())
    assert Linker(read_gazetteer(path)).symbol_of("quivolt") == "QVLT"


def test_a_name_is_written_as_one_word_in_a_hashtag() -> None:
    assert list(open_linker().symbols("#GoldmanSachs cuts jobs")) == ["GS"]
    assert SHIPPED.names["goldmansachs"].level is Level.SURE
