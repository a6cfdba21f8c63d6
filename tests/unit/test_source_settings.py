"""Settings of sources, and how they are written."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from bearometer.clock import ManualClock
from bearometer.errors import Misconfigured
from bearometer.settings import IngestSettings, load_settings
from bearometer.source_base import reveal
from bearometer.source_settings import KINDS, MAPPED
from bearometer.toml_block import toml_block
from ingest.rows import FIELDS
from ingest.sources import build_jobs
from tests.fakes import NOON


def loaded(tmp_path: Path, text: str) -> Any:
    path = tmp_path / "bearometer.toml"
    path.write_text(text)
    return load_settings(path).ingest.sources


def test_sources_are_told_apart_by_their_kind(tmp_path: Path) -> None:
    filings, own = loaded(
        tmp_path,
        """[[ingest.sources]]
        kind = "edgar"
        name = "filings"
        contact = "Ann ann@example.com"
        [[ingest.sources]]
        kind = "json"
        name = "own"
        url = "https://example.com/posts"
        headers = { Authorization = "env:OWN_TOKEN", "X-Number" = 7 }""",
    )
    assert (type(filings), type(own)) == (KINDS["edgar"], KINDS["json"])
    assert own.headers["X-Number"].get_secret_value() == "7"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('kind = "edgar"\nname = "a"', r"ingest\.sources\.0\.edgar\.contact.*required"),
        ('kind = "edgar"\nname = "a"\ncontact = "Ann"', r"contact"),
        (
            'kind = "telegraph"\nname = "a"',
            r"ingest\.sources\.0`; has the kind 'telegraph'; it must be one of edgar, gdelt",
        ),
        ('name = "a"', r"ingest\.sources\.0`; has the kind None; it must be one of edgar, gdelt"),
        ('kind = "gdelt"\nname = "A b"\nquery = "abc"', r"ingest\.sources\.0\.gdelt\.name"),
        ('kind = "gdelt"\nname = "feeds"\nquery = "abc"', r"that of \[\[ingest\.feeds\]\]"),
        ('kind = "json"\nname = "a"\nurl = "ftp://example.com"', r"url"),
        ('kind = "json"\nname = "a"\nurl = "http://e.com"\nfields = { body = "x" }', r"maps 'body'; the names are id"),
        ('kind = "json"\nname = "a"\nurl = "http://e.com"\ncursor_param = "x"', r"needs one of cursor_path"),
        ('kind = "json"\nname = "a"\nurl = "http://e.com"\ncursor_field = "x"', r"needs one of cursor_path"),
        ('kind = "json"\nname = "a"\nurl = "http://e.com"\nbogus = 1', r"`ingest\.sources\.0\.json\.bogus` is no"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(Misconfigured, match=words):
        loaded(tmp_path, f"[[ingest.sources]]\n{text}\n")


@pytest.mark.parametrize("setting", ["headers = 'hush'", "params = 'hush'", "headers = { Authorization = ['hush'] }"])
def test_a_secret_in_a_wrong_place_is_not_shown(tmp_path: Path, setting: str) -> None:
    with pytest.raises(Misconfigured, match=r"ingest\.sources\.0\.json\.(headers|params)") as caught:
        loaded(tmp_path, f'[[ingest.sources]]\nkind = "json"\nname = "a"\nurl = "http://e.com"\n{setting}\n')
    assert "hush" not in str(caught.value)


def test_two_sources_need_two_names(tmp_path: Path) -> None:
    block = '[[ingest.sources]]\nkind = "gdelt"\nname = "news"\nquery = "harbor"\n'
    with pytest.raises(Misconfigured, match="two sources have the name 'news'"):
        loaded(tmp_path, block * 2)


def test_the_names_that_may_be_mapped_are_those_of_rows() -> None:
    assert MAPPED == FIELDS


def test_a_secret_stands_there_or_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reveal(SecretStr("hush"), "a.b") == "hush"
    with pytest.raises(Misconfigured, match=r"`a\.b` names the environment variable TOKEN, which is not set"):
        reveal(SecretStr("env:TOKEN"), "a.b")
    monkeypatch.setenv("TOKEN", "shush")
    assert reveal(SecretStr("env:TOKEN"), "a.b") == "shush"


SIMPLE = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.booleans(), st.integers(-(2**60), 2**60)
)


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
        st.one_of(SIMPLE, st.lists(SIMPLE, max_size=3), st.dictionaries(st.text('ab-. "', max_size=4), SIMPLE)),
        max_size=5,
    )
)
def test_what_is_written_as_toml_is_read_as_it_was(fields: dict[str, Any]) -> None:
    assert tomllib.loads(toml_block("[[a.b]]", fields)) == {"a": {"b": [fields]}}


def test_a_job_is_made_for_each_source_or_for_those_that_are_named(tmp_path: Path) -> None:
    path = tmp_path / "bearometer.toml"
    blocks = (f'[[ingest.sources]]\nkind = "gdelt"\nname = "{name}"\nquery = "harbor"\n' for name in ("one", "two"))
    path.write_text("".join(blocks) + '[[ingest.feeds]]\nurl = "http://example.com/rss"\n')
    settings, clock = load_settings(path).ingest, ManualClock(NOON)
    assert [(job.name, job.kind) for job in build_jobs(settings, clock)] == [
        ("feeds", "rss"),
        ("one", "gdelt"),
        ("two", "gdelt"),
    ]
    assert [job.name for job in build_jobs(settings, clock, ["two", "feeds"])] == ["feeds", "two"]
    assert [job.open().name for job in build_jobs(settings, clock)] == ["feeds", "one", "two"]
    with pytest.raises(Misconfigured, match="no source is named 'three'; there are feeds, one, two"):
        build_jobs(settings, clock, ["three"])
    with pytest.raises(Misconfigured, match="there are no sources"):
        build_jobs(IngestSettings(), clock)
