"""Alerts and messages of our own making, for the tests of the store."""

from dataclasses import replace
from datetime import datetime, timedelta

from bearometer.alert import (
    Acknowledgement,
    Alert,
    AlertState,
    ChartPoint,
    Delivery,
    Evidence,
    Measure,
    NewTerm,
    NotificationReason,
    Severity,
    Spike,
    TopPost,
)
from tests.stored_samples import NOON

HOUR = timedelta(hours=1)

YEAR = timedelta(days=365)

EVERYBODY = ("slack", "email")


def alert(id_: str = "a1", state: AlertState = AlertState.FIRING, started_at: datetime = NOON) -> Alert:
    return Alert(
        id=id_,
        rule="negative-24h",
        symbol="ACME",
        state=state,
        started_at=started_at,
        peak=Spike("ACME", NOON - HOUR, NOON, 15, 0.1, 1e-320, 12),
        fired_at=started_at,
        resolved_at=started_at + HOUR if state is AlertState.RESOLVED else None,
        quiet_since=None,
        evidence=Evidence(
            top_posts=(TopPost("test:1", "It <b>fell</b> 日本", NOON, 1.0, 2, None, None, "https://example.org"),),
            chart=(ChartPoint(NOON, 15, 0.0), ChartPoint(NOON + HOUR, 0, 1 / 3)),
            models=("m1", "m2"),
        ),
    )


def rich_alert() -> Alert:
    """An alert with everything that one can have."""
    peak = Spike("ACME", NOON - HOUR, NOON, 15, 0.1, 1e-9, 12, Measure.SHARE, 20, 1 / 9)
    evidence = Evidence(
        top_posts=(
            TopPost("test:1", "It fell", NOON, 1.0, 2, words=("fell",), source="wire", roles=("first",)),
            TopPost("test:2", "It rose", NOON, 0.5, 2, accounts=3, places=2, since=NOON - HOUR),
        ),
        chart=(ChartPoint(NOON, 15, 0.0, 2.5),),
        models=("m1",),
        mentions=33,
        sources=(("wire", 30), ("\u2028", 3)),
        authors=(("ann", 9),),
        topics=(("Earnings", 12),),
        new_terms=(NewTerm("recall", 8, 0.25),),
        stories=21,
        spam=4,
        spam_reasons=(("promotion", 3), ("rate", 1)),
    )
    return replace(
        alert("rich", AlertState.ACKNOWLEDGED),
        peak=peak,
        evidence=evidence,
        severity=Severity.CRITICAL,
        acknowledged=Acknowledgement("ann", NOON + HOUR, "calling them"),
        told=replace(peak, negative=9),
        told_at=NOON,
    )


def delivery(
    of: Alert, notifier: str = "slack", reason: NotificationReason = NotificationReason.FIRING, at: datetime = NOON
) -> Delivery:
    return Delivery(f"{of.id}:{reason}:{notifier}", of, reason, notifier, 0, at)
