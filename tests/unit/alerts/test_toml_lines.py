import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.toml_lines import Lines, Place, find_lines


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """Every table, key and element in what `tomllib` read."""
    if place:
        yield place
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*place, name))


def find(text: str) -> Lines:
    """The lines of a text that is TOML and has each key once."""
    lines = find_lines(text)
    assert set(lines.of) == set(places(tomllib.loads(text)))
    assert not lines.twice
    return lines


@pytest.mark.parametrize(
    ("text", "place", "line"),
    [
        ("\n\na = 1\n", ("a",), 3),
        ("a = 1\r\nb = 2\r\n", ("b",), 2),
        ("# a = 1\na = 2 # b = 3\nb = 4\n", ("b",), 3),
        ("[t]\na.b.c = 1\na.b.d = 2\n", ("t", "a", "b", "d"), 3),
        ("[t]\na.b.c = 1\na.b.d = 2\n", ("t", "a", "b"), 2),
        ("[t.u]\n[t]\n", ("t",), 2),
        ("x = {a = 1, b = {c = [2, 3]}}\n", ("x", "b", "c", 1), 1),
        ('x = [\n  "p", # "q",\n\n  "r",\n]\ny = 1\n', ("x", 1), 4),
        ('x = [\n  "p", # "q",\n\n  "r",\n]\ny = 1\n', ("y",), 6),
        ("x = [[\n1], [2,\n3]]\n", ("x", 1, 1), 3),
        ('x = "a = 1"\na = 2\n', ("a",), 2),
        ('x = """\na = 1\n[t]\n\\"""\n"""\na = 2\n', ("a",), 6),
        ("x = '''\na = 1\n'''''\na = 2\n", ("a",), 4),
        ('x = """a"""""\na = 2\n', ("a",), 2),
        ("\"a b\".'c.d' = 1\n", ("a b", "c.d"), 1),
        ('"\\u0061\\t" = 1\n', ("a\t",), 1),
        ("'' = 1\n", ("",), 1),
        ("[ a . 'b' ]\nc = 2\n", ("a", "b", "c"), 2),
        ("[[r]]\nn = 1\n[[r]]\nn = 2\n[r.t]\nk = 3\n", ("r", 1, "t", "k"), 6),
        ("[[r]]\nn = 1\n[[r]]\nn = 2\n", ("r", 0), 1),
        ("[[r]]\n[[r.s]]\na = 1\n[[r.s]]\na = 2\n[[r]]\n[[r.s]]\na = 3\n", ("r", 1, "s", 0, "a"), 8),
        ("a = 1979-05-27 07:32:00 # b\nb = +inf\n", ("b",), 2),
    ],
)
def test_a_key_is_found_on_its_line(text: str, place: Place, line: int) -> None:
    assert find(text).of[place] == line


def test_what_is_not_there_is_said_of_the_nearest_around_it() -> None:
    lines = find("x = 1\n\n[t]\na = [1]\n")
    assert lines.line(("t", "nothing")) == 3
    assert lines.line(("t", "a", 7)) == 4
    assert lines.line(("nothing",)) == 1


@pytest.mark.parametrize(
    ("text", "twice"),
    [
        ("a = 1\nb = 2\na = 3\n", [(("a",), 3)]),
        ("[t]\na = 1\n[t]\nb = 1\n", [(("t",), 3)]),
        ("a.b = 1\n[t]\nc = 1\nc = [\n2]\n", [(("t", "c"), 4)]),
        ("x = {a = 1, a = 2}\n", [(("x", "a"), 1)]),
        ("[t]\n[[t]]\n", [(("t",), 2)]),
        ("t = []\n[[t]]\n", [(("t",), 2)]),
        ("[[t]]\n[t]\n", [(("t",), 2)]),
    ],
)
def test_what_is_there_twice_is_found(text: str, twice: list[tuple[Place, int]]) -> None:
    with pytest.raises(tomllib.TOMLDecodeError):
        tomllib.loads(text)
    assert list(find_lines(text).twice) == twice


patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
NAMES = st.one_of(
    st.sampled_from(["a", "b", "rule", "a-1", '"a b"', "'[x]'", '"# c"', '"a = 1"', '"\\u00e9"']),
    st.text("abc", min_size=1, max_size=3),
)
SCALARS = st.sampled_from(
    ["1", "-0.5", "true", "inf", "1979-05-27 07:32:00", '"x = 1"', "'# no'", '"""\n[t]\nk = 1\n"""', "'''\n]\n'''"]
)
FILLING = st.sampled_from(["", " ", "\n", " # k = 1 ]\n", "\n\n"])


@st.composite
def arrays(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    elements = [draw(FILLING) + element + draw(FILLING) for element in draw(st.lists(inner, max_size=3))]
    return f"[{','.join(elements)}{draw(FILLING)}]"


def inline_tables(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.lists(st.tuples(NAMES, inner.filter(lambda value: "\n" not in value)), max_size=3)
    return pairs.map(lambda each: "{" + ", ".join(f"{name} = {value}" for name, value in each) + "}")


VALUES = st.recursive(SCALARS, lambda inner: arrays(inner) | inline_tables(inner), max_leaves=5)
KEYS = st.lists(NAMES, min_size=1, max_size=3).map(" . ".join)
STATEMENTS = st.one_of(
    st.tuples(KEYS, VALUES).map(" = ".join),
    KEYS.map("[{}]".format),
    KEYS.map("[[{}]]".format),
    st.sampled_from(["", "# a = 1", "\t"]),
)


@patient
@given(st.lists(STATEMENTS, max_size=8))
def test_it_finds_exactly_the_keys_that_tomllib_reads(statements: list[str]) -> None:
    text = "\n".join(statements)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        find_lines(text)
        return
    assert set(find_lines(text).of) == set(places(table))


@patient
@given(st.lists(st.tuples(st.booleans(), VALUES, FILLING), min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_every_line_is_the_one_on_which_the_key_was_written(written: list[tuple[bool, str, str]], newline: str) -> None:
    """Keys k0, k1, … in tables t0, t1, …, each with a value that goes over any number of lines."""
    text = ""
    expected: dict[Place, int] = {}
    table: Place = ()
    for number, (opens, value, filling) in enumerate(written):
        text += filling.replace(" # k = 1 ]\n", "# k = 1 ]\n")
        text += "" if text.endswith("\n") or not text.strip(" ") else "\n"
        if opens:
            table = (f"t{number}",)
            expected[table] = text.count("\n") + 1
            text += f"[t{number}]\n"
        expected[(*table, f"k{number}")] = text.count("\n") + 1
        text += f"k{number} = {value}"
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:  # a name twice in an inline table
        return
    assert find_lines(text.replace("\n", newline)).of.items() >= expected.items()


@patient
@given(st.text(max_size=60) | st.text("[]{}=.,'\"\\#\n ab1", max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    lines = find_lines(text)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert set(lines.of) == set(places(table))


def test_a_deep_nest_does_not_break_it() -> None:
    assert find_lines("a = " + "[" * 100_000).line(("a", 0, 0)) == 1
