from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bearometer.clock import ManualClock
from bearometer.errors import Misconfigured
from bearometer.post import Post
from bearometer.settings import IngestSettings
from ingest.normalise import normalise
from ingest.replay import ReplaySource
from ingest.scenario import DEFAULT_SCENARIO, SCENARIOS, compose_scenario, write_scenario
from ingest.scenarios.crises import CRISES
from ingest.scenarios.phrases import COMPANIES
from ingest.source import RawPost

END = datetime(2026, 3, 18, 16, 20, tzinfo=UTC)  # a Wednesday
DAY = timedelta(days=1)


def _replayed(path: Path, end: datetime = END) -> list[Post]:
    rows = list(ReplaySource(path, IngestSettings(), ManualClock(end)).read())
    assert all(isinstance(row, RawPost) for row in rows), "a row that cannot be read"
    return [normalise(row, "demo", IngestSettings(), end) for row in rows if isinstance(row, RawPost)]


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_row_is_read_and_none_is_rejected(tmp_path: Path, name: str) -> None:
    summary = write_scenario(tmp_path / "posts.jsonl", name, 3, END)
    posts = _replayed(tmp_path / "posts.jsonl")
    assert len(posts) == summary.posts
    assert len({post.id for post in posts}) == summary.posts
    assert [post.published_at for post in posts] == sorted(post.published_at for post in posts)
    assert all(END - 14 * DAY <= post.published_at < END for post in posts)
    assert {symbol for post in posts for symbol in post.symbols} == set(summary.symbols)
    assert not any("\x00" in post.text for post in posts)


def test_the_same_arguments_write_the_same_bytes_and_others_do_not(tmp_path: Path) -> None:
    def written(name: str, seed: int, end: datetime) -> bytes:
        write_scenario(tmp_path / "posts.jsonl", name, seed, end)
        return (tmp_path / "posts.jsonl").read_bytes()

    first = written("fraud", 1, END)
    assert written("fraud", 1, END) == first
    assert written("fraud", 1, END.astimezone(timezone(timedelta(hours=9)))) == first
    assert len({first, written("fraud", 2, END), written("quiet", 1, END), written("fraud", 1, END + DAY)}) == 4


def test_a_later_run_has_ids_of_its_own(tmp_path: Path) -> None:
    write_scenario(tmp_path / "first.jsonl", "quiet", 1, END)
    write_scenario(tmp_path / "later.jsonl", "quiet", 1, END + timedelta(minutes=5))
    first, later = ({post.id for post in _replayed(tmp_path / name)} for name in ("first.jsonl", "later.jsonl"))
    assert not first & later


@settings(max_examples=8, deadline=None)
@given(
    name=st.sampled_from(sorted(SCENARIOS)),
    seed=st.integers(0, 2**31),
    hours=st.integers(0, 10 * 365 * 24),
)
def test_a_scenario_is_of_the_promised_size_and_shape_for_every_seed_and_end(name: str, seed: int, hours: int) -> None:
    end = END + timedelta(hours=hours)
    posts = compose_scenario(name, seed, end)
    assert 4_000 <= len(posts) <= 6_000
    kinds = Counter(post.kind for post in posts)
    assert 0.01 < kinds["negative"] / len(posts) < 0.06
    assert kinds["neutral"] > kinds["positive"] > kinds["negative"]
    assert 0.05 < sum(post.repeat for post in posts) / len(posts) < 0.15
    fresh = [post for post in posts if not post.repeat]
    assert len({post.text.casefold() for post in fresh}) / len(fresh) > 0.97

    wave = [post for post in posts if post.kind == "crisis"]
    if name == "quiet":
        assert not wave
        return
    voices = [post for post in wave if not post.repeat]
    assert 40 <= len(voices) <= 80
    assert len({post.author for post in voices}) == len(voices)
    assert {post.symbols for post in wave} == {(CRISES[name].symbol,)}
    assert end - 2 * DAY < wave[0].at
    assert wave[-1].at < end - timedelta(hours=26)
    half = wave[0].at + (wave[-1].at - wave[0].at) / 2
    assert sum(post.at < half for post in wave) > len(wave) / 2, "it fades"
    assert any(post.url for post in voices)
    assert len(wave) > len(voices)


def test_busy_and_quiet_companies_are_as_busy_as_promised_and_weekends_are_quieter() -> None:
    posts = [post for seed in range(5) for post in compose_scenario("quiet", seed, END)]
    own = [
        post for post in posts if post.kind not in {"spam", "hostile"} and not post.repeat and len(post.symbols) == 1
    ]
    weekdays = Counter(post.symbols[0] for post in own if post.at.weekday() < 5)
    for company in COMPANIES:
        expected = company.per_weekday * 10 * 5  # ten weekdays, five seeds
        assert abs(weekdays[company.symbol] - 0.97 * expected) < 5 * expected**0.5 + 20, company.symbol
    weekend = sum(post.at.weekday() >= 5 for post in own)
    assert weekend / 4 < 0.6 * sum(weekdays.values()) / 10
    open_hours = sum(14 <= post.at.hour < 21 for post in own)
    assert open_hours / len(own) > 0.5


def test_the_floods_are_one_voice_and_one_text() -> None:
    spam = [post for post in compose_scenario("quiet", 1, END) if post.kind == "spam"]
    airline = [post for post in spam if post.author == "GroundedForever"]
    assert len(airline) > 20
    assert {post.symbols for post in airline} == {("SBRW",)}
    bots = [post for post in spam if post.author.startswith("trader")]
    assert len({post.author for post in bots}) == 40
    assert len({post.text.rpartition(" ")[0] for post in bots}) == 1


def test_no_slot_is_left_unfilled() -> None:
    left = [
        post.text
        for name in SCENARIOS
        for post in compose_scenario(name, 5, END)
        if "{" in post.text and "{{ 7*7 }}" not in post.text
    ]
    assert left == []


def test_the_summary_names_the_company_in_crisis(tmp_path: Path) -> None:
    summary = write_scenario(tmp_path / "posts.jsonl", DEFAULT_SCENARIO, 1, END)
    assert (summary.crisis_symbol, summary.crisis_company) == ("NTHW", "Northwater Foods")
    assert summary.crisis_started_at is not None
    assert END - 2 * DAY < summary.crisis_started_at < END - DAY
    quiet = write_scenario(tmp_path / "posts.jsonl", "quiet", 1, END)
    assert (quiet.crisis_symbol, quiet.crisis_started_at, quiet.crisis_posts) == (None, None, 0)


def test_an_unknown_scenario_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"`scenario` is 'flood'; it must be one of product-recall, fraud"):
        write_scenario(tmp_path / "posts.jsonl", "flood", 1, END)
    assert not list(tmp_path.iterdir())
