"""Two weeks of invented chatter about invented companies, for `bearometer demo` and for tests.

A file of JSON lines that the replay source reads: ordinary posts with a daily rhythm, repeats, spam, hostile texts,
and in all scenarios but `quiet` one crisis. `scenarios/` holds the sentences and how they become posts.
"""

import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import orjson

from bearometer.errors import Misconfigured
from ingest.scenarios.compose import DAYS, Kind, ScenarioPost, compose, find_company
from ingest.scenarios.crises import CRISES
from ingest.scenarios.phrases import COMPANIES

__all__ = [
    "DEFAULT_SCENARIO",
    "SCENARIOS",
    "Kind",
    "ScenarioPost",
    "ScenarioSummary",
    "compose_scenario",
    "write_scenario",
]

SCENARIOS: dict[str, str] = {
    "product-recall": "a food company recalls a product; one alert",
    "fraud": "a bank is found out; one alert",
    "data-breach": "a software company loses its customers' records; one alert",
    "quiet": "spam and ordinary bad news only; no alert",
}
"""Name to description, as `--help` shows them."""
DEFAULT_SCENARIO = "product-recall"


@dataclass(frozen=True, slots=True)
class ScenarioSummary:
    """What a scenario holds."""

    name: str
    seed: int
    start: datetime
    end: datetime
    posts: int
    repeats: int
    symbols: tuple[str, ...]
    """The companies, the busiest first."""
    crisis_symbol: str | None = None
    crisis_company: str | None = None
    crisis_started_at: datetime | None = None
    """Time of the first post of the crisis."""
    crisis_posts: int = 0
    """Posts of the crisis without their repeats."""


def write_scenario(path: Path, name: str, seed: int, end: datetime) -> ScenarioSummary:
    """Write the scenario's posts to `path` as JSON lines that the replay source reads; the same for the same arguments.

    Ids differ between runs that end at different times, so that a second demo over the same stores counts anew.
    Raises Misconfigured for an unknown name, ValueError for a naive `end`.
    """
    posts = compose_scenario(name, seed, end)
    run = f"{zlib.crc32(f'{name}:{seed}:{end.timestamp()}'.encode()):08x}"
    with path.open("wb") as file:
        for number, post in enumerate(posts, start=1):
            file.write(orjson.dumps(_as_row(post, f"{run}-{number}"), option=orjson.OPT_APPEND_NEWLINE))
    crisis = CRISES.get(name)
    wave = [post for post in posts if post.kind == "crisis"]
    return ScenarioSummary(
        name=name,
        seed=seed,
        start=end - timedelta(days=DAYS),
        end=end,
        posts=len(posts),
        repeats=sum(post.repeat for post in posts),
        symbols=tuple(company.symbol for company in COMPANIES),
        crisis_symbol=crisis.symbol if crisis else None,
        crisis_company=find_company(crisis.symbol).name if crisis else None,
        crisis_started_at=wave[0].at if wave else None,
        crisis_posts=sum(not post.repeat for post in wave),
    )


def compose_scenario(name: str, seed: int, end: datetime) -> list[ScenarioPost]:
    """The posts of the two weeks before `end`, in time order; the same for the same arguments.

    Raises Misconfigured for an unknown name, ValueError for a naive `end`.
    """
    if name not in SCENARIOS:
        message = f"`scenario` is {name!r:.40}; it must be one of {', '.join(SCENARIOS)}"
        raise Misconfigured(message)
    if end.tzinfo is None:
        message = f"end is {end}; it must have a time zone"
        raise ValueError(message)
    return compose(Random(f"{name}:{seed}"), end, CRISES.get(name))


def _as_row(post: ScenarioPost, post_id: str) -> dict[str, object]:
    row: dict[str, object] = {
        "id": post_id,
        "created_at": post.at.isoformat(timespec="milliseconds"),
        "text": post.text,
        "lang": post.language,
        "author": post.author,
        "followers": post.followers,
        "retweets": post.retweets,
        "symbols": post.symbols,
    }
    return row if post.url is None else {**row, "url": post.url}
