"""The Faust application: one agent that takes micro-batches and lets offsets go only after both stores have them.

What the shape rests on, found by experiment and proven again in tests/integration/test_stream.py:

- `stream.take` acknowledges in a `finally`, so that a handler that raises loses its batch: `noack_take` it is.
- Faust takes a gap of exactly one offset for done: every message of a batch is acknowledged, dead letters too.
- With the default supervisor an agent that raised stalls: here it crashes, the process ends, and whoever
  started it starts it again.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faust
from faust.auth import Credentials
from faust.types import TP
from mode import CrashingSupervisor

from bearometer.clock import Clock
from bearometer.settings import KafkaSettings, Settings
from stream.dead_letter import DeadLetterGuard
from stream.pipeline import Pipeline
from stream.report import StreamReport
from stream.score import BatchScorer

__all__ = ["build_app"]

log = logging.getLogger(__name__)

_WINDOW_CHECK_SECONDS = 5.0


def build_app(
    settings: Settings,
    scorer: BatchScorer,
    clock: Clock,
    work_dir: Path,
    on_end: Callable[[BaseException | None], None],
) -> faust.App:
    """The application of one worker.

    `on_end` is called when the worker is about to stop, with None, and when the agent failed, with its error.
    """
    app = _configure(settings, work_dir)
    posts = app.topic(
        settings.kafka.topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
    )
    dead = app.topic(settings.kafka.dead_topic, value_type=bytes, value_serializer="raw")

    async def publish_dead(value: bytes) -> None:
        await (await dead.send(value=value))

    pipeline = Pipeline(scorer, DeadLetterGuard(settings.stream.max_dead_share), StreamReport(clock), publish_dead)

    @app.agent(posts, supervisor_strategy=CrashingSupervisor, name="score")
    async def score(stream: Any) -> None:
        # noack_take gives the stream its old habit back when it ends, and then every message that was buffered when
        # the worker was stopped would be acknowledged unhandled, and lost: so there is no such habit.
        stream.enable_acks = False
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(pipeline.finish_batches())
                tasks.create_task(pipeline.keep_windows(_WINDOW_CHECK_SECONDS))
                async for events in stream.noack_take(
                    settings.stream.batch_size, within=settings.stream.batch_wait_seconds
                ):
                    await pipeline.read_batch(events)
        except ExceptionGroup as group:
            # The group is the TaskGroup's doing; what people need to see is what went wrong.
            on_end(group.exceptions[0])
            raise

    @app.timer(interval=settings.stream.report_seconds)  # type: ignore[untyped-decorator]
    async def report() -> None:
        log.info("%s", pipeline.report.take(_measure_lag(app, pipeline)))

    @app.on_before_shutdown.connect
    async def stop_retrying(*_: Any, **__: Any) -> None:
        on_end(None)

    return app


def _configure(settings: Settings, work_dir: Path) -> faust.App:
    kafka, stream = settings.kafka, settings.stream
    return faust.App(
        stream.group,
        broker=[f"kafka://{server.strip()}" for server in kafka.servers.split(",")],
        broker_credentials=_find_credentials(kafka),
        datadir=str(work_dir),
        # A worker has no pages of its own, and a second worker on the machine would die of the port.
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        producer_acks=-1,
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=0.5,
        broker_heartbeat_interval=1.0,
        broker_session_timeout=stream.session_timeout_seconds,
        broker_rebalance_timeout=stream.session_timeout_seconds,
        broker_request_timeout=max(30.0, stream.session_timeout_seconds * 3),
        # Otherwise SIGTERM waits for streams that never become empty.
        stream_wait_empty=False,
    )


def _find_credentials(kafka: KafkaSettings) -> Credentials | None:
    context = None
    if kafka.security_protocol.endswith("SSL"):
        context = ssl.create_default_context(cafile=str(kafka.ca_file) if kafka.ca_file else None)
    if kafka.security_protocol.startswith("SASL"):
        assert kafka.password is not None
        return faust.SASLCredentials(
            username=kafka.username,
            password=kafka.password.get_secret_value(),
            mechanism=kafka.sasl_mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context=context) if context else None


def _measure_lag(app: faust.App, pipeline: Pipeline) -> int:
    """Messages that wait on the partitions assigned to this worker, by the high watermark of their last fetch."""
    lag = 0
    for place in app.consumer.assignment():
        done = pipeline.done.get((place.topic, place.partition))
        high = app.consumer.highwater(TP(place.topic, place.partition))
        if done is not None and high is not None:
            lag += max(0, high - done)
    return lag
