"""An alert as a row of its table and back, and as JSON and back: what a delivery keeps of it.

What older versions have written is read too: what they did not know takes the default of bearometer/alert.py.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Row, null

from bearometer.alert import (
    Acknowledgement,
    Alert,
    AlertState,
    ChartPoint,
    Evidence,
    Measure,
    NewTerm,
    Severity,
    Spike,
    TopPost,
)

__all__ = ["alert_from_json", "alert_of", "alert_row", "alert_to_json", "evidence_from_json", "evidence_to_json"]


def alert_to_json(alert: Alert) -> dict[str, Any]:
    """The alert with its evidence; `alert_from_json` gives the same alert back."""
    return _dump(alert)


def alert_from_json(fields: Mapping[str, Any]) -> Alert:
    """The alert that `alert_to_json` was given."""
    return Alert(
        id=fields["id"],
        rule=fields["rule"],
        symbol=fields["symbol"],
        state=AlertState(fields["state"]),
        started_at=_time(fields["started_at"]),
        peak=_spike(fields["peak"]),
        fired_at=_optional_time(fields["fired_at"]),
        resolved_at=_optional_time(fields["resolved_at"]),
        quiet_since=_optional_time(fields["quiet_since"]),
        evidence=evidence_from_json(fields["evidence"]),
        severity=Severity(fields.get("severity", Severity.WARNING)),
        acknowledged=_acknowledgement(fields.get("acknowledged")),
        told=_optional_spike(fields.get("told")),
        told_at=_optional_time(fields.get("told_at")),
    )


def evidence_to_json(evidence: Evidence | None) -> dict[str, Any] | None:
    """The evidence; `evidence_from_json` gives the same back."""
    return None if evidence is None else _dump(evidence)


def evidence_from_json(fields: Mapping[str, Any] | None) -> Evidence | None:
    """The evidence that `evidence_to_json` was given."""
    if fields is None:
        return None
    return Evidence(
        top_posts=tuple(_top_post(post) for post in fields["top_posts"]),
        chart=tuple(
            ChartPoint(
                _time(point["at"]), point["negative"], float(point["expected"]), _optional_float(point.get("high"))
            )
            for point in fields["chart"]
        ),
        models=tuple(fields["models"]),
        mentions=fields.get("mentions"),
        sources=_counts(fields.get("sources", ())),
        authors=_counts(fields.get("authors", ())),
        topics=_counts(fields.get("topics", ())),
        new_terms=tuple(
            NewTerm(term["term"], term["seen"], float(term["expected"])) for term in fields.get("new_terms", ())
        ),
        problem=fields.get("problem"),
        stories=fields.get("stories"),
        spam=fields.get("spam", 0),
        spam_reasons=_counts(fields.get("spam_reasons", ())),
    )


def alert_of(row: Row[Any]) -> Alert:
    """The alert in a row of the table."""
    acknowledged = None
    if row.acknowledged_by is not None:
        acknowledged = Acknowledgement(
            row.acknowledged_by, row.acknowledged_at.astimezone(UTC), row.acknowledged_comment or ""
        )
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
            measure=Measure(row.measure),
            posts=row.posts,
            per_year=row.per_year,
        ),
        fired_at=_optional(row.fired_at),
        resolved_at=_optional(row.resolved_at),
        quiet_since=_optional(row.quiet_since),
        evidence=evidence_from_json(row.evidence),
        severity=Severity(row.severity),
        acknowledged=acknowledged,
        told=_optional_spike(row.told),
        told_at=_optional(row.told_at),
    )


def alert_row(alert: Alert) -> dict[str, Any]:
    """The columns of an alert; `alert_of` gives the same alert back."""
    peak, acknowledged = alert.peak, alert.acknowledged
    return {
        "id": alert.id,
        "rule": alert.rule,
        "symbol": alert.symbol,
        "state": str(alert.state),
        "started_at": alert.started_at,
        "fired_at": alert.fired_at,
        "resolved_at": alert.resolved_at,
        "quiet_since": alert.quiet_since,
        "peak_start": peak.start,
        "peak_end": peak.end,
        "negative": peak.negative,
        "expected": peak.expected,
        "p_value": peak.p_value,
        "authors": peak.authors,
        "measure": str(peak.measure),
        "posts": peak.posts,
        "per_year": peak.per_year,
        "evidence": null() if alert.evidence is None else evidence_to_json(alert.evidence),
        "severity": str(alert.severity),
        "acknowledged_by": acknowledged.who if acknowledged else None,
        "acknowledged_at": acknowledged.at if acknowledged else None,
        "acknowledged_comment": acknowledged.comment if acknowledged else None,
        "told": null() if alert.told is None else _dump(alert.told),
        "told_at": alert.told_at,
    }


def _top_post(fields: Mapping[str, Any]) -> TopPost:
    return TopPost(
        **{
            **fields,
            "published_at": _time(fields["published_at"]),
            "negative": float(fields["negative"]),
            "words": tuple(fields.get("words", ())),
            "roles": tuple(fields.get("roles", ())),
            "since": _optional_time(fields.get("since")),
        }
    )


def _spike(fields: Mapping[str, Any]) -> Spike:
    return Spike(
        symbol=fields["symbol"],
        start=_time(fields["start"]),
        end=_time(fields["end"]),
        negative=fields["negative"],
        expected=float(fields["expected"]),
        p_value=float(fields["p_value"]),
        authors=fields["authors"],
        measure=Measure(fields.get("measure", Measure.COUNT)),
        posts=fields.get("posts"),
        per_year=_optional_float(fields.get("per_year")),
    )


def _optional_spike(fields: Mapping[str, Any] | None) -> Spike | None:
    return None if fields is None else _spike(fields)


def _acknowledgement(fields: Mapping[str, Any] | None) -> Acknowledgement | None:
    return None if fields is None else Acknowledgement(fields["who"], _time(fields["at"]), fields["comment"])


def _counts(pairs: Any) -> tuple[tuple[str, int], ...]:
    return tuple((name, count) for name, count in pairs)


def _dump(noun: Alert | Evidence | Spike) -> dict[str, Any]:
    fields: dict[str, Any] = orjson.loads(orjson.dumps(noun))
    return fields


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _optional_time(text: str | None) -> datetime | None:
    return None if text is None else _time(text)


def _optional_float(number: float | None) -> float | None:
    return None if number is None else float(number)


def _optional(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
