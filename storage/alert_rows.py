"""An alert as a row of its table and back, and as JSON and back: what a delivery keeps of it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Row, null

from bearometer.alert import Alert, AlertState, ChartPoint, Evidence, Spike, TopPost

__all__ = ["alert_from_json", "alert_of", "alert_row", "alert_to_json", "evidence_from_json", "evidence_to_json"]


def alert_to_json(alert: Alert) -> dict[str, Any]:
    """The alert with its evidence; `alert_from_json` gives the same alert back."""
    return _dump(alert)


def alert_from_json(fields: Mapping[str, Any]) -> Alert:
    """The alert that `alert_to_json` was given."""
    peak = fields["peak"]
    return Alert(
        id=fields["id"],
        rule=fields["rule"],
        symbol=fields["symbol"],
        state=AlertState(fields["state"]),
        started_at=_time(fields["started_at"]),
        peak=Spike(
            symbol=peak["symbol"],
            start=_time(peak["start"]),
            end=_time(peak["end"]),
            negative=peak["negative"],
            expected=float(peak["expected"]),
            p_value=float(peak["p_value"]),
            authors=peak["authors"],
        ),
        fired_at=_optional_time(fields["fired_at"]),
        resolved_at=_optional_time(fields["resolved_at"]),
        quiet_since=_optional_time(fields["quiet_since"]),
        evidence=evidence_from_json(fields["evidence"]),
    )


def evidence_to_json(evidence: Evidence | None) -> dict[str, Any] | None:
    """The evidence; `evidence_from_json` gives the same back."""
    return None if evidence is None else _dump(evidence)


def evidence_from_json(fields: Mapping[str, Any] | None) -> Evidence | None:
    """The evidence that `evidence_to_json` was given."""
    if fields is None:
        return None
    return Evidence(
        top_posts=tuple(
            TopPost(
                **{
                    **post,
                    "published_at": _time(post["published_at"]),
                    "negative": float(post["negative"]),
                    "words": tuple(post.get("words", ())),  # the evidence of older versions has none
                }
            )
            for post in fields["top_posts"]
        ),
        chart=tuple(
            ChartPoint(_time(point["at"]), point["negative"], float(point["expected"])) for point in fields["chart"]
        ),
        models=tuple(fields["models"]),
    )


def alert_of(row: Row[Any]) -> Alert:
    """The alert in a row of the table."""
    return Alert(
        id=row.id,
        rule=row.rule,
        symbol=row.symbol,
        state=AlertState(row.state),
        started_at=row.started_at.astimezone(UTC),
        peak=Spike(
            symbol=row.symbol,
            start=row.peak_start.astimezone(UTC),
            end=row.peak_end.astimezone(UTC),
            negative=row.negative,
            expected=row.expected,
            p_value=row.p_value,
            authors=row.authors,
        ),
        fired_at=_optional(row.fired_at),
        resolved_at=_optional(row.resolved_at),
        quiet_since=_optional(row.quiet_since),
        evidence=evidence_from_json(row.evidence),
    )


def alert_row(alert: Alert) -> dict[str, Any]:
    """The columns of an alert; `alert_of` gives the same alert back."""
    return {
        "id": alert.id,
        "rule": alert.rule,
        "symbol": alert.symbol,
        "state": str(alert.state),
        "started_at": alert.started_at,
        "fired_at": alert.fired_at,
        "resolved_at": alert.resolved_at,
        "quiet_since": alert.quiet_since,
        "peak_start": alert.peak.start,
        "peak_end": alert.peak.end,
        "negative": alert.peak.negative,
        "expected": alert.peak.expected,
        "p_value": alert.peak.p_value,
        "authors": alert.peak.authors,
        "evidence": null() if alert.evidence is None else evidence_to_json(alert.evidence),
    }


def _dump(noun: Alert | Evidence) -> dict[str, Any]:
    fields: dict[str, Any] = orjson.loads(orjson.dumps(noun))
    return fields


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _optional_time(text: str | None) -> datetime | None:
    return None if text is None else _time(text)


def _optional(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
