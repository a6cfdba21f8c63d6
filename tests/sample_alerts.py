"""Alerts and deliveries made up for tests, and a delivery queue in memory."""

import dataclasses
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from bearometer.alert import (
    Acknowledgement,
    Alert,
    AlertState,
    ChartPoint,
    Delivery,
    Evidence,
    NewTerm,
    NotificationReason,
    Severity,
    Spike,
    TopPost,
)

START = datetime(2026, 3, 2, 14, 5, tzinfo=UTC)

HOSTILE_TEXTS = (
    "<!channel> <!here|here> <@U123ABC> <#C123|general> @here @channel @everyone",
    "<https://evil.example|click> https://evil.example javascript:alert(1)",
    "```code``` `tick` *bold* _it_ ~no~ > quote\n> quote\n---\n# head",
    "<script>alert(1)</script><img src=x onerror=alert(1)></blockquote></body><!-- & &amp; &lt;!channel&gt;",
    "\x1b[2J\x1b]0;own\x07 \u202eright to left\u202c \ufeff\u200b\x00\x85\u2028\u2029",
    "Subject: x\r\nBcc: everyone@example.com\r\n\r\nbody\r\n.\r\n",
    "\ud800 lone \udfff 🇺🇸👩‍👩‍👧 " + "&" * 4000,
    "$\\frac{1}{0}$ %s {0} {message} \\u0000",
    "</td><script>alert(1)</script></td>\r\nBcc: everyone@example.com",
    "\u202e\u202d\u2066 gnp.exe \u061c\u200f\u2069",
    "😀" * 10_000,
    "\u0301" * 500,
    "Z\u0351\u036b\u0343\u036a\u0302" * 200,
    "'; rm -rf ~; echo '$(id) `id` --help",
    "",
)
hostile_text = st.one_of(
    st.sampled_from(HOSTILE_TEXTS),
    st.text(st.characters(), max_size=700),  # every code point, lone surrogates too
    st.text("<>!@#|&;`*_~\"'=/:ahmpltgr\r\n\0\u202e😀\\.-", max_size=3500),
)


def make_post(text: str = "Harbor Mills warns of a weak quarter & shuts a plant", **changes: Any) -> TopPost:
    post = TopPost(
        id="test:1",
        text=text,
        published_at=START - timedelta(hours=2),
        negative=0.93,
        repeats=12,
        author="grain_watch",
        followers=12_345,
        url="https://example.com/posts/1?a=1&b=2",
    )
    return dataclasses.replace(post, **changes)


def make_alert(symbol: str = "HBRM", posts: tuple[TopPost, ...] | None = None, **changes: Any) -> Alert:
    points = tuple(
        ChartPoint(START - timedelta(hours=72 - hour), 0 if hour < 60 else hour % 4, 0.02) for hour in range(72)
    )
    alert = Alert(
        id=f"negative-spike:{symbol}:{START.isoformat()}",
        rule="negative-spike",
        symbol=symbol,
        state=AlertState.FIRING,
        started_at=START,
        peak=Spike(symbol, START - timedelta(hours=24), START, negative=15, expected=0.1, p_value=1e-15, authors=14),
        fired_at=START,
        evidence=Evidence(posts if posts is not None else (make_post(),), points, ("minilm-l6@1",)),
    )
    return dataclasses.replace(alert, **changes)


def make_full_alert(said: str = "Reddit", **changes: Any) -> Alert:
    """An alert with everything that one can have; `said` stands wherever text from outside does."""
    alert = make_alert()
    assert alert.evidence is not None
    posts = (
        make_post(
            said,
            source=said,
            author=said,
            roles=("first", "most shared"),
            words=(said, "quarter"),
            repeats=36,
            accounts=31,
            places=2,
            since=START - timedelta(hours=30),
        ),
        make_post(said, source=said, roles=("most negative",), repeats=0, accounts=1, places=1),
    )
    evidence = dataclasses.replace(
        alert.evidence,
        top_posts=posts,
        chart=tuple(dataclasses.replace(point, high=1.5) for point in alert.evidence.chart),
        models=(said,),
        mentions=86,
        sources=((said, 56), ("rss", 30)),
        authors=((said, 4), ("ann", 2), ("bob", 1)),
        topics=((said, 50), ("Earnings", 3)),
        new_terms=(NewTerm(said, 12, 0.3),),
        stories=31,
        spam=37,
        spam_reasons=((said, 20), ("same-text", 10), ("many-symbols", 7)),
    )
    full = dataclasses.replace(
        alert,
        peak=dataclasses.replace(alert.peak, posts=40, per_year=1 / 9),
        evidence=evidence,
        severity=Severity.CRITICAL,
        acknowledged=Acknowledgement(said, START + timedelta(minutes=20), said),
        told=alert.peak,
        told_at=START + timedelta(hours=6),
    )
    return dataclasses.replace(full, **changes)


def make_delivery(
    alert: Alert | None = None,
    notifier: str = "slack",
    reason: NotificationReason = NotificationReason.FIRING,
    **changes: Any,
) -> Delivery:
    alert = alert or make_alert()
    delivery = Delivery(f"{alert.id}:{reason}:{notifier}", alert, reason, notifier, 0, START)
    return dataclasses.replace(delivery, **changes)


def make_resolved(alert: Alert | None = None) -> Alert:
    return dataclasses.replace(
        alert or make_alert(), state=AlertState.RESOLVED, resolved_at=START + timedelta(days=2, hours=5)
    )


class MemoryQueue:
    """The delivery part of the alert store: due ones in order, an alert's end never before its beginning."""

    def __init__(self, *deliveries: Delivery) -> None:
        self.waiting: dict[str, Delivery] = {delivery.id: delivery for delivery in deliveries}
        self.sent: dict[str, datetime] = {}
        self.receipts: dict[tuple[str, str], str | None] = {}
        """Of each alert's first message to each notifier."""
        self.given_up: dict[str, str] = {}
        self.errors: list[str] = []
        self.away: list[Exception] = []
        """Raised by the next claims, one each."""
        self._lock = threading.Lock()
        self._claimed: set[str] = set()

    @contextmanager
    def claim_delivery(
        self, now: datetime, notifiers: Collection[str], collecting: Collection[str] = ()
    ) -> Iterator["MemoryClaim | None"]:
        if self.away:
            raise self.away.pop(0)
        with self._lock:
            due = [
                delivery
                for delivery in self.waiting.values()
                if delivery.next_attempt_at <= now
                and delivery.notifier in notifiers
                and delivery.id not in self._claimed
                and not self._too_early(delivery)
                and (delivery.notifier not in collecting or is_urgent(delivery))
            ]
            delivery = min(due, key=lambda each: each.next_attempt_at, default=None)
            if delivery is not None:
                self._claimed.add(delivery.id)
        if delivery is None:
            yield None
            return
        try:
            receipt = self.receipts.get((delivery.alert.id, delivery.notifier))
            yield MemoryClaim(self, dataclasses.replace(delivery, thread=receipt))
        finally:
            with self._lock:
                self._claimed.discard(delivery.id)

    @contextmanager
    def claim_digest(self, notifier: str, now: datetime, after: timedelta) -> Iterator["MemoryDigest | None"]:
        collected = [each for each in self.waiting.values() if each.notifier == notifier and not is_urgent(each)]
        is_time = any(now - after >= START and each.next_attempt_at <= now for each in collected)
        yield MemoryDigest(self, collected) if is_time else None

    def overtaken(self, delivery: Delivery) -> list[str]:
        """What waits and is older news of the same alert and of nothing else; never an end."""
        before = list(self.waiting.values())
        return [
            each.id
            for each in before[: [each.id for each in before].index(delivery.id)]
            if (each.alert.id, each.notifier) == (delivery.alert.id, delivery.notifier)
            and each.reason is not NotificationReason.RESOLVED
            and not each.others
            and not each.dropped
        ]

    def _too_early(self, delivery: Delivery) -> bool:
        return delivery.reason is NotificationReason.RESOLVED and any(
            other.alert.id == delivery.alert.id
            and other.notifier == delivery.notifier
            and other.reason is NotificationReason.FIRING
            for other in self.waiting.values()
        )


def is_urgent(delivery: Delivery) -> bool:
    """Whether it waits for no digest."""
    return delivery.reason is NotificationReason.ESCALATED or delivery.alert.severity is Severity.CRITICAL


class MemoryDigest:
    """Claimed deliveries of a `MemoryQueue`, all queued at START, that are told as one."""

    def __init__(self, queue: MemoryQueue, deliveries: list[Delivery]) -> None:
        self.deliveries = tuple(deliveries)
        self._claims = [MemoryClaim(queue, delivery) for delivery in deliveries]

    def sent(self, at: datetime, receipt: str | None = None) -> None:
        for claim in self._claims:
            claim.sent(at, receipt)

    def failed(self, error: str, next_attempt_at: datetime | None, last: Collection[str] = ()) -> None:
        for claim in self._claims:
            claim.failed(error, None if claim.delivery.id in last else next_attempt_at)


class MemoryClaim:
    """A claimed delivery of a `MemoryQueue`."""

    def __init__(self, queue: MemoryQueue, delivery: Delivery) -> None:
        self._queue = queue
        self.delivery = delivery

    def sent(self, at: datetime, receipt: str | None = None) -> None:
        settled = [self.delivery.id, *(self._queue.overtaken(self.delivery) if is_urgent(self.delivery) else ())]
        for identity in settled:
            del self._queue.waiting[identity]
            self._queue.sent[identity] = at
        self._queue.receipts.setdefault((self.delivery.alert.id, self.delivery.notifier), receipt)

    def failed(self, error: str, next_attempt_at: datetime | None) -> None:
        self._queue.errors.append(error)
        if next_attempt_at is None:
            del self._queue.waiting[self.delivery.id]
            self._queue.given_up[self.delivery.id] = error
        else:
            self._queue.waiting[self.delivery.id] = dataclasses.replace(
                self.delivery, attempts=self.delivery.attempts + 1, next_attempt_at=next_attempt_at
            )
