"""Two threads and a queue of one: while a batch is classified and stored, the next one is tokenised."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from bearometer.wire import encode_dead_letter
from stream.dead_letter import DeadLetterGuard
from stream.report import StreamReport
from stream.score import Batch, BatchScorer, Message

__all__ = ["Event", "Pipeline"]

Place = tuple[str, int]


class Event(Protocol):
    """A Faust event: a message, and the way to let its offset go."""

    message: Any

    def ack(self) -> bool:
        """Mark the message as done; the offset is committed once all before it are done."""
        ...


class Pipeline:
    """Batches in order from the topic to the stores; a batch is acknowledged only when both stores have it."""

    def __init__(
        self,
        scorer: BatchScorer,
        guard: DeadLetterGuard,
        report: StreamReport,
        publish_dead: Callable[[bytes], Awaitable[None]],
    ) -> None:
        self._scorer = scorer
        self._guard = guard
        self.report = report
        self._publish_dead = publish_dead
        self._queue: asyncio.Queue[tuple[Sequence[Event], Batch]] = asyncio.Queue(maxsize=1)
        self._reader = ThreadPoolExecutor(1, "read")
        self._finisher = ThreadPoolExecutor(1, "finish")
        self.done: dict[Place, int] = {}
        """Next offset per topic and partition, of what this worker has finished."""

    async def read_batch(self, events: Sequence[Event]) -> None:
        """Tokenise a batch and hand it on; waits while the batch before the last is not finished."""
        messages = [_to_message(event) for event in events]
        loop = asyncio.get_running_loop()
        batch = await loop.run_in_executor(self._reader, self._scorer.read, messages)
        await self._queue.put((events, batch))

    async def keep_windows(self, every_seconds: float) -> None:
        """Look for ever, between batches, whether Redis has lost its windows, and restore them."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(every_seconds)
            await loop.run_in_executor(self._finisher, self._scorer.restore_windows)

    async def finish_batches(self) -> None:
        """Finish one batch after the other, for ever; whatever it raises must end the process."""
        loop = asyncio.get_running_loop()
        while True:
            events, batch = await self._queue.get()
            outcome = await loop.run_in_executor(self._finisher, self._scorer.finish, batch)
            self._guard.check(outcome.messages, len(outcome.dead))
            for letter in outcome.dead:
                await self._publish_dead(encode_dead_letter(letter))
            for event, message in zip(events, batch.messages, strict=True):
                event.ack()
                self.done[message.topic, message.partition] = message.offset + 1
            self.report.count(outcome.messages, outcome.posts, outcome.cache_hits, len(outcome.dead))


def _to_message(event: Event) -> Message:
    message = event.message
    return Message(message.topic, message.partition, message.offset, message.key, message.value)
