"""A spike of negative sentiment, and the alert that lives from it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

__all__ = [
    "Acknowledgement",
    "Alert",
    "AlertState",
    "ChartPoint",
    "Delivery",
    "Evidence",
    "Measure",
    "NewTerm",
    "NotificationReason",
    "Severity",
    "Silence",
    "Spike",
    "TopPost",
]


class Measure(StrEnum):
    """What is unusual."""

    COUNT = "count"
    """Many speak badly: distinct negative mentions."""
    SHARE = "share"
    """Those who speak, speak worse: the negative part of all distinct mentions."""
    VOLUME = "volume"
    """Many speak, whatever they say: all distinct mentions."""
    NO_DATA = "no-data"
    """A source gives no new post."""
    FAILING = "failing"
    """A source does not work, or not all of it."""
    LAG = "lag"
    """What is evaluated is old."""

    @property
    def is_of_posts(self) -> bool:
        """Whether posts are counted; otherwise it is their supply that fails, in wall-clock time."""
        return self not in (Measure.NO_DATA, Measure.FAILING, Measure.LAG)


class Severity(StrEnum):
    """How much an alert matters, as its rule says."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Spike:
    """What was seen of one symbol in one window, what was expected, and how unlikely that is.

    Where the supply of posts fails, the window is the time in which nothing came: from the last post or answer, or from
    what is evaluated, up to when that was too long; empty where nothing ever came. `expected` is then the longest time
    in seconds that the rule lets pass, and all other numbers are 0.
    """

    symbol: str
    start: datetime
    end: datetime
    negative: int
    """Distinct negative mentions: a story that many tell, and an author's second post, count once."""
    expected: float
    """How many the symbol's own past made us expect in a window of this length."""
    p_value: float
    """Probability of at least `negative` mentions under that past."""
    authors: int
    """Distinct authors among the negative mentions."""
    measure: Measure = Measure.COUNT
    posts: int | None = None
    """All distinct mentions in the window, whatever their label; None where they were not counted."""
    per_year: float | None = None
    """How many bursts at least as strange the symbol's past would bring in a year by chance; None where not known."""


class AlertState(StrEnum):
    """Where an alert is in its life."""

    PENDING = "pending"
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    """Somebody has taken it on: nothing more is said until it gets much worse or is over."""
    RESOLVED = "resolved"


class NotificationReason(StrEnum):
    """Why people were told."""

    FIRING = "firing"
    ESCALATED = "escalated"
    """It got much worse than when people were last told."""
    REPEATED = "repeated"
    """It has been firing for long and nobody has acknowledged it."""
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class TopPost:
    """One of the posts that speak for an alert: the first of the window that tells its story."""

    id: str
    text: str
    published_at: datetime
    negative: float
    """Probability that it speaks badly of the symbol."""
    repeats: int
    """How many further posts in the window tell the same story."""
    author: str | None = None
    followers: int | None = None
    url: str | None = None
    words: tuple[str, ...] = ()
    """What made the model call it negative, the strongest first; empty where nobody asked, or had no time to."""
    source: str | None = None
    roles: tuple[str, ...] = ()
    """Why it is shown: `first`, `most shared`, `most negative`; empty where that was not asked."""
    accounts: int | None = None
    """Distinct authors of all these posts, this one counted; None in the evidence of older versions, as the next."""
    places: int | None = None
    """Distinct sources of all these posts."""
    since: datetime | None = None
    """When the story was told before the window, as far as is known; None where it began within it."""


@dataclass(frozen=True, slots=True)
class NewTerm:
    """A word that stands out in the window against what is usually said of the symbol."""

    term: str
    seen: int
    """Distinct stories of the window that have it."""
    expected: float
    """How many would, at the rate of the weeks before."""


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """One bar of the chart: negative mentions in the interval that starts at `at`, and what was expected."""

    at: datetime
    negative: int
    expected: float
    high: float | None = None
    """What is exceeded once in a hundred such intervals by chance; None where not known."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an alert shows to be believed."""

    top_posts: tuple[TopPost, ...]
    chart: tuple[ChartPoint, ...]
    models: tuple[str, ...]
    """Versions of the models that scored the posts in the window."""
    mentions: int | None = None
    """Negative mentions in the window, repeats counted; None in the evidence of older versions."""
    sources: tuple[tuple[str, int], ...] = ()
    """Sources and their negative mentions, the most first."""
    authors: tuple[tuple[str, int], ...] = ()
    """Authors and their negative mentions, the most first; only the first few."""
    topics: tuple[tuple[str, int], ...] = ()
    """Topics and their negative mentions, the most first."""
    new_terms: tuple[NewTerm, ...] = ()
    problem: str | None = None
    """What is wrong with the supply of posts, as far as is known: a source's last error, or what stands still."""
    stories: int | None = None
    """Distinct stories among `mentions`; None in the evidence of older versions."""
    spam: int = 0
    """Further posts in the window that were left out as spam."""
    spam_reasons: tuple[tuple[str, int], ...] = ()
    """Why, by the code of each one's first reason, the most first; only the first few."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Who has taken an alert on."""

    who: str
    at: datetime
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """A spike's life. All times are event times, so that a replay tells the same story as the live feed.

    Where the supply of posts fails, event time stops too: the times of such an alert are the clock's.
    """

    id: str
    """Follows from rule, symbol and `started_at`: finding the same spike again is the same alert."""
    rule: str
    symbol: str
    state: AlertState
    started_at: datetime
    """End of the first window that passed the threshold."""
    peak: Spike
    """The least likely spike so far."""
    fired_at: datetime | None = None
    resolved_at: datetime | None = None
    quiet_since: datetime | None = None
    """Since when the spike has been under the clearing level; None while it is not."""
    evidence: Evidence | None = None
    severity: Severity = Severity.WARNING
    acknowledged: Acknowledgement | None = None
    told: Spike | None = None
    """The peak as it was when people were last told of it; it escalates against that."""
    told_at: datetime | None = None
    """When they were last told; None before the first time."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one receiver about one alert, kept until it was taken or given up."""

    id: str
    """Follows from alert, reason and notifier: queueing it twice changes nothing."""
    alert: Alert
    reason: NotificationReason
    notifier: str
    attempts: int
    next_attempt_at: datetime
    others: tuple[Alert, ...] = ()
    """Further alerts that the same message tells of: a market-wide shock is one message."""
    dropped: int = 0
    """Messages that the receiver's rate cap has kept back before this one."""
    thread: str | None = None
    """What the notifier gave back for the first message about this alert, to answer in its thread or change it."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing is said of what it matches while it lasts; the alerts live on unsaid."""

    id: str
    symbol: str
    """A shell-style pattern (`*` for all)."""
    rule: str
    """A shell-style pattern."""
    author: str
    reason: str
    starts_at: datetime
    ends_at: datetime
