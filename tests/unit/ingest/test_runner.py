"""Sources side by side, against publishers and a store in memory."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from bearometer.clock import SystemClock
from bearometer.errors import Failed, Unavailable
from bearometer.progress import Progress
from bearometer.settings import IngestSettings
from bearometer.source_progress import SourceProgress
from ingest.ledger import Ledger
from ingest.runner import Job, Outcome, _Worker, run_jobs
from ingest.source import RawPost, Source, Unreadable
from tests.conditions import wait_until
from tests.unit.ingest.fakes import ListSource, MemoryPublisher

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SETTINGS = IngestSettings()


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.runner.FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr("ingest.runner.MAX_WAIT_SECONDS", 0.05)
    monkeypatch.setattr("ingest.runner._SLICE_SECONDS", 0.01)
    monkeypatch.setattr("ingest.ledger.NOTE_SECONDS", 0.02)
    monkeypatch.setattr("ingest.ledger.AWAY_SECONDS", 0.02)


def post(number: int) -> RawPost:
    return RawPost(f"Acme falls {number}", START + timedelta(seconds=number), f"item {number}", str(number))


class Counting:
    """Gives posts 1, 2, 3, … and its place; fails behind each number of `failing`, once."""

    live = True

    def __init__(self, name: str, upto: int, failing: dict[int, Exception]) -> None:
        self.name = name
        self.last_error: str | None = None
        self.told: list[str | None] = []
        self._upto = upto
        self._failing = failing
        self._at = 0

    @property
    def cursor(self) -> str | None:
        return json.dumps(self._at) if self._at else None

    def resume(self, cursor: str | None) -> None:
        self._at = json.loads(cursor) if cursor else 0

    def acknowledged(self, cursor: str | None) -> None:
        self.told.append(cursor)

    def read(self) -> Iterator[RawPost | Unreadable | None]:
        while self._at < self._upto:
            self._at += 1
            yield post(self._at)
            if self._at in self._failing:
                raise self._failing.pop(self._at)
        yield None


class Endless(Counting):
    """Gives one post after another, with a breath between them."""

    def __init__(self, name: str) -> None:
        super().__init__(name, 0, {})

    def read(self) -> Iterator[RawPost | Unreadable | None]:
        while True:
            self._at += 1
            yield post(self._at)
            threading.Event().wait(0.005)
            yield None


class MemoryStore:
    """As SourceStore, in a dictionary; away when told so."""

    def __init__(self) -> None:
        self.rows: dict[str, SourceProgress] = {}
        self.is_paused: frozenset[str] = frozenset()
        self.is_away = False

    def cursor(self, name: str) -> str | None:
        self._answer()
        return self.rows[name].cursor if name in self.rows else None

    def paused(self) -> frozenset[str]:
        self._answer()
        return self.is_paused

    def note(self, progress: list[SourceProgress]) -> None:
        self._answer()
        for each in progress:
            before = self.rows.get(each.name)
            self.rows[each.name] = before.followed_by(each) if before else each

    def _answer(self) -> None:
        if self.is_away:
            message = "Postgres does not answer"
            raise Unavailable(message)


class Bench:
    """Runs jobs in a thread, each with a publisher of its own that is kept."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.stop = threading.Event()
        self.publishers: list[MemoryPublisher] = []
        self.make_publisher: Callable[[], MemoryPublisher] = MemoryPublisher
        self.stored: Callable[[], list[Progress]] | None = None
        self.outcomes: dict[str, Outcome] = {}
        self.error: Exception | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self, *jobs: Job, once: bool = False) -> None:
        self._thread = threading.Thread(target=self._run, args=(jobs, once), daemon=True)
        self._thread.start()

    def finish(self) -> dict[str, Outcome]:
        assert self._thread is not None
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.outcomes

    def run(self, *jobs: Job, once: bool = False) -> dict[str, Outcome]:
        self.start(*jobs, once=once)
        return self.finish()

    def given(self, name: str) -> list[str]:
        with self._lock:
            posts = [each for publisher in self.publishers for each in publisher.posts]
        return [each.id.partition(":")[2] for each in posts if each.source == name]

    def _run(self, jobs: tuple[Job, ...], once: bool) -> None:
        def open_publisher() -> nullcontext[MemoryPublisher]:
            with self._lock:
                self.publishers.append(self.make_publisher())
                return nullcontext(self.publishers[-1])

        clock = SystemClock()
        try:
            with Ledger(self.store, clock, stored=self.stored) as ledger:
                found = run_jobs(jobs, open_publisher, SETTINGS, clock, self.stop, ledger, once=once)
            self.outcomes = {each.name: each for each in found}
        except Exception as error:
            self.error = error


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.stop.set()


def job(name: str, make: Callable[[], Source]) -> Job:
    return Job(name, "counting", make)


@pytest.mark.parametrize("error", [Failed("refused: 401"), KeyError("a defect")])
def test_one_that_fails_is_started_again_where_it_stopped_and_the_others_go_on(
    bench: Bench, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    failing: dict[int, Exception] = {2: error, 4: error}
    outcomes = bench.run(job("bad", lambda: Counting("bad", 5, failing)), job("good", lambda: Counting("good", 3, {})))
    assert bench.given("bad") == ["1", "2", "3", "4", "5"]
    assert bench.given("good") == ["1", "2", "3"]
    assert {name: (each.published, each.failure) for name, each in outcomes.items()} == {
        "bad": (5, None),
        "good": (3, None),
    }
    row = bench.store.rows["bad"]
    assert (row.cursor, row.posts, row.errors, row.last_error) == ("5", 5, 2, None)
    assert row.newest_published_at == post(5).published_at
    assert "bad: " in caplog.text


def test_a_feed_that_is_ahead_of_time_does_not_hide_its_silence(bench: Bench) -> None:
    now = datetime.now(UTC)
    ahead = RawPost("Acme falls", now + timedelta(hours=20), "item 1", "1")
    bench.run(job("list", lambda: ListSource([ahead, None], live=True)))
    newest = bench.store.rows["list"].newest_published_at
    assert newest is not None
    assert now <= newest < now + timedelta(hours=1)


def test_with_once_one_that_fails_stays_so_and_says_why(bench: Bench) -> None:
    outcomes = bench.run(job("bad", lambda: Counting("bad", 5, {2: Failed("refused: 401")})), once=True)
    assert outcomes["bad"].failure == "refused: 401"
    assert bench.store.rows["bad"].last_error == "refused: 401"
    assert bench.given("bad") == ["1", "2"]


def test_a_source_that_cannot_be_made_is_shown(bench: Bench) -> None:
    def refuse() -> Source:
        message = "no token"
        raise Failed(message)

    outcomes = bench.run(job("bad", refuse), once=True)
    assert outcomes["bad"].failure == bench.store.rows["bad"].last_error == "no token"


def test_without_its_place_a_source_waits_for_postgres_and_one_without_a_place_does_not(bench: Bench) -> None:
    bench.store.is_away = True
    bench.start(
        job("places", lambda: Counting("places", 2, {})), job("list", lambda: ListSource([post(1), None], live=True))
    )
    wait_until(lambda: bench.given("list") == ["1"])
    assert bench.given("places") == []
    bench.store.is_away = False
    assert bench.finish()["places"].published == 2
    assert bench.store.rows["places"].cursor == "2"
    assert bench.store.rows["list"].posts >= 1


def test_a_store_that_is_away_for_a_while_gets_all_later(bench: Bench) -> None:
    go_on = threading.Event()

    class Waiting(Counting):
        def read(self) -> Iterator[RawPost | Unreadable | None]:
            yield from super().read()
            while not go_on.wait(0.01):
                yield None
            self._upto = 4
            yield from super().read()
            while bench.store.is_away:
                threading.Event().wait(0.005)
                yield None

    bench.start(job("slow", lambda: Waiting("slow", 2, {})))
    wait_until(lambda: "slow" in bench.store.rows)
    bench.store.is_away = True
    go_on.set()
    wait_until(lambda: len(bench.given("slow")) == 4)
    bench.store.is_away = False
    bench.finish()
    assert (bench.store.rows["slow"].cursor, bench.store.rows["slow"].posts) == ("4", 4)


def test_a_defect_in_noting_loses_nothing(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    note = bench.store.note
    failing = [TypeError("a defect")]

    def fail_once(progress: list[SourceProgress]) -> None:
        if failing:
            raise failing.pop()
        note(progress)

    class Lasting(Counting):
        def read(self) -> Iterator[RawPost | Unreadable | None]:
            yield from super().read()
            while failing:
                threading.Event().wait(0.005)
                yield None

    bench.store.note = fail_once  # type: ignore[method-assign]
    bench.run(job("a", lambda: Lasting("a", 3, {})))
    assert bench.store.rows["a"].cursor == "3"
    assert "a defect in noting" in caplog.text


def test_one_that_is_paused_is_left_alone_and_goes_on_behind_its_place(bench: Bench) -> None:
    bench.start(job("endless", lambda: Endless("endless")))
    wait_until(lambda: len(bench.given("endless")) > 3)
    bench.store.is_paused = frozenset({"endless"})
    wait_until(worker_of("endless")._halt.is_set)
    wait_until(lambda: bench.store.rows["endless"].posts == len(bench.given("endless")))
    count = len(bench.given("endless"))
    assert bench.store.rows["endless"].cursor == str(count)
    bench.store.is_paused = frozenset()
    wait_until(lambda: len(bench.given("endless")) > count + 3)
    bench.stop.set()
    bench.finish()
    given = bench.given("endless")
    assert given == [str(number) for number in range(1, len(given) + 1)]


def worker_of(name: str) -> _Worker:
    found = wait_until(lambda: [each for each in threading.enumerate() if each.name == f"source {name}"])[0]
    assert isinstance(found, _Worker)
    return found


def test_a_source_outlives_any_number_of_quick_pauses(bench: Bench) -> None:
    paused = 0
    left = threading.Event()

    class Left(Endless):
        def read(self) -> Iterator[RawPost | Unreadable | None]:
            try:
                yield from super().read()
            finally:
                left.set()

    class ResumedMeanwhile(MemoryPublisher):
        """Has the source go on while what it gave before the pause is still being acknowledged."""

        def flush(self, timeout_seconds: float = 60.0) -> None:
            super().flush(timeout_seconds)
            if left.is_set() and bench.store.is_paused:
                left.clear()
                bench.store.is_paused = frozenset()
                wait_until(lambda: not worker._halt.is_set())
                nonlocal paused
                paused += 1

    bench.make_publisher = ResumedMeanwhile
    bench.start(job("endless", lambda: Left("endless")))
    worker = worker_of("endless")
    wait_until(lambda: bench.given("endless"))
    for round_ in range(1, 6):
        bench.store.is_paused = frozenset({"endless"})
        wait_until(lambda: paused == round_)  # noqa: B023
        # Counted once it may go on: a pause that comes before it reads again ends no reading, and nobody would end it.
        count = len(bench.given("endless"))
        wait_until(lambda: len(bench.given("endless")) > count + 1)  # noqa: B023
    bench.stop.set()
    bench.finish()
    given = bench.given("endless")
    assert given == [str(number) for number in range(1, len(given) + 1)]


def test_a_last_post_that_did_not_arrive_because_of_a_pause_is_given_again(bench: Bench) -> None:
    class Refusing(MemoryPublisher):
        """Is away at the first flush until the source is paused, and then takes all."""

        def flush(self, timeout_seconds: float = 60.0) -> None:
            if not worker_of("list")._halt.is_set() and not tried:
                bench.store.is_paused = frozenset({"list"})
                wait_until(worker_of("list")._halt.is_set)
            if worker_of("list")._halt.is_set() and len(tried) < 2:
                tried.append("away")
                message = "the broker is away"
                raise Unavailable(message)
            super().flush(timeout_seconds)

    tried: list[str] = []
    bench.make_publisher = Refusing
    bench.start(job("list", lambda: ListSource([post(1)], live=True)))
    wait_until(lambda: len(tried) == 2)
    bench.store.is_paused = frozenset()
    bench.finish()
    assert len(bench.given("list")) > 1
    assert set(bench.given("list")) == {"1"}
    assert bench.store.rows["list"].posts >= 1


def test_one_that_waits_after_a_failure_is_started_at_once_when_it_is_paused_and_resumed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.runner.FIRST_WAIT_SECONDS", 3_600)
    monkeypatch.setattr("ingest.runner.MAX_WAIT_SECONDS", 3_600)
    failing: dict[int, Exception] = {1: Failed("refused: 401")}
    bench.start(job("bad", lambda: Counting("bad", 2, failing)))
    wait_until(lambda: "bad" in bench.store.rows and bench.store.rows["bad"].last_error)
    bench.store.is_paused = frozenset({"bad"})
    wait_until(worker_of("bad")._halt.is_set)
    threading.Event().wait(0.05)  # it looks once in 0.01 s whether it is paused
    bench.store.is_paused = frozenset()
    assert bench.finish()["bad"].published == 2


def test_the_wait_does_not_grow_while_it_is_our_own_postgres_that_is_away(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ingest.runner.MAX_WAIT_SECONDS", 3_600)
    bench.store.is_away = True
    bench.start(job("places", lambda: Counting("places", 2, {})))
    wait_until(lambda: caplog.text.count("started again in 0 s") >= 12)
    bench.store.is_away = False
    assert bench.finish()["places"].published == 2


def test_for_a_broker_that_forgets_a_source_is_told_once_the_stream_has_stored_it(bench: Bench) -> None:
    stored: list[Progress] = []
    bench.stored = lambda: stored
    source = Counting("told", 3, {})
    source.acknowledged = lambda cursor: told.append((cursor, bool(stored)))  # type: ignore[method-assign]
    told: list[tuple[str | None, bool]] = []
    bench.start(job("told", lambda: source), job("endless", lambda: Endless("endless")))
    wait_until(lambda: len(bench.given("endless")) > 5)
    assert bench.given("told") == ["1", "2", "3"]
    assert told == []
    stored.append(Progress("posts", 0, 3, None))
    wait_until(lambda: told)
    bench.stop.set()
    bench.finish()
    assert told == [("3", True)]


def test_what_is_to_be_told_waits_for_its_offset_and_stays_within_bounds(bench: Bench) -> None:
    stored: list[Progress] = []
    told: list[int] = []
    with Ledger(bench.store, SystemClock(), stored=lambda: stored) as ledger:
        for number in range(1, 300):
            ledger.when_stored("a", {0: number}, partial(told.append, number))
        stored[:] = [Progress("posts", 0, 100, None)]
        wait_until(lambda: len(told) == 100)
        stored[:] = [Progress("posts", 0, 299, None)]
        wait_until(lambda: 299 in told)
    assert told == [*range(1, 200), 299]
    assert bench.store.rows == {}


def test_a_source_that_wants_to_know_is_told_what_has_arrived(bench: Bench) -> None:
    source = Counting("told", 3, {})
    bench.run(job("told", lambda: source))
    assert source.told[-1] == "3"
    assert bench.publishers[0].flushed >= 1


def test_what_the_broker_refuses_for_good_stops_all_and_is_raised(bench: Bench) -> None:
    class Refusing(MemoryPublisher):
        def publish(self, post: object) -> None:
            message = "the broker refused a message for good"
            raise Failed(message)

    refused = False

    def open_publisher() -> nullcontext[MemoryPublisher]:
        nonlocal refused
        refused, first = True, not refused
        return nullcontext(Refusing() if first else MemoryPublisher())

    class Endless(ListSource):
        def read(self) -> Iterator[RawPost | Unreadable | None]:
            while True:
                threading.Event().wait(0.005)
                yield None

    clock = SystemClock()
    jobs = [job("a", lambda: ListSource([post(1)])), job("b", lambda: Endless([]))]
    with Ledger(bench.store, clock) as ledger, pytest.raises(Failed, match="for good"):
        run_jobs(jobs, open_publisher, SETTINGS, clock, bench.stop, ledger)


def test_for_a_broker_that_forgets_a_place_is_noted_behind_what_the_stream_has_stored(bench: Bench) -> None:
    clock = SystemClock()
    stored: list[Progress] = []
    with Ledger(bench.store, clock, stored=lambda: stored) as ledger:
        for number in range(1, 300):
            step = SourceProgress("a", "counting", str(number), 1, 0, None, None, None)
            ledger.add(step, {0: number, 1: 7})
        assert ledger.cursor("a") == "299"
        assert bench.store.rows == {}
        stored[:] = [Progress("posts", 0, 100, None)]
        assert ledger.cursor("a") == "299"
        assert bench.store.rows == {}, "partition 1 is not stored"
        stored[:] = [Progress("posts", 0, 100, None), Progress("posts", 1, 7, None)]
        wait_until(lambda: "a" in bench.store.rows)
        assert (bench.store.rows["a"].cursor, bench.store.rows["a"].posts) == ("100", 100)
        stored[:] = [Progress("posts", 0, 299, None), Progress("posts", 1, 7, None)]
        wait_until(lambda: bench.store.rows["a"].posts == 299)
    assert bench.store.rows["a"].cursor == "299"
