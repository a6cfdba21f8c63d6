"""What an alert shows to be believed, gathered when it fires."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from alerts.terms import find_new_terms
from alerts.top_posts import choose_posts
from bearometer.alert import Alert, ChartPoint, Evidence, Measure
from bearometer.errors import Transient, Unavailable
from bearometer.mention import WHOLE
from bearometer.post import is_symbol
from storage.evidence import Said

__all__ = ["FindWords", "Stored", "Watching", "gather"]

TOP_POSTS = 5
NAMES = 5
"""Sources, authors, topics and reasons of spam that are kept."""

FindWords = Callable[[str, str], tuple[str, ...]]
"""A text and a symbol to the words for which the text speaks badly of the symbol, the strongest first."""

log = logging.getLogger(__name__)


class Watching(Protocol):
    """Who knows what was to be expected."""

    def chart(self, symbol: str, end: datetime) -> tuple[ChartPoint, ...]:
        """The bars that lead up to `end`, the oldest first."""


class Stored(Protocol):
    """Who knows what was said."""

    def evidence(self, key: str, start: datetime, end: datetime, *, every_label: bool = False) -> Said:
        """What was said of `start` <= published_at < `end`; see `storage.evidence.find_said`."""


def gather(stored: Stored, watching: Watching, alert: Alert, find_words: FindWords | None) -> Evidence:
    """The evidence for the alert's peak: of negative posts, and of a volume's alert of all posts.

    `find_words` is asked of the top post, where there is one. What takes too long is left out: raises Unavailable
    when the store is away, and otherwise gives the chart at least.
    """
    peak = alert.peak
    chart = watching.chart(alert.symbol, peak.end)
    try:
        said = stored.evidence(alert.symbol, peak.start, peak.end, every_label=peak.measure is Measure.VOLUME)
    except Unavailable:
        raise
    except Transient as error:
        log.warning("an alert goes without its posts: %s", error)
        return Evidence(top_posts=(), chart=chart, models=())
    return _evidence(said, alert.symbol, chart, find_words)


def _evidence(said: Said, symbol: str, chart: tuple[ChartPoint, ...], find_words: FindWords | None) -> Evidence:
    terms = find_new_terms([post.text for post in said.firsts], said.past, said.elsewhere, symbol)
    posts = choose_posts(said.firsts, TOP_POSTS, [new.term for new in terms])
    if posts and find_words is not None:
        words = find_words(posts[0].text, symbol if is_symbol(symbol) else WHOLE)
        posts = (replace(posts[0], words=words), *posts[1:])
    return Evidence(
        top_posts=posts,
        chart=chart,
        models=said.models,
        mentions=said.mentions,
        sources=said.sources[:NAMES],
        authors=said.authors[:NAMES],
        topics=said.topics[:NAMES],
        new_terms=terms,
        stories=said.stories,
        spam=said.spam,
        spam_reasons=said.spam_reasons[:NAMES],
    )
