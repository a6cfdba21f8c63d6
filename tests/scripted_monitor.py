"""A monitor that sees what is written for it: the life cycle without the detector."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from alerts.lifecycle import follow
from alerts.monitor import Advance, Notice
from alerts.rules import Rule
from alerts.spike import Look
from bearometer.alert import Alert, AlertState, Evidence, Spike
from bearometer.mention import SeenMention

__all__ = ["KINDS", "START", "STEP", "Script", "ScriptedMonitor"]

START = datetime(2026, 3, 2, 20, tzinfo=UTC)
STEP = timedelta(minutes=5)
QUIET = "quiet"
KINDS = {"over": 0.04, "worse": 0.04e-3, "worst": 0.04e-6, "between": 3.0, QUIET: 100.0}
"""What can be seen, and how often a year it would be by chance."""

Script = dict[str, list[tuple[datetime, str]]]
"""For each symbol what is seen from when on; quiet until then."""


@dataclass
class ScriptedMonitor:
    """Each symbol follows one rule. It goes on from `as_of` when it has one, and else begins at START."""

    script: Script
    rules: Mapping[str, Rule]
    as_of: datetime | None = None
    latest: dict[str, Alert] = field(default_factory=dict)

    def add(self, mentions: Iterable[SeenMention]) -> None:
        assert not list(mentions)

    def open_alerts(self) -> list[Alert]:
        alerts = [alert for alert in self.latest.values() if alert.state is not AlertState.RESOLVED]
        return sorted(alerts, key=lambda alert: (alert.started_at, alert.id))

    def put(self, alert: Alert) -> None:
        self.latest[alert.symbol] = alert

    def attach(self, alert: Alert, evidence: Evidence) -> None:
        self.put(replace(self.latest[alert.symbol], evidence=evidence))

    def advance(self, until: datetime, looks: int | None = None) -> Advance:
        """One tick, whatever `looks` says beyond 0."""
        if self.as_of is None:
            self.as_of = START
        if looks == 0 or self.as_of + STEP > until:
            return Advance()
        self.as_of += STEP
        changed, notices = [], []
        for symbol, rule in self.rules.items():
            before = self.latest.get(symbol)
            after, reason = follow(before, self._look(symbol, self.as_of), rule)
            if after is not None and after is not before:
                self.latest[symbol] = after
                changed.append(after)
                notices += [Notice(after, reason)] if reason else []
        return Advance(tuple(changed), tuple(notices))

    def _look(self, symbol: str, at: datetime) -> Look:
        kind = [QUIET, *(kind for since, kind in self.script.get(symbol, ()) if since <= at)][-1]
        spike = Spike(symbol, at - timedelta(hours=1), at, 9, 0.1, 0.5, 9, per_year=KINDS[kind])
        return Look(spike, over=kind not in ("between", QUIET), quiet=kind == QUIET)
