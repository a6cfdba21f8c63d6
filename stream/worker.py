"""The composition root of `bearometer stream`."""

import tempfile
from datetime import timedelta
from pathlib import Path

from bearometer.clock import SystemClock
from bearometer.settings import Settings
from ingest.kafka import create_topics
from model.load import load_classifier
from storage.database import open_database
from storage.posts import PostStore
from storage.windows import WindowStore
from stream.app import build_app
from stream.ending import Ending, run_app
from stream.score import BatchScorer

__all__ = ["run_stream"]


def run_stream(settings: Settings) -> None:
    """Score posts until SIGTERM or SIGINT; raises what made it impossible to go on.

    Nothing needs to be done after a crash or a kill -9 but to start it again.
    """
    engine = open_database(settings.postgres)
    create_topics(settings.kafka)
    posts = PostStore(engine, windows_live=timedelta(hours=settings.redis.ttl_hours))
    windows = WindowStore(settings.redis)
    posts.expect_partitions(settings.kafka.topic, settings.kafka.partitions)
    windows.check()
    clock, ending = SystemClock(), Ending()
    scorer = BatchScorer(
        classifier=load_classifier(settings.model),
        posts=posts,
        windows=windows,
        clock=clock,
        cache_size=settings.stream.cache_size,
        stop=ending.stop,
    )
    with tempfile.TemporaryDirectory(prefix="bearometer-stream-") as work_dir:
        run_app(build_app(settings, scorer, clock, Path(work_dir), ending.begin), ending)
