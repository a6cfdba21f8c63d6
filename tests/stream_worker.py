"""A stream worker with a keyword classifier, in a process of its own, to be killed: `python -m tests.stream_worker`.

It is `stream.worker.run_stream` but for the classifier. `--fail-after N` makes it raise, as a defect would, in the
batch after N posts were stored; `--slow SECONDS` makes each batch take that long.
"""

import argparse
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
from storage.posts import PostStore
from storage.stories import StoryStore
from storage.windows import WindowStore
from stream.app import build_app
from stream.ending import Ending, run_app
from stream.score import BatchScorer
from tests.fakes import KeywordClassifier, make_sift


class FragilePosts(PostStore):
    """The real store, with a defect and a delay to order."""

    fail_after: int | None = None
    slow_seconds = 0.0
    saved = 0

    def save(self, batch: Sequence[Scored | Unscored], progress: Sequence[Progress]) -> list[Scored]:
        if self.fail_after is not None and self.saved >= self.fail_after:
            message = "a defect"
            raise RuntimeError(message)
        time.sleep(self.slow_seconds)
        self.saved += len(batch)
        return super().save(batch, progress)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--fail-after", type=int)
    options.add_argument("--slow", type=float, default=0.0)
    given = options.parse_args()
    settings = load_settings()
    start_logging("info")
    posts = FragilePosts(connect(settings.postgres))
    posts.fail_after, posts.slow_seconds = given.fail_after, given.slow
    clock, ending = SystemClock(), Ending()
    scorer = BatchScorer(
        classifier=KeywordClassifier(),
        posts=posts,
        windows=WindowStore(settings.redis),
        sift=make_sift(StoryStore(settings.redis)),
        clock=clock,
        cache_size=100,
        stop=ending.stop,
    )
    with tempfile.TemporaryDirectory() as folder:
        run_app(build_app(settings, scorer, clock, Path(folder), ending.begin), ending)


if __name__ == "__main__":
    main()
