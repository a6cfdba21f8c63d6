"""The evaluator's loop against a real Postgres."""

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import Engine, text

from alerts.rules import RuleSet, default_rules
from alerts.watch import WatchReport, run_watch
from bearometer.alert import Acknowledgement, Alert, AlertState, Severity, Silence
from bearometer.clock import Clock, ManualClock, SystemClock
from bearometer.mention import Scored
from bearometer.progress import Progress
from bearometer.settings import AlertSettings
from storage.alerts import AlertStore
from storage.posts import PostStore
from tests.conditions import WaitUntil
from tests.stored_samples import CALM, scored

START = datetime(2026, 3, 2, tzinfo=UTC)
CRASH = START + timedelta(days=10, hours=14)
END = CRASH + timedelta(days=3)
RULES = AlertSettings(poll_seconds=0.02, false_alerts_per_symbol_year=0.05)
NOTIFIERS = ("console", "slack")
REMARKS = (
    "the plant in the north is closed until further notice",
    "its largest customer has left for a rival",
    "an engineer says the brakes were never tested",
    "profits of the year will be half of what was promised",
    "the head of finance has gone without a word",
    "regulators want to see the books",
    "every second battery came back from the shops",
    "the bond will not be repaid in time",
    "workers walked out this morning over unpaid hours",
    "a recall of all models sold since spring",
    "its bank has cut the credit line",
    "the merger that was to save it is off",
)
RESULT = text("SELECT id, reason, notifier FROM deliveries ORDER BY number")


def history() -> list[Scored]:
    """Ten days of a few complaints, then a crash; in order of time."""
    source = random.Random(3)
    moments = [(START + timedelta(days=13) * source.random(), symbol) for symbol in ("ACME", "BOLT") for _ in range(8)]
    posts = [
        scored(f"{n}", symbols=[symbol], published_at=at, author=f"u{n}", fingerprint=f"f{n}", text=f"remark {n}")
        for n, (at, symbol) in enumerate(moments)
    ]
    posts += [
        scored(
            f"crash{n}",
            published_at=CRASH + n * timedelta(minutes=3),
            author=f"c{n}",
            fingerprint=f"c{n % 12}",
            text=f"ACME warns: {REMARKS[n % 12]}",
        )
        for n in range(16)
    ]
    return sorted(posts, key=lambda s: s.post.published_at)


def save(engine: Engine, posts: Sequence[Scored], all_until: datetime) -> None:
    """Store posts, with event time just past `all_until`: only then is everything of that moment known."""
    PostStore(engine).save(posts, [Progress("posts", 0, 1, all_until + timedelta(seconds=1))])


class Watch:
    """`run_watch` in a thread."""

    def __init__(
        self,
        engine: Engine,
        rules: AlertSettings = RULES,
        clock: Clock | None = None,
        rule_set: RuleSet | None = None,
    ) -> None:
        self.reports: list[WatchReport] = []
        self.stop = threading.Event()
        store, clock = AlertStore(engine), clock or SystemClock()
        self._thread = threading.Thread(
            target=run_watch,
            args=(store, rules, NOTIFIERS, clock, self.stop, self.reports.append),
            kwargs={"rules": rule_set},
        )

    def has_reached(self, moment: datetime) -> bool:
        return any(r.as_of is not None and r.as_of >= moment for r in list(self.reports))

    @contextmanager
    def running(self) -> Iterator["Watch"]:
        self._thread.start()
        try:
            yield self
        finally:
            self.stop.set()
            self._thread.join(20)
            assert not self._thread.is_alive()


def alerts_of(engine: Engine) -> list[Alert]:
    return AlertStore(engine).alerts()


def deliveries_of(engine: Engine) -> list[tuple[str, str, str]]:
    with engine.connect() as connection:
        return [(row.id, row.reason, row.notifier) for row in connection.execute(RESULT)]


def test_a_stored_crash_becomes_one_alert_with_evidence_queued_for_every_notifier(
    engine: Engine, wait_until: WaitUntil
) -> None:
    save(engine, history(), END)
    with Watch(engine).running() as watch:
        wait_until(lambda: watch.has_reached(END))
    [alert] = alerts_of(engine)
    assert alert.symbol == "ACME"
    assert alert.state is AlertState.RESOLVED
    assert CRASH < alert.started_at < CRASH + timedelta(hours=1)
    assert alert.evidence is not None
    assert all("ACME warns" in post.text for post in alert.evidence.top_posts)
    assert len(alert.evidence.top_posts) == 5
    assert alert.evidence.models == ("test-1",)
    assert alert.evidence.chart[-1].negative >= 5
    assert deliveries_of(engine) == [
        (f"{alert.id}:{reason}:{notifier}", reason, notifier)
        for reason in ("firing", "resolved")
        for notifier in NOTIFIERS
    ]
    assert sum(report.fired for report in watch.reports) == sum(report.resolved for report in watch.reports) == 1
    assert all(r.as_of is None or (r.watermark is not None and r.as_of <= r.watermark) for r in watch.reports)


def test_what_people_do_is_applied_while_the_evaluation_runs(engine: Engine, wait_until: WaitUntil) -> None:
    posts = history()
    first = CRASH + timedelta(hours=1)
    save(engine, [s for s in posts if s.post.published_at <= first], first)
    store = AlertStore(engine)
    with Watch(engine).running() as watch:
        wait_until(lambda: watch.has_reached(first))
        [alert] = alerts_of(engine)
        number = store.request(alert.id, "acknowledge", "ann", "I call them")
        wait_until(lambda: alerts_of(engine)[0].state is AlertState.ACKNOWLEDGED)
        save(engine, [s for s in posts if s.post.published_at > first], first + timedelta(hours=2))
        wait_until(lambda: watch.has_reached(first + timedelta(hours=2)))
        store.request(alert.id, "resolve", "bob", "settled")
        wait_until(lambda: alerts_of(engine)[0].state is AlertState.RESOLVED)
        save(engine, [], END)
        wait_until(lambda: watch.has_reached(END))
    [ended] = alerts_of(engine)
    assert isinstance(number, int)
    assert ended.acknowledged == Acknowledgement("ann", first, "I call them")
    assert ended.resolved_at == ended.told_at == first + timedelta(hours=2)
    assert [(reason, notifier) for _, reason, notifier in deliveries_of(engine)] == [
        (reason, notifier) for reason in ("firing", "acknowledged", "resolved") for notifier in NOTIFIERS
    ]


def test_what_is_silenced_is_told_when_the_silence_ends_and_it_still_fires(
    engine: Engine, wait_until: WaitUntil
) -> None:
    save(engine, history(), END)
    until = CRASH + timedelta(hours=3)
    AlertStore(engine).add_silence(Silence("s-1", "AC*", "*", "ann", "known", CRASH, until))
    with Watch(engine).running() as watch:
        wait_until(lambda: watch.has_reached(END))
    [alert] = alerts_of(engine)
    assert alert.fired_at is not None
    assert alert.fired_at < CRASH + timedelta(hours=1)
    with engine.connect() as connection:
        told_at = connection.execute(text("SELECT event_at FROM deliveries WHERE reason = 'firing'")).scalars().all()
    assert told_at == [until, until]
    assert [reason for _, reason, _ in deliveries_of(engine)] == ["firing", "firing", "resolved", "resolved"]


def test_rules_say_who_is_told_and_how_bad_it_is(engine: Engine, wait_until: WaitUntil) -> None:
    save(engine, history(), END)
    [rule] = default_rules(RULES).rules
    rules = RuleSet((replace(rule, name="crash", severity=Severity.CRITICAL, routes=("sl*",)),))
    with Watch(engine, rule_set=rules).running() as watch:
        wait_until(lambda: watch.has_reached(END))
    [alert] = alerts_of(engine)
    assert (alert.rule, alert.severity, alert.id.partition(":")[0]) == ("crash", Severity.CRITICAL, "crash")
    assert [(reason, notifier) for _, reason, notifier in deliveries_of(engine)] == [
        ("firing", "slack"),
        ("resolved", "slack"),
    ]


def test_starting_over_at_every_step_finds_the_same(engine: Engine, wait_until: WaitUntil) -> None:
    steps = [START + timedelta(hours=h) for h in (60, 200, 254.2, 254.4, 255, 260, 278.5, 280, 281)] + [END]
    posts = history()
    before = START - timedelta(seconds=1)
    for step in steps:
        save(engine, [s for s in posts if before < s.post.published_at <= step], step)
        with Watch(engine).running() as watch:
            wait_until(partial(watch.has_reached, step - timedelta(minutes=5)))
        before = step
    alerts, deliveries = alerts_of(engine), deliveries_of(engine)
    assert len(alerts) == 1
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE evaluator, alerts, deliveries CASCADE"))
    with Watch(engine).running() as watch:
        wait_until(lambda: watch.has_reached(END))
    assert alerts_of(engine) == alerts
    assert deliveries_of(engine) == deliveries


def test_a_lost_connection_is_a_restart(engine: Engine, wait_until: WaitUntil) -> None:
    posts = history()
    half = CRASH + timedelta(minutes=20)
    save(engine, [s for s in posts if s.post.published_at <= half], half)
    with Watch(engine).running() as watch:
        wait_until(lambda: watch.has_reached(half - timedelta(minutes=5)))
        with engine.begin() as connection:
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
            )
        save(engine, [s for s in posts if s.post.published_at > half], END)
        wait_until(lambda: watch.has_reached(END))
    assert [alert.state for alert in alerts_of(engine)] == [AlertState.RESOLVED]
    assert len(deliveries_of(engine)) == 4


def test_one_process_evaluates_and_the_next_takes_over(engine: Engine, wait_until: WaitUntil) -> None:
    save(engine, history(), CRASH)
    second = Watch(engine)
    with Watch(engine).running() as first:
        wait_until(lambda: first.has_reached(CRASH))
        with second.running():
            polls = len(first.reports)
            wait_until(lambda: len(first.reports) > polls + 5)
            assert second.reports == []
            first.stop.set()
            save(engine, [], END)
            wait_until(lambda: second.has_reached(END))
    assert len(deliveries_of(engine)) == 4


def test_an_old_spike_is_recorded_and_nobody_is_told(engine: Engine, wait_until: WaitUntil) -> None:
    save(engine, history(), END)
    rules = RULES.model_copy(update={"max_age_hours": 6.0})
    with Watch(engine, rules, ManualClock(END + timedelta(hours=7))).running() as watch:
        wait_until(lambda: watch.has_reached(END))
    assert len(alerts_of(engine)) == 1
    assert deliveries_of(engine) == []


def test_without_posts_nothing_moves(engine: Engine, wait_until: WaitUntil) -> None:
    with Watch(engine).running() as watch:
        wait_until(lambda: len(watch.reports) > 2)
    assert {(r.watermark, r.as_of) for r in watch.reports} == {(None, None)}


def test_event_time_is_committed_although_nothing_negative_was_ever_stored(
    engine: Engine, wait_until: WaitUntil
) -> None:
    calm = [
        scored(f"{day}", sentiment=CALM, published_at=START + timedelta(days=day), fingerprint=f"f{day}")
        for day in range(10)
    ]
    save(engine, calm, END)
    with Watch(engine).running() as watch:
        wait_until(lambda: watch.has_reached(END))
    assert AlertStore(engine).as_of() == END
    save(engine, [], END + timedelta(minutes=63))
    with Watch(engine).running() as restarted:
        wait_until(lambda: restarted.has_reached(END + timedelta(hours=1)))
    assert AlertStore(engine).as_of() == END + timedelta(hours=1)
    assert [sum(report.mentions for report in each.reports) for each in (watch, restarted)] == [10, 10]
    assert alerts_of(engine) == []


def test_posts_of_one_moment_are_counted_together_though_they_are_stored_apart(
    engine: Engine, wait_until: WaitUntil
) -> None:
    # A file that has dates and no times: all of a day's posts are of midnight, which is a tick.
    day = [s for s in history() if s.post.published_at < CRASH]
    midnight = CRASH.replace(hour=0, minute=0) + timedelta(days=1)
    storm = [
        scored(f"storm-{n}", published_at=midnight, fingerprint=f"storm-{n}", author=f"storm-{n}") for n in range(12)
    ]
    PostStore(engine).save([*day, *storm[:6]], [Progress("posts", 0, 1, midnight)])
    with Watch(engine).running() as watch:
        wait_until(lambda: watch.has_reached(midnight - timedelta(hours=1)))
        save(engine, storm[6:], midnight + timedelta(days=2))
        wait_until(lambda: watch.has_reached(midnight + timedelta(days=2)))
    [alert] = AlertStore(engine).alerts(since=midnight)
    assert (alert.started_at, alert.peak.negative) == (midnight + timedelta(minutes=5), 12)
