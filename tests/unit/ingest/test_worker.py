"""The loop of ingest, against a publisher in memory."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from bearometer.clock import ManualClock
from bearometer.errors import Reason, Unavailable
from bearometer.settings import IngestSettings
from ingest.source import RawPost, Unreadable
from ingest.worker import HEARTBEAT_POSTS, IngestReport, run_ingest
from tests.unit.ingest.fakes import ListSource, MemoryPublisher

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SETTINGS = IngestSettings()


def post(number: int, **fields: object) -> RawPost:
    known: dict[str, object] = {
        "text": f"Acme falls {number}",
        "published_at": START + timedelta(seconds=number),
        "position": f"line {number}",
        "native_id": str(number),
        "language": "en",
    }
    return RawPost(**{**known, **fields})  # type: ignore[arg-type]


def clock() -> ManualClock:
    return ManualClock(START + timedelta(days=1))


def test_every_post_is_published_once_and_acknowledged() -> None:
    publisher = MemoryPublisher()
    report = run_ingest(ListSource([post(1), post(2), None, post(3)]), publisher, SETTINGS, clock())
    assert [each.id for each in publisher.posts] == ["list:1", "list:2", "list:3"]
    assert (report.read, report.published, report.rejected) == (3, 3, 0)
    assert (report.first_published_at, report.last_published_at) == (post(1).published_at, post(3).published_at)
    assert publisher.flushed == 1


@pytest.mark.parametrize("live", [True, False])
def test_a_post_of_the_past_is_known_when_it_was_written_and_one_of_the_present_when_it_came(live: bool) -> None:
    publisher, time = MemoryPublisher(), clock()
    ahead = post(2, published_at=time.now() + timedelta(minutes=5))
    run_ingest(ListSource([post(1), ahead], live=live), publisher, SETTINGS, time)
    known = [each.ingested_at for each in publisher.posts]
    assert known == [time.now() if live else post(1).published_at, time.now()]


def test_what_cannot_be_used_is_counted_and_reported_with_its_place() -> None:
    rejected: list[Unreadable] = []
    items: list[RawPost | Unreadable | None] = [
        post(1),
        post(2, text="http://t.co/a"),
        Unreadable("line 3", Reason.UNDECODABLE, "not JSON"),
        post(4),
    ]
    publisher = MemoryPublisher()
    report = run_ingest(ListSource(items), publisher, SETTINGS, clock(), on_rejected=rejected.append)
    assert [(each.position, each.reason) for each in rejected] == [
        ("line 2", Reason.NO_TEXT),
        ("line 3", Reason.UNDECODABLE),
    ]
    assert (report.read, report.published, report.rejected) == (4, 2, 2)
    assert report.reasons == {Reason.NO_TEXT: 1, Reason.UNDECODABLE: 1}


def test_a_flood_of_rejects_does_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    report = run_ingest(ListSource([post(n, text="\x1b") for n in range(1000)]), MemoryPublisher(), SETTINGS, clock())
    assert report.rejected == 1000
    assert len(caplog.records) == 21
    assert "line 0" in caplog.text


def test_posts_out_of_order_are_counted() -> None:
    report = run_ingest(ListSource([post(5), post(1), post(6), post(2)]), MemoryPublisher(), SETTINGS, clock())
    assert report.out_of_order == 2
    assert report.first_published_at == post(1).published_at
    assert report.last_published_at == post(6).published_at


def test_a_post_from_the_future_is_no_newer_than_when_it_was_taken_in() -> None:
    ahead = post(1, published_at=clock().now() + timedelta(hours=20))
    report = run_ingest(ListSource([ahead, post(2)], live=True), MemoryPublisher(), SETTINGS, clock())
    assert (report.newest_at, report.last_published_at) == (clock().now(), ahead.published_at)


def test_the_end_of_a_replay_is_followed_by_a_last_heartbeat() -> None:
    publisher = MemoryPublisher()
    source = ListSource([post(1), post(2)])
    run_ingest(source, publisher, SETTINGS, clock(), last_heartbeat=lambda last: last + timedelta(hours=48))
    assert publisher.beats == [START + timedelta(seconds=2, hours=48)]
    assert publisher.sent[-1] is not publisher.posts[-1]


def test_a_replay_without_posts_sends_no_heartbeat() -> None:
    publisher = MemoryPublisher()
    run_ingest(ListSource([None]), publisher, SETTINGS, clock(), last_heartbeat=lambda last: last + timedelta(hours=1))
    assert publisher.sent == []


def test_a_replay_at_full_speed_sends_heartbeats_by_its_posts() -> None:
    publisher = MemoryPublisher()
    run_ingest(ListSource([post(n) for n in range(2 * HEARTBEAT_POSTS + 1)]), publisher, SETTINGS, clock())
    assert publisher.beats == [post(HEARTBEAT_POSTS - 1).published_at, post(2 * HEARTBEAT_POSTS - 1).published_at]


class TickingSource:
    """Has nothing for ever while its clock goes on."""

    name = "ticking"

    def __init__(self, clock: ManualClock, stop: threading.Event, seconds: int, *, live: bool) -> None:
        self.live = live
        self._clock, self._stop, self._seconds = clock, stop, seconds

    def read(self) -> Iterator[RawPost | Unreadable | None]:
        yield post(1)
        for _ in range(self._seconds):
            self._clock.sleep(1)
            yield None
        self._stop.set()
        while True:
            yield None


@pytest.mark.parametrize("live", [True, False])
def test_heartbeats_tell_the_present_of_a_live_source_and_the_newest_post_of_a_replay(live: bool) -> None:
    time, stop, publisher = clock(), threading.Event(), MemoryPublisher()
    began = time.now()
    run_ingest(TickingSource(time, stop, 25, live=live), publisher, SETTINGS, time, stop=stop)
    ten = timedelta(seconds=SETTINGS.heartbeat_seconds)
    assert publisher.beats == ([began + ten, began + 2 * ten] if live else [post(1).published_at] * 2)


def test_a_broker_that_is_away_loses_nothing_and_changes_no_order() -> None:
    publisher = MemoryPublisher(away=7)
    report = run_ingest(ListSource([post(1), post(2)]), publisher, SETTINGS, clock())
    assert [each.id for each in publisher.posts] == ["list:1", "list:2"]
    assert report.published == 2
    assert publisher.restored == 7


def test_waits_for_the_broker_grow() -> None:
    time, publisher = clock(), MemoryPublisher(away=6)
    began = time.monotonic()
    run_ingest(ListSource([post(1)]), publisher, SETTINGS, time)
    assert 0.8 * 31.5 <= time.monotonic() - began <= 1.2 * 31.5


def test_a_stop_while_the_broker_is_away_says_what_may_not_have_arrived() -> None:
    stop, publisher = threading.Event(), MemoryPublisher(away=1_000)
    publisher.on_refusal = stop.set
    with pytest.raises(Unavailable):
        run_ingest(ListSource([post(1)]), publisher, SETTINGS, clock(), stop=stop)


def test_a_stop_before_the_end_asks_an_absent_broker_once_and_gives_up() -> None:
    stop, publisher = threading.Event(), MemoryPublisher()

    def leave() -> None:
        publisher.away = 1_000
        stop.set()

    publisher.on_publish = leave
    with pytest.raises(Unavailable):
        run_ingest(ListSource([post(1), post(2)]), publisher, SETTINGS, clock(), stop=stop)
    assert publisher.away == 999


def test_a_stop_ends_a_live_source_with_all_acknowledged() -> None:
    time, stop, publisher = clock(), threading.Event(), MemoryPublisher()
    run_ingest(
        TickingSource(time, stop, 3, live=True),
        publisher,
        SETTINGS,
        time,
        stop=stop,
        last_heartbeat=lambda last: last + timedelta(hours=1),
    )
    assert publisher.flushed == 1
    assert publisher.beats == []


def test_progress_is_the_report_that_is_being_written() -> None:
    seen: list[int] = []

    def note(report: IngestReport) -> None:
        seen.append(report.read)

    run_ingest(ListSource([post(n) for n in range(250)]), MemoryPublisher(), SETTINGS, clock(), note)
    assert seen == [100, 200, 250]


def test_what_is_acknowledged_is_told_between_two_items_and_covers_the_last_one() -> None:
    publisher = MemoryPublisher()
    told: list[tuple[int, int]] = []

    def acknowledged(report: IngestReport) -> None:
        told.append((report.published, publisher.flushed))

    source = ListSource([post(1), post(2), None, None, post(3)])
    run_ingest(source, publisher, SETTINGS, clock(), on_acknowledged=acknowledged)
    assert told == [(2, 1), (3, 2)]


def test_a_source_without_a_pause_is_acknowledged_every_two_seconds() -> None:
    time, publisher = clock(), MemoryPublisher()
    publisher.on_publish = lambda: time.sleep(0.5)
    told: list[int] = []
    run_ingest(
        ListSource([post(n) for n in range(10)]),
        publisher,
        SETTINGS,
        time,
        on_acknowledged=lambda report: told.append(report.published),
    )
    assert told == [4, 8, 10]


def test_nothing_is_acknowledged_of_a_post_that_was_given_up() -> None:
    stop, publisher = threading.Event(), MemoryPublisher()
    told: list[int] = []

    publisher.on_refusal = stop.set
    publisher.away = 1
    report = run_ingest(
        ListSource([post(1), post(2)]),
        publisher,
        SETTINGS,
        clock(),
        stop=stop,
        on_acknowledged=lambda report: told.append(report.published),
    )
    assert (report.published, told) == (0, [])
