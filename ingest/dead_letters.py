"""Messages that could not be used: what they were, and publishing them again once the reason is gone."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from kafka.structs import OffsetAndMetadata

from bearometer.errors import Rejected
from bearometer.settings import IngestSettings, KafkaSettings
from bearometer.wire import DeadLetter, decode_dead_letter
from ingest.kafka import Record, open_consumer, read_topic
from ingest.publisher import Publisher

__all__ = ["FoundLetter", "RepublishReport", "count_dead_letters", "list_dead_letters", "republish_dead_letters"]

_GROUP = "bearometer-dead-republish"


@dataclass(frozen=True, slots=True)
class FoundLetter:
    """A dead letter, where it lies on the dead-letter topic, and whether it was published again already."""

    partition: int
    offset: int
    letter: DeadLetter
    republished: bool


@dataclass(slots=True)
class RepublishReport:
    """What `republish_dead_letters` did."""

    republished: Counter[str] = field(default_factory=Counter)
    """How many for each reason."""
    already: int = 0
    """Letters that an earlier run published again."""
    unreadable: int = 0
    """Messages on the dead-letter topic that are no dead letters; they stay there."""


def count_dead_letters(settings: KafkaSettings) -> int:
    """How many messages lie on the dead-letter topic, whatever was done about them since."""
    return sum(1 for _ in read_topic(settings, settings.dead_topic))


def list_dead_letters(settings: KafkaSettings, reason: str | None = None) -> list[FoundLetter]:
    """All dead letters that the topic still holds, the newest first; only those of one reason, if it is given."""
    found = [letter for letter in _find(settings) if reason in {None, letter.letter.reason}]
    return sorted(found, key=lambda f: (f.letter.failed_at, f.offset), reverse=True)


def republish_dead_letters(
    settings: KafkaSettings, ingest: IngestSettings, reason: str | None = None, *, dry_run: bool = False
) -> RepublishReport:
    """Put the original bytes back where they came from, with their key; each letter once, however often it is run.

    What was published again is remembered as committed offsets, in a consumer group for each reason, so that a run
    for one reason does not hide the others. They are committed after the broker has acknowledged the messages: a run
    that is killed in between publishes some a second time, which changes nothing, since a post's id stays the same.
    A message that fails once more comes as a new dead letter. Raises as Publisher does.
    """
    report = RepublishReport()
    chosen: list[FoundLetter] = []
    for found in _find(settings, report):
        if found.republished:
            report.already += 1
        elif reason in {None, found.letter.reason}:
            chosen.append(found)
            report.republished[found.letter.reason] += 1
    if dry_run or not chosen:
        return report
    with Publisher(settings, ingest) as publisher:
        for found in chosen:
            letter = found.letter
            partition = None if letter.key is not None else letter.partition
            publisher.publish_bytes(letter.topic, letter.key, letter.value, partition)
        publisher.flush()
    for each in report.republished:
        _commit(settings, each, [found for found in chosen if found.letter.reason == each])
    return report


def _find(settings: KafkaSettings, report: RepublishReport | None = None) -> Iterator[FoundLetter]:
    done: dict[str, dict[int, int]] = {}
    for record in read_topic(settings, settings.dead_topic):
        letter = _decode(record)
        if letter is None:
            if report:
                report.unreadable += 1
            continue
        if letter.reason not in done:
            done[letter.reason] = _committed(settings, letter.reason)
        republished = record.offset < done[letter.reason].get(record.partition, 0)
        yield FoundLetter(record.partition, record.offset, letter, republished)


def _decode(record: Record) -> DeadLetter | None:
    with suppress(Rejected):
        return decode_dead_letter(record.value)
    return None


def _group(reason: str) -> str:
    return f"{_GROUP}.{reason}"


def _committed(settings: KafkaSettings, reason: str) -> dict[int, int]:
    with open_consumer(settings, settings.dead_topic, _group(reason)) as (consumer, partitions):
        return {partition.partition: consumer.committed(partition) or 0 for partition in partitions}


def _commit(settings: KafkaSettings, reason: str, letters: list[FoundLetter]) -> None:
    offsets: dict[int, int] = {}
    for found in letters:
        offsets[found.partition] = max(offsets.get(found.partition, 0), found.offset + 1)
    with open_consumer(settings, settings.dead_topic, _group(reason)) as (consumer, partitions):
        consumer.commit(
            {
                partition: OffsetAndMetadata(offsets[partition.partition], "", -1)
                for partition in partitions
                if partition.partition in offsets
            }
        )
