"""What the detector costs: microseconds per symbol-minute, and bytes per symbol, from 100 to 100,000 symbols.

    python -m benchmarks.alerts [--symbols 100 1000 10000 100000] [--hours 30] [--posts-a-day 5]

Symbols are as unequal as real ones: of the posts, the k-th symbol gets a part that falls with 1/k (Zipf). All measures
and all lengths of window are watched. A symbol is asked only where it has posts, as the monitor does; what passes in
between is caught up with then. The cost is the processor's time of the detector alone, drawing the posts left out; the
worst bin is that of the five minutes of event time that took longest, and the share says how much of a core a live
worker needs for it.
"""

import argparse
import gc
import random
import resource
import time
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate

from alerts.detector import Detector

BIN_MINUTES = 5
NEGATIVE = 0.2
FIRST = 5_000_000
"""A bin of 2017."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What some symbols cost."""

    symbols: int
    looks: int
    seconds: float
    worst_seconds: float
    """Of the bin of five minutes that took longest."""
    minutes: int
    megabytes: float


def measure(symbols: int, hours: float, posts_a_day: float, seed: int = 1) -> Cost:
    """Watch so many symbols for so many hours of event time."""
    source = random.Random(seed)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    detectors = [Detector(FIRST) for _ in range(symbols)]
    parts = list(accumulate(1 / (k + 1) for k in range(symbols)))
    bins = round(hours * 60 / BIN_MINUTES)
    per_bin = round(symbols * posts_a_day / 24 / 60 * BIN_MINUTES)
    looks, total, worst = 0, 0.0, 0.0
    for bin in range(FIRST, FIRST + bins):
        posts = Counter(source.choices(range(symbols), cum_weights=parts, k=per_bin))
        counts = [(symbol, sum(source.random() < NEGATIVE for _ in range(n)), n) for symbol, n in posts.items()]
        started = time.process_time()
        for symbol, negative, count in counts:
            detectors[symbol].add(bin, negative, count)
            detectors[symbol].close(bin)
        taken = time.process_time() - started
        looks += len(counts)
        total += taken
        worst = max(worst, taken)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000
    return Cost(symbols, looks, total, worst, bins * BIN_MINUTES, grown)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, nargs="+", default=[100, 1_000, 10_000, 100_000])
    parser.add_argument("--hours", type=float, default=30.0, help="of event time; the first day is only learned from")
    parser.add_argument("--posts-a-day", type=float, default=5.0, help="of each symbol, on average")
    options = parser.parse_args()
    print(f"{options.hours:g} hours, {options.posts_a_day:g} posts a day and symbol, all measures and scales")
    print("symbols       looks  µs a look  µs a symbol-minute  worst 5 min  of a core  kB a symbol")
    for symbols in sorted(options.symbols):
        cost = measure(symbols, options.hours, options.posts_a_day)
        gc.collect()
        print(
            f"{cost.symbols:>7,}  {cost.looks:>10,}  {1e6 * cost.seconds / max(1, cost.looks):>9.1f}"
            f"  {1e6 * cost.seconds / cost.symbols / cost.minutes:>18.3f}  {cost.worst_seconds:>9.2f} s"
            f"  {cost.worst_seconds / (60 * BIN_MINUTES):>9.2%}  {1000 * cost.megabytes / cost.symbols:>11.1f}"
        )


if __name__ == "__main__":
    main()
