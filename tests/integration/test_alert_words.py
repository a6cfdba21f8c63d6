"""The words that made the top post negative, from the evaluator into the stored evidence and the messages."""

import threading
from datetime import timedelta

from sqlalchemy import Engine, text

from alerts.watch import WatchReport, run_watch
from bearometer.clock import SystemClock
from storage.alert_rows import alert_from_json
from storage.alerts import AlertStore
from tests.conditions import WaitUntil
from tests.integration.test_watch import CRASH, END, RULES, history, save
from tests.stored_samples import scored

PAYLOADS = text("SELECT payload FROM deliveries ORDER BY number")


def test_the_top_post_of_an_alert_keeps_its_words_in_the_store_and_in_each_message(
    engine: Engine, wait_until: WaitUntil
) -> None:
    asked: list[tuple[str, str]] = []

    def find_words(post: str, symbol: str) -> tuple[str, ...]:
        asked.append((post, symbol))
        return ("warns", "part")

    save(engine, history(), END)
    reports: list[WatchReport] = []
    stop = threading.Event()
    store = AlertStore(engine)
    watch = threading.Thread(
        target=run_watch,
        args=(store, RULES, ("console",), SystemClock(), stop, reports.append),
        kwargs={"find_words": find_words},
    )
    watch.start()
    try:
        wait_until(lambda: any(report.as_of is not None and report.as_of >= END for report in list(reports)))
    finally:
        stop.set()
        watch.join(20)
    [alert] = store.alerts()
    assert alert.evidence is not None
    top, *others = alert.evidence.top_posts
    assert top.words == ("warns", "part")
    assert {post.words for post in others} == {()}
    assert asked == [(top.text, "ACME")]
    with engine.connect() as connection:
        told = [alert_from_json(payload) for payload in connection.execute(PAYLOADS).scalars()]
    assert [each.evidence == alert.evidence for each in told] == [True, True]


def test_alerts_of_one_step_share_the_time_for_words(engine: Engine, wait_until: WaitUntil) -> None:
    asked: list[str] = []

    class SlowClock(SystemClock):
        """On which every question takes as long as it may."""

        ahead = 0.0

        def monotonic(self) -> float:
            return super().monotonic() + self.ahead

    slow = SlowClock()

    def find_words(post: str, symbol: str) -> tuple[str, ...]:
        asked.append(symbol)
        slow.ahead += RULES.explain_seconds
        return ("warns",)

    crash = [
        scored(
            f"beta{n}",
            symbols=["BETA"],
            published_at=CRASH + n * timedelta(minutes=3),
            author=f"b{n}",
            fingerprint=f"b{n}",
            text=f"BETA warns, part {n}",
        )
        for n in range(16)
    ]
    save(engine, sorted([*history(), *crash], key=lambda each: each.post.published_at), END)
    reports: list[WatchReport] = []
    stop = threading.Event()
    store = AlertStore(engine)
    watch = threading.Thread(
        target=run_watch,
        args=(store, RULES, ("console",), slow, stop, reports.append),
        kwargs={"find_words": find_words},
    )
    watch.start()
    try:
        wait_until(lambda: any(report.as_of is not None and report.as_of >= END for report in list(reports)))
    finally:
        stop.set()
        watch.join(20)
    assert {alert.symbol for alert in store.alerts()} == {"ACME", "BETA"}
    assert len(asked) == 1
