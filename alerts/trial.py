"""The made-up alert that `bearometer alerts test` sends: it says itself that nothing has happened."""

from datetime import datetime, timedelta

from alerts.message import TEST_RULE
from bearometer.alert import Alert, AlertState, ChartPoint, Delivery, Evidence, NotificationReason, Spike, TopPost

__all__ = ["trial_delivery"]


def trial_delivery(notifier: str, now: datetime) -> Delivery:
    """A delivery to that notifier which looks like a real one; each call's moment gives it its own id."""
    end = now.replace(second=0, microsecond=0)
    counts = [0] * 60 + [0, 1, 0, 0, 2, 1, 3, 5, 2, 1, 0, 0]
    first = end - timedelta(hours=len(counts))
    alert = Alert(
        id=f"{TEST_RULE}:TEST:{now.isoformat()}",
        rule=TEST_RULE,
        symbol="TEST",
        state=AlertState.FIRING,
        started_at=end,
        peak=Spike("TEST", end - timedelta(hours=24), end, negative=15, expected=0.1, p_value=1e-15, authors=14),
        fired_at=end,
        evidence=Evidence(
            top_posts=(
                TopPost(
                    id="test:1",
                    text="This is where the posts stand that speak for an alert. This one was made up for the test.",
                    published_at=end - timedelta(hours=4),
                    negative=0.97,
                    repeats=6,
                    author="bearometer",
                    followers=1234,
                    words=("made up", "test"),
                    accounts=6,
                    places=2,
                ),
            ),
            chart=tuple(
                ChartPoint(first + timedelta(hours=hour), count, 0.1 / 24) for hour, count in enumerate(counts)
            ),
            models=("no model, a test",),
            mentions=24,
            stories=15,
            spam=4,
            spam_reasons=(("promotion", 3), ("many-symbols", 1)),
        ),
    )
    return Delivery(
        id=f"{alert.id}:{NotificationReason.FIRING}:{notifier}",
        alert=alert,
        reason=NotificationReason.FIRING,
        notifier=notifier,
        attempts=0,
        next_attempt_at=now,
    )
