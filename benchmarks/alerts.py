"""What it costs to watch many symbols: microseconds per symbol-minute, and memory, from 100 to 100,000 symbols.

    python -m benchmarks.alerts [--symbols 100 1000 10000 100000] [--days 2] [--posts-a-day 5] [--late 0.05]
    python -m benchmarks.alerts --worker [--symbols 20000] [--days 1]

Symbols are as unequal as real ones: of the posts, the k-th symbol gets a part that falls with 1/k (Zipf), a fifth of
them negative. Some are late: they become known up to an hour after newer ones, so that their symbol is judged again.

The first form is the monitor alone (`alerts.monitor`, the default rule with all lengths of window), moved on by event
time in steps of five minutes, as it is live. The cost is the processor's time, drawing the posts left out: first of the
bare detectors on the same counts, then of the monitor around them. The worst step says how much of a core a live
worker needs. Memory is what the process has grown by, in a process of its own.

The second form is the alert worker, `alerts.watch.run_watch`, on a real Postgres, which is started here and filled: of
each poll, its time on this process's core and on the wall. What writes the posts is left out. At the end another worker
takes over, five minutes of event time later: one that was waiting and knew the rest, and then one that has just begun.
"""

import argparse
import multiprocessing
import os
import random
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path

from alerts.bins import bin_of
from alerts.detector import Detector
from alerts.evaluator import Policy
from alerts.monitor import Monitor
from alerts.rules import default_rules
from alerts.standby import Standby
from alerts.watch import WatchReport, open_evaluation, run_watch
from bearometer.clock import SystemClock
from bearometer.embedded import Servers
from bearometer.mention import Mention, Scored, SeenMention, Sentiment
from bearometer.post import Post
from bearometer.progress import Progress
from bearometer.settings import AlertSettings, PostgresSettings
from storage.alerts import AlertStore
from storage.database import connect
from storage.lease import take_lease
from storage.migrate import migrate
from storage.posts import PostStore

START = datetime(2026, 3, 2, tzinfo=UTC)
STEP = timedelta(minutes=5)
STEP_MINUTES = 5
STEPS_A_DAY = 288
NEGATIVE = 0.2
LATEST = timedelta(hours=1)
BATCH = 500
"""Posts in a transaction while Postgres is filled."""
HISTORY_DAYS = 90


@dataclass(frozen=True, slots=True)
class Market:
    """Who is spoken of, and how much."""

    symbols: int
    posts_a_day: float
    late: float

    def steps(self, count: int) -> Iterator[list[SeenMention]]:
        """What becomes known in each of so many steps of five minutes, the same each time."""
        source = random.Random(1)
        weights = list(accumulate(1 / (k + 1) for k in range(self.symbols)))
        names = [f"S{k}" for k in range(self.symbols)]
        each = self.symbols * self.posts_a_day / STEPS_A_DAY
        number = 0
        for step in range(count):
            begin, mentions = START + step * STEP, []
            for symbol in source.choices(names, cum_weights=weights, k=int(each + source.random())):
                at = begin + STEP * source.random()
                if source.random() < self.late:
                    at -= LATEST * source.random()
                author, negative = f"a{source.randrange(10 * self.symbols)}", source.random() < NEGATIVE
                mentions.append(SeenMention(symbol, f"b:{number}", at, f"{number}", author, "b", negative))
                number += 1
            yield sorted(mentions, key=lambda mention: mention.published_at)


@dataclass(frozen=True, slots=True)
class Cost:
    """What some symbols cost."""

    posts: int
    seconds: float
    worst_seconds: float
    """Of the five minutes of event time that took longest."""
    megabytes: float


def measure_detectors(market: Market, steps: int) -> Cost:
    """One detector for each symbol that is spoken of, fed and asked where it has posts."""
    detectors: dict[str, Detector] = {}
    first = bin_of(START - LATEST)

    def look(mentions: list[SeenMention], until: datetime) -> None:
        by_symbol = Counter((m.symbol, bin_of(m.published_at)) for m in mentions)
        negative = Counter((m.symbol, bin_of(m.published_at)) for m in mentions if m.negative)
        for key, posts in by_symbol.items():
            symbol, bin = key
            if symbol not in detectors:
                detectors[symbol] = Detector(first)
            detectors[symbol].add(bin, negative[key], posts)
        for symbol in {symbol for symbol, _ in by_symbol}:
            detectors[symbol].close(bin_of(until) - 1)

    return _measure(market, steps, look)


def measure_monitor(market: Market, steps: int) -> Cost:
    """The monitor with the default rule, moved on every five minutes."""
    monitor = Monitor(default_rules(AlertSettings()), HISTORY_DAYS)

    def look(mentions: list[SeenMention], until: datetime) -> None:
        monitor.add(mentions)
        monitor.advance(until)

    return _measure(market, steps, look)


def _measure(market: Market, steps: int, look: Callable[[list[SeenMention], datetime], None]) -> Cost:
    before = _resident_megabytes()
    posts, total, worst = 0, 0.0, 0.0
    for step, mentions in enumerate(market.steps(steps)):
        posts += len(mentions)
        if not mentions:
            continue
        started = time.process_time()
        look(mentions, START + (step + 1) * STEP)
        taken = time.process_time() - started
        total += taken
        worst = max(worst, taken)
    return Cost(posts, total, worst, _resident_megabytes() - before)


def _resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def print_costs(sizes: list[int], days: float, posts_a_day: float, late: float) -> None:
    """A line for each size, measured in a process of its own."""
    steps = round(days * STEPS_A_DAY)
    print(f"{days:g} days, {posts_a_day:g} posts a day and symbol, {late:.0%} of them late")
    print("symbols             posts   us a post  us a symbol-minute  worst 5 min  of a core  kB a symbol")
    for symbols in sorted(sizes):
        for name, measure in (("detectors", measure_detectors), ("monitor", measure_monitor)):
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                cost = pool.apply(measure, (Market(symbols, posts_a_day, late), steps))
            print(
                f"{symbols:>7,} {name:<9} {cost.posts:>7,}  {1e6 * cost.seconds / max(1, cost.posts):>10.0f}"
                f"  {1e6 * cost.seconds / symbols / steps / STEP_MINUTES:>18.3f}  {cost.worst_seconds:>9.2f} s"
                f"  {cost.worst_seconds / STEP.total_seconds():>9.2%}  {1000 * cost.megabytes / symbols:>11.1f}",
                flush=True,
            )


@dataclass(frozen=True, slots=True)
class Polled:
    """One poll of the worker."""

    mentions: int
    seconds: float
    """On this core."""
    wall_seconds: float


@dataclass(frozen=True, slots=True)
class Run:
    """What a worker took for its polls, and others to take over from it."""

    start: Polled
    polls: list[Polled]
    first_look: Polled
    """Of the one that waits."""
    warm: Polled
    cold: Polled


def run_worker(market: Market, days: float, steps: int) -> Run:
    """A worker that starts on so many days of history and then goes on step by step; then two that take over."""
    known = round(days * STEPS_A_DAY)
    coming = market.steps(known + steps + 2)
    with tempfile.TemporaryDirectory(prefix="bearometer-bench-") as folder, Servers(Path(folder)) as servers:
        engine = connect(PostgresSettings(url=servers.postgres.url()))
        migrate(engine)
        posts, store = PostStore(engine), AlertStore(engine)
        for step in range(known):
            _save(posts, next(coming), step)
        stop = threading.Event()
        polls: list[Polled] = []
        stopwatch = _Stopwatch()

        def note(report: WatchReport) -> None:
            if report.mentions:
                polls.append(stopwatch.polled(report.mentions))
                if len(polls) > steps:
                    stop.set()
                else:
                    _save(posts, next(coming), known + len(polls) - 1)
            stopwatch.start()

        settings = AlertSettings(poll_seconds=0.001, explain_seconds=0)
        run_watch(store, settings, (), SystemClock(), stop, note)
        policy = Policy(settings, default_rules(settings), ())
        taken: list[Polled] = []
        for has_waited in (True, False):
            with closing(store.open_session()) as session:
                standby = Standby(session, policy)
                stopwatch.start()
                if has_waited:
                    standby.look(threading.Event())
                looked = stopwatch.polled(standby.known)
                _save(posts, next(coming), known + steps + len(taken) // 2)
                stopwatch.start()
                lease = take_lease(session)
                assert lease is not None
                evaluator = open_evaluation(lease, standby, policy, SystemClock(), threading.Event())
                taken += [looked, stopwatch.polled(evaluator.poll(threading.Event()).mentions)]
        engine.dispose()
    return Run(polls[0], polls[1:], taken[0], taken[1], taken[3])


class _Stopwatch:
    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self._clocks = time.process_time(), time.perf_counter()

    def polled(self, mentions: int) -> Polled:
        return Polled(mentions, time.process_time() - self._clocks[0], time.perf_counter() - self._clocks[1])


def _save(store: PostStore, mentions: list[SeenMention], step: int) -> None:
    reached = START + (step + 1) * STEP
    scored = [_scored(mention, reached) for mention in mentions]
    for first in range(0, len(scored), BATCH):
        store.save(scored[first : first + BATCH], [])
    store.save([], [Progress("bench", 0, step + 1, reached)])


def _scored(mention: SeenMention, now: datetime) -> Scored:
    sentiment = Sentiment(0.8, 0.1, 0.1) if mention.negative else Sentiment(0.1, 0.8, 0.1)
    post = Post(
        id=mention.post_id,
        source=mention.source,
        text=f"{mention.symbol} remark {mention.story}",
        published_at=mention.published_at,
        ingested_at=now,
        fingerprint=mention.story,
        symbols=(mention.symbol,),
        author=mention.author,
    )
    return Scored(post, sentiment, (Mention(mention.symbol, sentiment),), "bench")


def print_worker(symbols: int, days: float, posts_a_day: float, late: float, steps: int) -> None:
    """How long a start and a poll take, and how much faster than time the worker is."""
    print(f"{symbols:,} symbols, {posts_a_day:g} posts a day each, {late:.0%} of them late; Postgres", flush=True)
    run = run_worker(Market(symbols, posts_a_day, late), days, steps)
    start, polls = run.start, run.polls
    used, passed = [each.seconds for each in polls], [each.wall_seconds for each in polls]
    print(
        f"start on {days:g} days, {start.mentions:,} posts: {start.seconds:.1f} s of a core, {start.wall_seconds:.1f} s"
    )
    print(
        f"{len(polls)} polls, {STEP_MINUTES} minutes of event time and {statistics.mean(p.mentions for p in polls):.0f}"
        f" posts each: of a core {statistics.median(used):.2f} s, the longest {max(used):.2f} s; on the wall"
        f" {statistics.median(passed):.2f} s, the longest {max(passed):.2f} s"
    )
    for name, each in (
        ("first look of one that waits", run.first_look),
        ("its take-over", run.warm),
        ("take-over by one that has just begun", run.cold),
    ):
        print(f"{name}: {each.mentions:,} posts, {each.seconds:.2f} s of a core, {each.wall_seconds:.2f} s")
    minutes = STEP_MINUTES * len(polls)
    print(
        f"{minutes / sum(used):.1f} minutes of event time a second of a core, {minutes / sum(passed):.1f} on the wall;"
        f" {_resident_megabytes():.0f} MB in all"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, nargs="+")
    parser.add_argument("--days", type=float, help="of event time, or of history with --worker; the first is a warm-up")
    parser.add_argument("--posts-a-day", type=float, default=5.0, help="of each symbol, on average")
    parser.add_argument("--late", type=float, default=0.05, help="part of the posts that are up to an hour late")
    parser.add_argument("--worker", action="store_true", help="the alert worker on a real Postgres")
    parser.add_argument("--steps", type=int, default=36, help="with --worker: polls to measure")
    options = parser.parse_args()
    if options.worker:
        for symbols in options.symbols or [20_000]:
            print_worker(symbols, options.days or 1.0, options.posts_a_day, options.late, options.steps)
    else:
        sizes = options.symbols or [100, 1_000, 10_000, 100_000]
        print_costs(sizes, options.days or 2.0, options.posts_a_day, options.late)


if __name__ == "__main__":
    main()
