"""What is said when no posts come, on every channel."""

import json
from dataclasses import replace
from datetime import timedelta
from email.headerregistry import Address
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.console import DirectoryNotifier
from alerts.discord import render_discord
from alerts.email import compose_mail
from alerts.headline import headline
from alerts.html import render_html
from alerts.message import compose, render_text
from alerts.pagerduty import render_pagerduty
from alerts.slack_blocks import render_slack
from alerts.teams import render_teams
from alerts.telegram import render_telegram
from alerts.webhook import render_webhook
from bearometer.alert import Acknowledgement, Alert, AlertState, Evidence, Measure, NotificationReason, Severity, Spike
from bearometer.clock import ManualClock
from bearometer.commands.alerts_shown import print_alerts
from bearometer.post import EVALUATION
from bearometer.settings import AlertSettings
from tests.sample_alerts import START, hostile_text, make_delivery
from tests.vendor_receivers import ROUTING_KEY, discord_problems, pagerduty_problems, teams_problems, telegram_problems

PLAIN = AlertSettings()
LINKED = AlertSettings(link_base="https://risk.example.com/bearometer")
FIRING, ACKNOWLEDGED, REPEATED, RESOLVED = (
    NotificationReason.FIRING,
    NotificationReason.ACKNOWLEDGED,
    NotificationReason.REPEATED,
    NotificationReason.RESOLVED,
)


def supply_alert(
    measure: Measure = Measure.NO_DATA,
    key: str = "!filings",
    problem: str | None = "HTTP 503 from www.sec.gov",
    *,
    since: timedelta = timedelta(hours=26),
    allowed: float = 86_400,
    **changes: object,
) -> Alert:
    spike = Spike(key, START - since, START, 0, allowed, 0.0, 0, measure=measure, per_year=0.0)
    alert = Alert(
        f"{measure}:{key}:{START.isoformat()}",
        str(measure),
        key,
        AlertState.FIRING,
        START,
        spike,
        fired_at=START,
        told=spike,
        told_at=START,
        evidence=Evidence((), (), (), problem=problem),
    )
    return replace(alert, **changes)  # type: ignore[arg-type]


LAG = supply_alert(
    Measure.LAG,
    EVALUATION,
    "ingest goes on: the stream is behind or stands still",
    since=timedelta(minutes=16),
    allowed=900,
    severity=Severity.CRITICAL,
    told_at=START + timedelta(minutes=6),
)


def test_a_silent_source_is_told_in_whole() -> None:
    assert render_text(compose(make_delivery(supply_alert()), PLAIN)) == (
        "Source filings: no new post for 1 day 2 h; HTTP 503 from www.sec.gov\n"
        "\n"
        "Started:     2026-03-02 14:05 UTC\n"
        "Last post:   2026-03-01 12:05 UTC\n"
        "Too long:    from 24 h on\n"
        "Problem:     HTTP 503 from www.sec.gov\n"
        "Look:        bearometer sources list\n"
        "Pause it:    bearometer sources pause filings\n"
        "Acknowledge: bearometer alerts ack 'no-data:!filings:2026-03-02T14:05:00+00:00'\n"
        "Silence:     bearometer silences add '!filings' --for 4h --reason '…'\n"
        "Rule:        no-data (warning)\n"
        "Alert:       no-data:!filings:2026-03-02T14:05:00+00:00\n"
    )


@pytest.mark.parametrize(
    ("alert", "reason", "said"),
    [
        (
            supply_alert(Measure.FAILING, since=timedelta(hours=1)),
            FIRING,
            "Source filings: has failed for 1 h; HTTP 503 ",
        ),
        (supply_alert(problem=None), FIRING, "Source filings: no new post for 1 day 2 h"),
        (
            LAG,
            FIRING,
            "The evaluation: 22 min behind the clock; ingest goes on: the stream is behind or stands still",
        ),
        (
            supply_alert(told_at=START + timedelta(hours=4)),
            REPEATED,
            "Source filings: still no new post for 1 day 6 h; HTTP 503 from www.sec.gov; nobody has acknowledged it",
        ),
        (
            supply_alert(acknowledged=Acknowledgement("ann", START + timedelta(hours=1))),
            ACKNOWLEDGED,
            "Source filings: acknowledged by ann; no new post for 1 day 3 h",
        ),
        (
            replace(
                LAG,
                state=AlertState.RESOLVED,
                quiet_since=START + timedelta(minutes=14),
                resolved_at=START + timedelta(minutes=19),
            ),
            RESOLVED,
            "The evaluation: over after 19 min; it was: 30 min behind the clock",
        ),
    ],
)
def test_the_headline_says_what_is_missing_for_how_long(alert: Alert, reason: NotificationReason, said: str) -> None:
    assert headline(make_delivery(alert, reason=reason)).startswith(said)


def test_several_that_fail_together_are_one_message_with_a_line_each() -> None:
    alerts = [supply_alert(Measure.FAILING, f"!s{n}", "no route to host", since=timedelta(hours=1)) for n in range(6)]
    message = compose(make_delivery(alerts[0], others=tuple(alerts[1:])), PLAIN)
    assert message.headline.startswith("6 alerts at once, for source s0, source s1, ")
    assert message.others[0] == "source s1: has failed for 1 h; no route to host"


def test_what_is_over_asks_nobody_to_look_or_to_pause() -> None:
    over = supply_alert(state=AlertState.RESOLVED, resolved_at=START + timedelta(hours=1))
    labels = [label for label, _ in compose(make_delivery(over, reason=RESOLVED), PLAIN).facts]
    assert labels == ["Started", "Over at", "Last post", "Too long", "Problem", "Rule", "Alert"]


def test_what_never_worked_says_so() -> None:
    facts = dict(compose(make_delivery(supply_alert(Measure.FAILING, since=timedelta(0))), PLAIN).facts)
    assert facts["Worked until"] == "never so far"


def test_no_channel_shows_odds_or_posts_of_it(tmp_path: Path) -> None:
    alert = supply_alert()
    delivery = make_delivery(alert)
    message = compose(delivery, PLAIN)
    shown = [
        render_text(message),
        render_html(message, None),
        *map(json.dumps, (render_slack(message), render_teams(message), render_discord(message))),
        json.dumps(render_pagerduty(delivery, message)),
        render_telegram(message),
    ]
    for text in shown:
        assert "no new post for 1 day 2 h" in text
        assert not any(word in text for word in ("negative", "Odds", "odds", "Expected", "authors"))
    DirectoryNotifier(tmp_path, PLAIN, ManualClock(START)).send(delivery)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".eml", ".html", ".json", ".txt"]


def test_programs_get_its_measure_and_times() -> None:
    delivery = make_delivery(supply_alert())
    body = render_webhook(delivery, compose(delivery, PLAIN))
    peak = body["data"]["alert"]["peak"]
    assert (peak["measure"], peak["start"], peak["expected"]) == ("no-data", "2026-03-01T12:05:00+00:00", 86_400)
    assert body["data"]["alert"]["symbol"] == "!filings"
    assert {"label": "Problem", "value": "HTTP 503 from www.sec.gov"} in body["data"]["facts"]


def test_it_is_listed_beside_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    print_alerts([supply_alert(), LAG], as_json=False)
    header, lag, silent = capsys.readouterr().out.splitlines()
    assert header.split()[:2] == ["SYMBOL", "STATE"]
    assert "no new post for 1 day 2 h  -         -     no-data:!filings:" in silent
    assert lag.startswith("!         firing")


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)


@settings(deadline=None, max_examples=80)
@given(
    said=hostile_text,
    measure=st.sampled_from([measure for measure in Measure if not measure.is_of_posts]),
    reason=st.sampled_from(NotificationReason),
    alerts=st.sampled_from([PLAIN, LINKED]),
)
def test_hostile_names_and_errors_break_no_channel(
    said: str, measure: Measure, reason: NotificationReason, alerts: AlertSettings
) -> None:
    alert = supply_alert(measure, f"!{said}", said, acknowledged=Acknowledgement(said, START, said), resolved_at=START)
    delivery = make_delivery(alert, reason=reason, others=(alert,) * 30)
    message = compose(delivery, alerts)
    assert len(render_text(message).splitlines()) == len(message.facts) + len(message.others) + 4
    event = {"routing_key": ROUTING_KEY, **render_pagerduty(delivery, message)}
    assert pagerduty_problems(event) == []
    assert teams_problems(render_teams(message)) == []
    assert discord_problems(render_discord(message)) == []
    text = {"text": render_telegram(message), "parse_mode": "HTML", "link_preview_options": {"is_disabled": True}}
    assert telegram_problems(text) == []
    for body in (render_slack(message), render_webhook(delivery, message), event):
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    slack = json.dumps(render_slack(message), ensure_ascii=False)
    assert not any(call in slack for call in ("<!channel", "<!here", "<@U"))
    page = _Tags()
    page.feed(render_html(message, None))
    assert not page.seen & {"script", "img"}
    mail = compose_mail(delivery, message, Address("", "a", "example.com"), Address("", "b", "example.com"), START)
    assert mail["Bcc"] is None
    mail.as_bytes()
