"""The whole monitor on this machine: real servers from wheels, and the workers as they run in production."""

import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bearometer.clock import Clock
from bearometer.embedded import Servers
from bearometer.progress import count_missing
from bearometer.settings import Settings, load_settings
from bearometer.supervisor import Supervisor
from ingest.kafka import create_topics, end_offsets
from storage.alerts import AlertStore
from storage.database import connect
from storage.migrate import migrate
from storage.posts import PostStore
from storage.windows import WindowStore

__all__ = ["Stack", "drain", "leave_up", "open_run_dir", "start_stack"]

log = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0
_DRAIN_SECONDS = 10.0


@dataclass(frozen=True)
class Stack:
    """A running monitor: its settings, its stores, and the workers that it consists of."""

    settings: Settings
    servers: Servers
    workers: Supervisor
    posts: PostStore
    alerts: AlertStore

    @property
    def stores(self) -> tuple[PostStore, AlertStore]:
        """Posts and alerts."""
        return self.posts, self.alerts

    @property
    def run_dir(self) -> Path:
        """Where everything of this run lies."""
        return self.servers.run_dir

    def wait(self, seconds: float) -> None:
        """Block for this long; raises Failed when a server has ended or a worker was given up."""
        self.servers.check()
        self.workers.wait(seconds)

    @property
    def messages_dir(self) -> Path:
        """Where each message to people lies as files."""
        assert self.settings.alerts.directory is not None, "start_stack sets it"
        return self.settings.alerts.directory


@contextmanager
def open_run_dir(run_dir: Path | None, *, keep: bool) -> Iterator[Path]:
    """The folder of one run: the one given, or a new one that is removed at the end unless `keep`."""
    if run_dir is not None:
        yield run_dir.absolute()
    elif keep:
        yield Path(tempfile.mkdtemp(prefix="bearometer-"))
    else:
        with tempfile.TemporaryDirectory(prefix="bearometer-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)


@contextmanager
def start_stack(
    run_dir: Path, clock: Clock, *, stream_workers: int = 1, durable: bool = True, notify: bool = True
) -> Iterator[Stack]:
    """Start servers and workers in `run_dir`; stop them all at the end, whatever happens.

    `durable=False` is for a run directory that is thrown away: rows outlive any crash but the machine's. Without
    `notify` alerts go to the folder of messages only, whatever Slack and mail settings there are. Sets this process's
    `BEAROMETER_…` variables to what it started. Blocks until the servers answer; the workers may still be starting.
    SIGTERM ends it as Ctrl-C does.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Servers(run_dir, durable=durable) as servers:
        messages_dir = load_settings().alerts.directory or servers.run_dir / "messages"
        environment = {
            **servers.environment,
            "BEAROMETER_ALERTS__DIRECTORY": str(messages_dir.absolute()),
            "BEAROMETER_ALERTS__NOTIFY": str(notify).lower(),
        }
        os.environ.update(environment)
        settings = load_settings()
        engine = connect(settings.postgres)
        migrate(engine)
        create_topics(settings.kafka)
        posts = PostStore(engine)
        # The broker keeps its messages in memory and has just begun again at offset 0; Redis is empty.
        posts.reset_progress(settings.kafka.topic)
        WindowStore(settings.redis).rebuild(posts, clock)
        with Supervisor(servers.run_dir, environment) as workers:
            workers.start("stream", [sys.executable, "-m", "bearometer", "stream"], stream_workers)
            workers.start("alerts", [sys.executable, "-m", "bearometer", "alerts"])
            yield Stack(settings, servers, workers, posts, AlertStore(engine))
        engine.dispose()


def drain(stack: Stack, clock: Clock) -> None:
    """Give the stream some seconds to store what lies on the broker, whose memory ends with the stack.

    What is not stored by then comes again from its source, if that still has it; a warning says how much it is.
    """
    ends = end_offsets(stack.settings.kafka, stack.settings.kafka.topic)
    deadline = clock.monotonic() + _DRAIN_SECONDS
    while True:
        left = count_missing(stack.posts.progress(stack.settings.kafka.topic), ends)
        if not left:
            return
        if clock.monotonic() > deadline:
            log.warning("%d messages were still waiting for the stream when everything was stopped", left)
            return
        stack.wait(0.1)


def leave_up(stack: Stack) -> None:
    """Say how to reach a running stack, and wait for Ctrl-C or SIGTERM; raises Failed as `Stack.wait` does."""
    print(f"\nThe stack stays up until Ctrl-C. Everything lies in {stack.run_dir}. To look at it from another shell:")
    for name, value in stack.servers.environment.items():
        print(f"  export {name}='{value}'")
    print("  bearometer sql 'SELECT * FROM alert_history'", flush=True)
    with suppress(KeyboardInterrupt):
        while True:
            stack.wait(_LOOK_SECONDS)
