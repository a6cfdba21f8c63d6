"""The process of a shadow, started by `stream/shadow.py`: `python -m stream.shadow_worker VERSION`.

Batches come on standard input, a post a line as on the topic, with an empty line after each batch; the answers go to
Postgres. On standard output goes one line of JSON when the weights are loaded, and one for each batch: `scored`, how
many posts it has answered, and `problem`, why not all. The end of the input ends it at once, whatever it is doing.
"""

import logging
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import orjson

from bearometer.errors import BearometerError, Transient
from bearometer.linker import Linker, open_linker
from bearometer.logs import start_logging
from bearometer.mention import WHOLE
from bearometer.post import Post
from bearometer.registry import ModelVersion, ShadowScore
from bearometer.settings import ModelSettings, load_settings
from bearometer.wire import decode
from model.classifier import Classifier, Judgement, Passage
from model.registry import load_version
from storage.database import open_database
from storage.models import ModelStore
from storage.shadow import ShadowStore

__all__ = ["main", "score_batch", "serve"]

log = logging.getLogger(__name__)

Load = Callable[[ModelVersion | None, ModelSettings], Classifier]
Save = Callable[[Sequence[ShadowScore]], None]

_LOWEST_PRIORITY = 19
_FIRST_TO_BE_KILLED = "1000"
"""When memory runs out; see proc_pid_oom_score_adj(5)."""


def main(load: Load = load_version) -> None:
    """Serve until the input ends; exit code 1 when the version cannot be used, after saying why."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_LOWEST_PRIORITY)
    with suppress(OSError):  # Linux has it
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_BE_KILLED, "ascii")
    threading.Thread(target=_end_with_input, name="input", daemon=True).start()
    # Whatever a library prints goes to the log and not between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    version = sys.argv[1]
    try:
        settings = load_settings()
        start_logging(settings.log_level)
        engine = open_database(settings.postgres)
        # One thread, and never the GPU: the active model needs the others.
        slow = settings.model.model_copy(update={"threads": 1, "device": "cpu"})
        classifier = load(ModelStore(engine).find(version), slow)
    except BearometerError as error:
        _answer(answers, problem=str(error))
        sys.exit(1)
    store = ShadowStore(engine)
    linker = open_linker(settings.ingest.gazetteer)
    serve(sys.stdin.buffer, answers, classifier, lambda scores: store.save(version, scores), linker)


def serve(
    source: IO[bytes], answers: IO[bytes], classifier: Classifier, save: Save, linker: Linker | None = None
) -> None:
    """Answer batch after batch until `source` ends; a batch that cannot be stored is given up, and said so."""
    _answer(answers, scored=0)
    for posts in _batches(source):
        try:
            _answer(answers, scored=score_batch(posts, classifier, save, linker))
        except Transient as error:
            _answer(answers, scored=0, problem=str(error))


def score_batch(posts: Sequence[Post], classifier: Classifier, save: Save, linker: Linker | None = None) -> int:
    """Judge the posts and save the answers, each text and its symbols once; gives how many posts had an answer."""
    locate = (linker or open_linker()).locate
    passages = {post.id: Passage(post.text, post.symbols, locate(post.text, post.symbols)) for post in posts}
    distinct = list(dict.fromkeys(passages.values()))
    judged = dict(zip(distinct, classifier.classify(classifier.prepare(distinct)), strict=True))
    answered = [(post, judgement) for post in posts if (judgement := judged[passages[post.id]]) is not None]
    save([score for post, judgement in answered for score in _scores(post, judgement)])
    return len(answered)


def _scores(post: Post, judgement: Judgement) -> Iterator[ShadowScore]:
    yield ShadowScore(post.id, post.published_at, WHOLE, judgement.sentiment, judgement.topic)
    for symbol, sentiment in zip(post.symbols, judgement.entities, strict=True):
        yield ShadowScore(post.id, post.published_at, symbol, sentiment)


def _end_with_input() -> None:
    """End the process when nobody holds the other end of its input: a library may never come back to read it."""
    ends = select.poll()
    ends.register(0, select.POLLHUP)
    while not any(event & (select.POLLHUP | select.POLLERR) for _, event in ends.poll()):
        pass
    os._exit(0)


def _batches(source: IO[bytes]) -> Iterator[list[Post]]:
    batch: list[Post] = []
    for line in source:
        if line.strip():
            post = decode(line)
            assert isinstance(post, Post)
            batch.append(post)
        else:
            yield batch
            batch = []


def _answer(answers: IO[bytes], **fields: Any) -> None:
    answers.write(orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE))
    answers.flush()


if __name__ == "__main__":
    main()
