"""Does the detector keep to its budget? Alerts per symbol-year on streams in which nothing ever happens.

    python benchmarks/false_alarms.py [--years 40] [--budget 1.0] [--window 24h]

Every alert on these streams is a false one. Each stream is stationary: posts come at a mean rate with a daily
rhythm (day nine times as busy as night), multiplied by a Gamma factor per day of the stated dispersion (relative
variance; 0 is plain Poisson). Warm-up and learning from nothing are included. Rates are distinct negative mentions
a day. A greater budget than the default makes the promise measurable within minutes.
"""

import argparse
import math
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from alerts.monitor import Monitor
from bearometer.alert import NotificationReason
from bearometer.mention import NegativeMention
from bearometer.settings import AlertSettings

START = datetime(2020, 1, 1, tzinfo=UTC)
RATES = (0.1, 0.5, 2.0, 10.0, 50.0)
DISPERSIONS = (0.0, 0.3, 1.0)
MOST_POSTS = 400_000
"""Of one cell of the table: busy streams are simulated for fewer years."""


def quiet_stream(
    symbol: str, days: int, per_day: float, dispersion: float, source: random.Random
) -> Iterator[NegativeMention]:
    """A stationary stream of distinct negative mentions of one symbol, in order of time."""
    for day in range(days):
        factor = source.gammavariate(1 / dispersion, dispersion) if dispersion else 1.0
        at = 0.0
        peak = 1.8 * factor * per_day
        while peak > 0:
            at += source.expovariate(peak)
            if at >= 1:
                break
            if source.random() * 1.8 < 1 + 0.8 * math.sin(2 * math.pi * at):
                post = f"{symbol}-{day}-{at}"
                yield NegativeMention(symbol, post, START + timedelta(days=day + at), post, post)


def count_alerts(settings: AlertSettings, symbols: int, days: int, per_day: float, dispersion: float, seed: int) -> int:
    """How many alerts fire on that many independent streams, each watched for itself."""
    fired = 0
    for number in range(symbols):
        monitor = Monitor(settings)
        source = random.Random(f"{seed} {number} {per_day} {dispersion}")
        monitor.add(quiet_stream(f"S{number}", days, per_day, dispersion, source))
        notices = monitor.advance(START + timedelta(days=days)).notices
        fired += sum(notice.reason is NotificationReason.FIRING for notice in notices)
    return fired


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Alerts per symbol-year on streams in which nothing happens.")
    parser.add_argument("--years", type=int, default=40, help="symbol-years per cell")
    parser.add_argument("--budget", type=float, default=1.0, help="false alerts per symbol and year that are allowed")
    parser.add_argument("--window", choices=("1h", "24h"), default="24h")
    parser.add_argument("--min-posts", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    settings = AlertSettings(
        window=options.window, false_alerts_per_symbol_year=options.budget, min_posts=options.min_posts, min_authors=1
    )
    began = time.perf_counter()
    print(f"window {options.window}, budget {options.budget} false alerts per symbol-year, seed {options.seed}")
    print(f"{'a day':>8} {'dispersion':>10} {'years':>6} {'alerts':>7} {'per year':>9}")
    for per_day in RATES:
        years = max(1, min(options.years, int(MOST_POSTS / 365 / per_day)))
        for dispersion in DISPERSIONS:
            alerts = count_alerts(settings, years, 365, per_day, dispersion, options.seed)
            print(f"{per_day:>8} {dispersion:>10} {years:>6} {alerts:>7} {alerts / years:>9.3f}")
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
