"""The composition root of `bearometer stream`."""

import tempfile
from datetime import timedelta
from pathlib import Path

from bearometer.clock import SystemClock
from bearometer.linker import open_linker
from bearometer.settings import Settings
from ingest.kafka import create_topics
from model.load import load_classifier
from model.registry import load_version
from storage.database import open_database
from storage.models import ModelStore
from storage.posts import PostStore
from storage.stories import StoryStore
from storage.windows import WindowStore
from stream.app import build_app
from stream.ending import Ending, run_app
from stream.score import BatchScorer
from stream.shadow import Shadow
from stream.sift import Sift
from stream.spam import name_trusted
from stream.switch import ModelSwitch, name_worker

__all__ = ["run_stream"]


def run_stream(settings: Settings) -> None:
    """Score posts until SIGTERM or SIGINT; raises what made it impossible to go on.

    Nothing needs to be done after a crash or a kill -9 but to start it again.
    """
    engine = open_database(settings.postgres)
    create_topics(settings.kafka)
    posts = PostStore(engine, windows_live=timedelta(hours=settings.redis.ttl_hours))
    stories = StoryStore(settings.redis, settings.stream.story_hours)
    windows = WindowStore(settings.redis, stories)
    posts.expect_partitions(settings.kafka.topic, settings.kafka.partitions)
    windows.check()
    clock, ending = SystemClock(), Ending()
    shadow = Shadow(clock)
    switch = ModelSwitch(
        ModelStore(engine),
        lambda model: load_version(model, settings.model),
        shadow,
        clock,
        worker_id=name_worker(),
        pinned=load_classifier(settings.model) if settings.model.path else None,
    )
    scorer = BatchScorer(
        classifier=switch.first(),
        posts=posts,
        windows=windows,
        sift=Sift(stories, name_trusted(settings.spam, settings.ingest), settings.stream.languages),
        clock=clock,
        cache_size=settings.stream.cache_size,
        stop=ending.stop,
        shadow=shadow.offer,
        linker=open_linker(settings.ingest.gazetteer),
    )
    with (
        tempfile.TemporaryDirectory(prefix="bearometer-stream-") as work_dir,
        switch.follow(scorer.use, settings.stream.registry_seconds),
    ):
        run_app(build_app(settings, scorer, clock, Path(work_dir), ending.begin), ending)
