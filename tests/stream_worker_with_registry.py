"""A stream worker that follows the registry, in a process of its own: `python -m tests.stream_worker_with_registry`.

It is `stream.worker.run_stream` but for what a model is: a word in a file (tests/registry_fakes.py). Its shadow is
`python -m tests.stream_worker_with_registry --shadow VERSION`, the real one but for that. `--slow SECONDS` makes each
batch take that long.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bearometer.clock import SystemClock
from bearometer.logs import start_logging
from bearometer.mention import Scored, Unscored
from bearometer.progress import Progress
from bearometer.settings import load_settings
from storage.database import connect
from storage.models import ModelStore
from storage.posts import PostStore
from storage.stories import StoryStore
from storage.windows import WindowStore
from stream import shadow_worker
from stream.app import build_app
from stream.ending import Ending, run_app
from stream.score import BatchScorer
from stream.shadow import Shadow
from stream.switch import ModelSwitch, name_worker
from tests.fakes import make_sift
from tests.registry_fakes import load_words


class SlowPosts(PostStore):
    slow_seconds = 0.0

    def save(self, batch: Sequence[Scored | Unscored], progress: Sequence[Progress]) -> list[Scored]:
        time.sleep(self.slow_seconds)
        return super().save(batch, progress)


def main() -> None:
    if sys.argv[1:2] == ["--shadow"]:
        del sys.argv[1]
        shadow_worker.main(load_words)
        return
    options = argparse.ArgumentParser()
    options.add_argument("--slow", type=float, default=0.0)
    given = options.parse_args()
    settings = load_settings()
    start_logging("info")
    engine = connect(settings.postgres)
    posts = SlowPosts(engine)
    posts.slow_seconds = given.slow
    clock, ending = SystemClock(), Ending()
    shadow = Shadow(clock, lambda version: [sys.executable, "-m", __spec__.name, "--shadow", version])
    switch = ModelSwitch(ModelStore(engine), load_words, shadow, clock, worker_id=name_worker())
    scorer = BatchScorer(
        classifier=switch.first(),
        posts=posts,
        windows=WindowStore(settings.redis),
        sift=make_sift(StoryStore(settings.redis)),
        clock=clock,
        cache_size=100,
        stop=ending.stop,
        shadow=shadow.offer,
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        switch.follow(scorer.use, settings.stream.registry_seconds),
    ):
        run_app(build_app(settings, scorer, clock, Path(folder), ending.begin), ending)


if __name__ == "__main__":
    main()
