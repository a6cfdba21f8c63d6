"""Two weeks of posts, made of sentences.

- for each hour of the fortnight the ordinary posts of each company, by its rate and the hour's share;
- repeats of some of them: retweets, and the same sentence with another link;
- hostile texts, and spam: promotion, one author's flood, one text by many bots;
- where there is one, the crisis: a wave of bad news about one company that fades within hours.
"""

import html
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import exp
from random import Random
from typing import Literal

from ingest.scenarios import phrases
from ingest.scenarios.crises import Crisis
from ingest.scenarios.phrases import Company

__all__ = ["DAYS", "Kind", "ScenarioPost", "compose", "find_company"]

DAYS = 14

# The crisis is over 27 hours before the end at the latest: a window of 24 hours is then clear of it again.
_CRISIS_STARTS_BEFORE_END = range(36, 47)
_CRISIS_LASTS = timedelta(hours=9)
_CRISIS_FADES_MINUTES = 110.0

# Shares of a day's posts by hour, UTC: the exchanges of the United States are open from 14 to 21.
_RHYTHM = (3, 2, 2, 1, 1, 2, 3, 4, 5, 6, 6, 8, 12, 18, 22, 20, 18, 17, 18, 20, 18, 10, 6, 4)
_WEEKEND = 0.4
_NEWS_SHARE = 0.35
_REPEATED = 0.08
_SLOT = re.compile(r"\{(\w+)\}")

Kind = Literal["neutral", "positive", "negative", "crisis", "spam", "hostile"]
_SHARES: dict[Kind, float] = {"neutral": 0.70, "positive": 0.265, "negative": 0.035}
_ORDINARY = {"neutral": phrases.NEUTRAL, "positive": phrases.POSITIVE, "negative": phrases.NEGATIVE}


@dataclass(frozen=True, slots=True)
class ScenarioPost:
    """One row of the file; `kind` is what was intended and is not written."""

    at: datetime
    text: str
    symbols: tuple[str, ...]
    author: str
    followers: int
    kind: Kind
    retweets: int = 0
    language: str = "en"
    url: str | None = None
    repeat: bool = False


def compose(rng: Random, end: datetime, crisis: Crisis | None) -> list[ScenarioPost]:
    """The posts of the two weeks before `end`, in time order; the same for the same arguments."""
    return _Composer(rng, end.astimezone(UTC)).compose(crisis)


class _Composer:
    """One scenario in the making: its randomness, its authors and the sentences it has used."""

    def __init__(self, rng: Random, end: datetime) -> None:
        self._rng = rng
        self._end = end
        self._start = end - timedelta(days=DAYS)
        self._used: set[str] = set()
        self._authors = _invent_authors(rng)

    def compose(self, crisis: Crisis | None) -> list[ScenarioPost]:
        posts = [post for company in phrases.COMPANIES for post in self._chatter(company)]
        posts += self._odd_ones()
        posts += [self._repeat(post) for post in self._rng.sample(posts, int(len(posts) * _REPEATED))]
        posts += self._spam()
        if crisis:
            posts += self._wave(crisis)
        return sorted((post for post in posts if self._start <= post.at < self._end), key=lambda post: post.at)

    def _chatter(self, company: Company) -> Iterator[ScenarioPost]:
        hour = self._start.replace(minute=0, second=0, microsecond=0)
        while hour < self._end:
            rate = company.per_weekday * _RHYTHM[hour.hour] / sum(_RHYTHM) * (_WEEKEND if hour.weekday() >= 5 else 1)
            for _ in range(_draw_poisson(self._rng, rate)):
                yield self._ordinary(company, hour + timedelta(seconds=self._rng.randrange(3600)))
            hour += timedelta(hours=1)

    def _ordinary(self, company: Company, at: datetime) -> ScenarioPost:
        if self._rng.random() < 0.03:
            others = self._others(company)
            text = self._sentence(phrases.SEVERAL, company, others=" ".join(f"${symbol}" for symbol in others))
            return self._social(text, at, "neutral", (company.symbol, *others))
        kind = self._rng.choices(tuple(_SHARES), tuple(_SHARES.values()))[0]
        sentences = _ORDINARY[kind]
        if self._rng.random() < _NEWS_SHARE:
            return self._news(self._sentence(sentences["news"], company), at, kind, (company.symbol,))
        return self._social(self._sentence(sentences["social"], company), at, kind, (company.symbol,))

    def _odd_ones(self) -> Iterator[ScenarioPost]:
        for sentence in phrases.HOSTILE:
            company = self._rng.choice(phrases.COMPANIES)
            text = self._sentence((sentence,), company)
            # As it is: whoever sends such a thing does not escape it.
            yield replace(self._social(text, self._any_time(), "hostile", (company.symbol,)), text=text)
        for language, sentence in phrases.FOREIGN * 4:
            company = self._rng.choice(phrases.COMPANIES)
            text = self._sentence((sentence,), company)
            yield replace(self._social(text, self._any_time(), "neutral", (company.symbol,)), language=language)

    def _spam(self) -> Iterator[ScenarioPost]:
        for _ in range(3 * DAYS):
            company = self._rng.choice(phrases.COMPANIES)
            others = self._others(company)
            text = self._sentence(phrases.PROMOTION, company, others=" ".join(f"${symbol}" for symbol in others))
            at, author = self._any_time(), f"AlertRoom{self._rng.randrange(1, 4)}"
            for again in range(self._rng.randrange(1, 3)):
                linked = f"{_escape(text)} {self._link()}"
                later = at + timedelta(minutes=7 * again)
                yield ScenarioPost(later, linked, (company.symbol, *others), author, 170, "spam", repeat=again > 0)
        airline = find_company("SBRW")
        start = self._start + timedelta(days=self._rng.uniform(6, 8))
        for number in range(24):
            text = self._sentence(phrases.FLOOD, airline, n=str(number + 1))
            at = start + timedelta(minutes=7 * number + self._rng.random())
            yield ScenarioPost(at, _escape(text), ("SBRW",), "GroundedForever", 61, "spam")
        start = self._start + timedelta(days=self._rng.uniform(9, 11))
        for number in range(40):
            at = start + timedelta(minutes=self._rng.expovariate(1 / 45))
            bot = f"trader{self._rng.randrange(10**7, 10**8)}"
            text = f"{phrases.BOT_TEXT} {self._link()}"
            yield ScenarioPost(at, text, ("TRSK",), bot, self._rng.randrange(9), "spam", repeat=number > 0)

    def _wave(self, crisis: Crisis) -> Iterator[ScenarioPost]:
        company = find_company(crisis.symbol)
        hours = (self._end - timedelta(hours=before) for before in _CRISIS_STARTS_BEFORE_END)
        start = max(hours, key=lambda at: _RHYTHM[at.hour])
        authors = self._rng.sample(self._authors, crisis.posts)
        for number, author in enumerate(authors):
            minutes = self._rng.expovariate(1 / _CRISIS_FADES_MINUTES)
            at = start + min(timedelta(minutes=minutes), _CRISIS_LASTS * self._rng.uniform(0.8, 0.9))
            is_news = number < len(phrases.OUTLETS) or self._rng.random() < 0.3
            sentences = crisis.news if is_news else crisis.social
            text = self._sentence(sentences, company, crisis.slots)
            post = ScenarioPost(at, _escape(text), (company.symbol,), *author, "crisis", self._rng.randrange(60))
            if is_news:
                link = self._link()
                outlet = (phrases.OUTLETS[number], 90_000) if number < len(phrases.OUTLETS) else author
                post = replace(post, text=f"{post.text} {link}", url=link, author=outlet[0], followers=outlet[1])
            yield post
            if self._rng.random() < 0.5:
                yield self._repeat(post)
        text = self._sentence((crisis.hostile,), company, crisis.slots)
        at = start + timedelta(minutes=self._rng.uniform(60, 120))
        yield ScenarioPost(at, text, (company.symbol,), "MarkUpMark", 404, "crisis", 3)

    def _social(self, text: str, at: datetime, kind: Kind, symbols: tuple[str, ...]) -> ScenarioPost:
        author = self._authors[int(len(self._authors) * self._rng.random() ** 2.5)]  # few write much
        link = f" {self._link()}" if self._rng.random() < 0.15 else ""
        return ScenarioPost(at, _escape(text) + link, symbols, *author, kind, int(self._rng.paretovariate(1.2)) - 1)

    def _news(self, text: str, at: datetime, kind: Kind, symbols: tuple[str, ...]) -> ScenarioPost:
        link, outlet = self._link(), self._rng.randrange(len(phrases.OUTLETS))
        followers = 15_000 * (outlet + 1)
        retweets = int(self._rng.paretovariate(0.9))
        return ScenarioPost(
            at, f"{_escape(text)} {link}", symbols, phrases.OUTLETS[outlet], followers, kind, retweets, url=link
        )

    def _repeat(self, post: ScenarioPost) -> ScenarioPost:
        """The same words again, by somebody else and a little later."""
        author, followers = self._rng.choice(self._authors)
        later = post.at + timedelta(minutes=min(self._rng.expovariate(1 / 25), 50))
        body = re.sub(r" https://\S+$", "", post.text)
        text = self._rng.choice(
            (f"RT @{post.author}: {post.text}", f"{body} {self._link()}", f"{body} via @{post.author}")
        )
        return replace(post, at=later, text=text, author=author, followers=followers, url=None, repeat=True)

    def _sentence(
        self,
        templates: tuple[str, ...],
        company: Company,
        slots: Mapping[str, tuple[str, ...]] | None = None,
        **fixed: str,
    ) -> str:
        """A sentence of these templates that this scenario has not used yet, if a few draws find one."""
        own = {
            "co": company.short,
            "name": company.name,
            "cash": f"${company.symbol}",
            "sector": company.sector,
            **fixed,
        }
        lists = {**phrases.SLOTS, "product": company.products, **(slots or {})}

        def fill(match: re.Match[str]) -> str:
            slot = match[1]
            if slot in own:
                return own[slot]
            if slot in _NUMBERS:
                return _NUMBERS[slot](self._rng, company)
            return _SLOT.sub(fill, self._rng.choice(lists[slot]))

        for _ in range(20):
            text = _SLOT.sub(fill, self._rng.choice(templates))
            text = text[0].upper() + text[1:] if text[0].islower() and self._rng.random() < 0.5 else text
            if text.casefold() not in self._used:
                break
        self._used.add(text.casefold())
        return text

    def _others(self, company: Company) -> list[str]:
        others = [other.symbol for other in phrases.COMPANIES if other is not company]
        return self._rng.sample(others, self._rng.randrange(1, 4))

    def _any_time(self) -> datetime:
        return self._start + timedelta(days=DAYS) * self._rng.random()

    def _link(self) -> str:
        return f"https://example.com/{self._rng.getrandbits(32):08x}"


_NUMBERS: dict[str, Callable[[Random, Company], str]] = {
    "few": lambda rng, company: str(rng.randrange(2, 10)),
    "pct": lambda rng, company: f"{rng.uniform(1, 7):.1f}",
    "crash": lambda rng, company: str(rng.randrange(11, 39)),
    "price": lambda rng, company: f"{company.price * rng.uniform(0.94, 1.06):.2f}",
    "low": lambda rng, company: f"${company.price * rng.uniform(0.4, 0.7):.0f}",
}


def _invent_authors(rng: Random) -> list[tuple[str, int]]:
    """Names with numbers of followers; no name twice."""
    first = ("quiet", "north", "lucky", "slow", "paper", "copper", "late", "Granny", "Captain", "pixel", "tidal")
    second = (
        "Otter",
        "Ledger",
        "Candle",
        "Badger",
        "Harbor",
        "Walnut",
        "Pivot",
        "Kettle",
        "Meadow",
        "Ticker",
        "Acorn",
        "Fern",
    )
    names = [f"{a}{b}{tail}" for a in first for b in second for tail in ("", "_x", str(rng.randrange(10, 99)))]
    rng.shuffle(names)
    return [(name, int(rng.lognormvariate(5.5, 1.5))) for name in names]


def _draw_poisson(rng: Random, mean: float) -> int:
    """A Poisson number, by Knuth's products (The Art of Computer Programming 2, 3.4.1); for small means."""
    limit, count, product = exp(-mean), 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count


def _escape(text: str) -> str:
    """As social networks give text out: with &, < and > escaped."""
    return html.escape(text, quote=False)


def find_company(symbol: str) -> Company:
    """The company with this symbol."""
    return next(company for company in phrases.COMPANIES if company.symbol == symbol)
