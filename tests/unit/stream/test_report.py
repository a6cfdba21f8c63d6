from datetime import timedelta

from bearometer.clock import ManualClock
from stream.report import StreamReport
from tests.fakes import NOON


def test_the_report_speaks_of_the_time_since_the_last_one() -> None:
    clock = ManualClock(NOON)
    report = StreamReport(clock)
    report.count(messages=64, posts=60, cache_hits=15, dead=2)
    report.count(messages=32, posts=30, cache_hits=0, dead=0)
    clock.advance(timedelta(seconds=10))
    assert report.take(lag=7) == ("lag 7 messages, 9.0 posts/s, batch 48.0 messages, cache hits 17%, dead 2")
    clock.advance(timedelta(seconds=10))
    assert report.take(lag=0) == "lag 0 messages, 0.0 posts/s, batch 0.0 messages, cache hits 0%, dead 0"
