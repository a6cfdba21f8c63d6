"""A spike of negative sentiment, and the alert that lives from it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

__all__ = [
    "Alert",
    "AlertState",
    "ChartPoint",
    "Delivery",
    "Evidence",
    "NotificationReason",
    "Spike",
    "TopPost",
]


@dataclass(frozen=True, slots=True)
class Spike:
    """What was seen of one symbol in one window, what was expected, and how unlikely that is."""

    symbol: str
    start: datetime
    end: datetime
    negative: int
    """Distinct negative mentions: a repeated text, and an author's second post, count once."""
    expected: float
    """How many the symbol's own past made us expect in a window of this length."""
    p_value: float
    """Probability of at least `negative` mentions under that past."""
    authors: int
    """Distinct authors among the negative mentions."""


class AlertState(StrEnum):
    """Where an alert is in its life."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class NotificationReason(StrEnum):
    """Why people were told."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class TopPost:
    """One of the distinct posts that speak for an alert."""

    id: str
    text: str
    published_at: datetime
    negative: float
    """Probability that it speaks badly of the symbol."""
    repeats: int
    """How many further posts in the window say the same."""
    author: str | None = None
    followers: int | None = None
    url: str | None = None
    words: tuple[str, ...] = ()
    """What made the model call it negative, the strongest first; empty where nobody asked, or had no time to."""


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """One bar of the chart: negative mentions in the interval that starts at `at`, and what was expected."""

    at: datetime
    negative: int
    expected: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an alert shows to be believed."""

    top_posts: tuple[TopPost, ...]
    chart: tuple[ChartPoint, ...]
    models: tuple[str, ...]
    """Versions of the models that scored the posts in the window."""


@dataclass(frozen=True, slots=True)
class Alert:
    """A spike's life. All times are event times, so that a replay tells the same story as the live feed."""

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
