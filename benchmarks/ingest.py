"""Posts per second from a file to the broker: the whole path, and each step of it alone, in one run.

    python -m benchmarks.ingest [--posts 20000] [--rounds 3]
    python -m benchmarks.ingest --input FILE [--map text=body,created_at=date]

It starts servers of its own: the embedded broker, and Postgres for the ledger. Steps take turns, round by round, on the
same posts; the best round is shown, and the median beside it, which says how much the machine wavered. What only
computes is measured in processor time, so that a busy machine weighs little; what waits for the broker by the wall,
with its processor time in the column `CPU`. Shares are parts of the processor time of a path.

Three paths, each until the broker has acknowledged all:

    replay, as stated    what `bearometer replay FILE` runs, with the symbols and languages that rows state
    replay, worked out   the same, but what rows state of them is left out, as most feeds state neither: companies are
                         looked for in each text, and its language is guessed
    ingest, as stated    what `bearometer ingest` runs for a source of kind "file": a thread of its own, its place noted
                         in Postgres; it looks five times a second whether the source has ended

After each round the topic is read back: if posts are missing or come twice, or the broker's end offsets are others,
that is said, and the exit code is 1. The embedded broker gets one request at a time, Kafka five (`kafka.idempotence`).
"""

import argparse
import gc
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import TypeVar

from pydantic import SecretStr

from bearometer.bars import show_bars
from bearometer.embedded import Servers
from bearometer.errors import BearometerError
from bearometer.settings import IngestSettings, PostgresSettings
from bearometer.wire import encode
from benchmarks.ingest_paths import NAMES, Bench, Input
from ingest.language import decide_language
from ingest.normalise import fingerprint, normalise
from ingest.privacy import hide_author, hide_contacts
from ingest.rows import parse_field_map
from ingest.scenario import DEFAULT_SCENARIO, write_scenario
from ingest.source import RawPost
from ingest.symbols import find_symbols
from ingest.text import clean_text, find_links
from storage.database import connect
from storage.migrate import migrate

T = TypeVar("T")

SCENARIO_END = datetime(2026, 3, 18, tzinfo=UTC)
CASHTAGS = IngestSettings(link_names=False)
PRIVATE = IngestSettings(author_key=SecretStr("a key for this benchmark"), mask_contacts=True)

FIRST = RawPost("Walmart is up again, call +1 212 555 0142 for more of this", SCENARIO_END, "", author="ann")
"""With it all is read that is read once in a process: names, the model of languages, phone numbers."""

STATED, WORKED_OUT, INGEST = "replay, as stated", "replay, worked out", "ingest, as stated"
READ, ENCODE, PUBLISH = "read the rows", "encode", "publish ready bytes"
NORMALISE_STATED, NORMALISE = "normalise, as stated", "normalise, worked out"
CLEAN, LINKS, LINK = "  clean the text", "  set links aside", "  link by names"
GUESS, FINGERPRINT = "  guess the language", "  fingerprint"
NORMALISE_LINKED = "normalise, symbols alone"
BY_CASHTAGS, BY_PRIVATE, BY_NO_ID = "… by cashtags alone", "… with private settings", "… without native ids"
"""Like the one before, in which only the symbols are worked out, but for one thing."""


@dataclass
class Step:
    """Something that is measured; `prepare` and `check`, which are not, run before and after it in each round."""

    name: str
    run: Callable[[], object]
    paths: tuple[str, ...] = ()
    """Those that it is a step of."""
    waits: bool = False
    """For the broker: its time is the wall's."""
    prepare: Callable[[], object] = lambda: None
    check: Callable[[], object] = lambda: None
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> list[float]:
        """Of each round."""
        return self.wall if self.waits else self.cpu

    @property
    def best(self) -> float:
        """Seconds of the best round."""
        return min(self.seconds)

    def measure(self) -> None:
        """Once more."""
        self.prepare()
        gc.collect()
        wall, cpu = perf_counter(), process_time()
        self.run()
        self.wall.append(perf_counter() - wall)
        self.cpu.append(process_time() - cpu)
        self.check()


def main() -> int:
    """Measure and print; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, metavar="FILE", help="JSONL or CSV, plain or .gz, not the demo's posts")
    parser.add_argument("--map", default="", metavar="OURS=THEIRS,…", help="what FILE calls our fields")
    parser.add_argument("--posts", type=_positive, default=20_000, help="rows to read, at most (default: 20,000)")
    parser.add_argument("--rounds", type=_positive, default=3, help="times that all is measured (default: 3)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bearometer-", ignore_cleanup_errors=True) as folder:
        try:
            path = arguments.input or _write_posts(Path(folder) / "posts.jsonl", arguments.posts)
            what = Input(path, parse_field_map(arguments.map), arguments.posts)
        except BearometerError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        try:
            steps = _measure(what, Path(folder) / "run", arguments.rounds)
        except BearometerError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    print_steps(steps, len(what.posts))
    print_ratios({step.name: step for step in steps}, len(what.posts))
    return 0


def build_steps(what: Input, bench: Bench) -> list[Step]:
    """All that is measured, in the order of the table."""
    now = what.clock.now()
    bare = [replace(row, symbols=(), language=None) for row in what.raw]
    unlinked = [replace(row, language="en") for row in bare]
    without_id = [replace(row, native_id=None) for row in unlinked]
    cleaned = [clean_text(row.text) for row in what.raw]
    texts = [post.text for post in what.posts]
    contacts = [(post.text, post.links, post.author or "") for post in what.posts]

    def normalised(rows: list[RawPost], settings: IngestSettings) -> Callable[[], None]:
        return _each(lambda row: normalise(row, "benchmark", settings, now), rows)

    both, mine = (STATED, WORKED_OUT), (WORKED_OUT,)
    return [
        Step(READ, what.read, both),
        Step(NORMALISE_STATED, normalised(what.raw, NAMES), (STATED,)),
        Step(NORMALISE, normalised(bare, NAMES), mine),
        Step(CLEAN, _each(clean_text, [row.text for row in what.raw]), both),
        Step(LINKS, _each(lambda text: " ".join(find_links(text)[0].split()), cleaned), both),
        Step(LINK, _each(lambda text: find_symbols(text, NAMES), texts), mine),
        Step(GUESS, _each(partial(decide_language, None), texts), mine),
        Step(FINGERPRINT, _each(fingerprint, texts), both),
        Step(NORMALISE_LINKED, normalised(unlinked, NAMES)),
        Step(BY_CASHTAGS, normalised(unlinked, CASHTAGS)),
        Step("  link by cashtags", _each(lambda text: find_symbols(text, CASHTAGS), texts)),
        Step(BY_PRIVATE, normalised(unlinked, PRIVATE)),
        Step("  hide authors", _each(lambda row: hide_author(row, "benchmark", PRIVATE), bare)),
        Step("  hide contacts", _each(lambda each: hide_contacts(*each, PRIVATE), contacts)),
        Step(BY_NO_ID, normalised(without_id, NAMES)),
        Step(ENCODE, _each(encode, what.posts), both),
        Step(PUBLISH, bench.publish_ready, both, True, bench.open_publisher, bench.check),
        Step(STATED, lambda: bench.replay(bare=False), (STATED,), True, bench.new_topic, bench.check),
        Step(WORKED_OUT, lambda: bench.replay(bare=True), (WORKED_OUT,), True, bench.new_topic, bench.check),
        Step(INGEST, bench.ingest, (), True, bench.new_topic, bench.check),
    ]


def print_steps(steps: list[Step], posts: int) -> None:
    """The table."""
    whole = {step.name: min(step.cpu) for step in steps}
    heads = [
        ("", "µs a post", "median", "CPU", "posts/s", "share of", "share of"),
        ("", "best", "", "", "", "as stated", "worked out"),
    ]
    rows = []
    for step in steps:
        best, median, cpu = (each / posts * 1e6 for each in (step.best, statistics.median(step.seconds), min(step.cpu)))
        shares = (f"{min(step.cpu) / whole[path]:.0%}" if path in step.paths else "" for path in (STATED, WORKED_OUT))
        taken = f"{best:.1f}", f"{median:.1f}", f"{cpu:.1f}" if step.waits else "", f"{1e6 / best:,.0f}"
        rows.append((step.name, *taken, *shares))
    for row in (*heads, *rows):
        if row[0] in {READ, NORMALISE_STATED, NORMALISE_LINKED, ENCODE, STATED}:
            print()
        print(f"{row[0]:24}" + "".join(f"{cell:>11}" for cell in row[1:]).rstrip())


def print_ratios(steps: dict[str, Step], posts: int) -> None:
    """What the table says in words."""

    def times(one: str, other: str) -> str:
        return f"{steps[one].best / steps[other].best:.2f} times as long as {other}"

    def cpu(*names: str) -> float:
        return sum(min(steps[name].cpu) for name in names) / posts * 1e6

    print(f"\n{NORMALISE} takes {times(NORMALISE, NORMALISE_STATED)}; {cpu(GUESS) / cpu(NORMALISE):.0%} is the guess")
    print(
        f"by names it takes {steps[NORMALISE_LINKED].best / steps[BY_CASHTAGS].best:.2f} times as long as by cashtags",
        end="; ",
    )
    print(
        f"private settings take {steps[BY_PRIVATE].best / steps[NORMALISE_LINKED].best:.2f} times as long as open ones"
    )
    rest = cpu(NORMALISE_STATED) - cpu(CLEAN, LINKS, FINGERPRINT)
    cold = cpu(NORMALISE) - rest - cpu(CLEAN, LINKS, LINK, GUESS, FINGERPRINT)
    print(f"checks, author, native id, what is stated and the post itself take {rest:.1f} µs a post")
    print(f"post by post, {NORMALISE} takes {cold:+.1f} µs beside the sum of its parts, each measured alone")
    made = cpu(BY_NO_ID) - cpu(NORMALISE_LINKED)
    print(f"an id made of author, time and text takes {made:+.1f} µs beside a native one")
    loop = cpu(STATED) - cpu(READ, NORMALISE_STATED, ENCODE, PUBLISH)
    print(
        f"{STATED} takes {loop:.1f} µs CPU a post beyond its four steps: the loop, and two threads in each other's way"
    )
    print(f"{INGEST} takes {times(INGEST, STATED)}")


def _measure(what: Input, run_dir: Path, rounds: int) -> list[Step]:
    with Servers(run_dir, durable=False) as servers, show_bars() as bars:
        engine = connect(PostgresSettings(url=SecretStr(servers.postgres.url())))
        migrate(engine)
        steps = build_steps(what, Bench(servers, engine, what))
        normalise(FIRST, "benchmark", PRIVATE, what.clock.now())
        gc.collect()
        gc.freeze()  # no worker holds all posts of a run, so that to look through them is none of its costs
        load = os.getloadavg()[0]
        for done in range(rounds * len(steps)):
            step = steps[done % len(steps)]
            bars.set("measure", done / (rounds * len(steps)), f"round {done // len(steps) + 1}: {step.name.strip()}")
            step.measure()
        bars.set("measure", 1.0)
        engine.dispose()
    symbols, languages = (sum(bool(getattr(row, name)) for row in what.raw) for name in ("symbols", "language"))
    print(f"{len(what.posts):,} posts of {what.path.name} ({what.rejected:,} more rows were rejected):", end=" ")
    print(f"{symbols:,} state symbols, {languages:,} a language")
    print(f"best of {rounds} rounds on {os.cpu_count()} cores, load average {load:.1f} before and", end=" ")
    print(f"{os.getloadavg()[0]:.1f} after; each post was on its topic once\n")
    return steps


def _each(work: Callable[[T], object], items: Iterable[T]) -> Callable[[], None]:
    def run() -> None:
        for item in items:
            work(item)

    return run


def _write_posts(path: Path, least: int) -> Path:
    """Posts of the demo, one seed after the other, until there are enough."""
    part, written, seed = path.with_name("part.jsonl"), 0, 0
    with path.open("wb") as file:
        while written < least:
            seed += 1
            written += write_scenario(part, DEFAULT_SCENARIO, seed, SCENARIO_END).posts
            file.write(part.read_bytes())
    return path


def _positive(text: str) -> int:
    if text.isdecimal() and int(text) > 0:
        return int(text)
    message = f"{text!r} is no whole number above 0"
    raise argparse.ArgumentTypeError(message)


if __name__ == "__main__":
    sys.exit(main())
