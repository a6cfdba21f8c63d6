"""Dead letters on a real broker: listed, and published again once."""

from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from bearometer.cli import build_cli
from bearometer.settings import IngestSettings, KafkaSettings
from bearometer.wire import DeadLetter, encode_dead_letter
from ingest.dead_letters import count_dead_letters, list_dead_letters, republish_dead_letters
from ingest.kafka import create_topics, read_topic
from ingest.publisher import Publisher
from tests.conftest import Topics

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
INGEST = IngestSettings()


@pytest.fixture
def kafka(broker: str, topics: Topics) -> KafkaSettings:
    settings = KafkaSettings(
        servers=broker, topic=topics.posts, dead_topic=topics.dead, partitions=2, idempotence=False
    )
    create_topics(settings)
    return settings


def bury(settings: KafkaSettings, *numbers: int, reason: str = "undecodable", topic: str | None = None) -> None:
    with Publisher(settings, INGEST) as publisher:
        for number in numbers:
            letter = DeadLetter(
                reason=reason,
                detail="not JSON\x1b[2J",
                topic=topic or settings.topic,
                partition=number % 2,
                offset=number,
                failed_at=NOW + timedelta(seconds=number),
                key=f"key {number}".encode() if number % 3 else None,
                value=f"\xff{number}\x1b[31m".encode("latin-1"),
            )
            publisher.publish_bytes(settings.dead_topic, None, encode_dead_letter(letter), number % 2)
        publisher.flush()


def published(settings: KafkaSettings) -> list[bytes | None]:
    return sorted((record.value for record in read_topic(settings, settings.topic)), key=lambda value: value or b"")


def values(*numbers: int) -> list[bytes]:
    return sorted(f"\xff{number}\x1b[31m".encode("latin-1") for number in numbers)


def test_the_newest_letters_come_first(kafka: KafkaSettings) -> None:
    bury(kafka, 1, 4, 2, 3)
    bury(kafka, 9, reason="unscorable")
    assert [found.letter.offset for found in list_dead_letters(kafka)] == [9, 4, 3, 2, 1]
    assert [found.letter.offset for found in list_dead_letters(kafka, "unscorable")] == [9]
    assert count_dead_letters(kafka) == 5


def test_letters_go_back_unchanged_with_their_key(kafka: KafkaSettings) -> None:
    bury(kafka, 1, 3)
    report = republish_dead_letters(kafka, INGEST)
    assert report.republished == {"undecodable": 2}
    assert published(kafka) == values(1, 3)
    keys = {record.value: (record.key, record.partition) for record in read_topic(kafka, kafka.topic)}
    assert keys[values(1)[0]][0] == b"key 1"
    assert keys[values(3)[0]] == (None, 1)


def test_a_second_run_publishes_nothing_again(kafka: KafkaSettings) -> None:
    bury(kafka, 1, 2)
    republish_dead_letters(kafka, INGEST)
    again = republish_dead_letters(kafka, INGEST)
    assert (again.republished.total(), again.already) == (0, 2)
    bury(kafka, 5)
    third = republish_dead_letters(kafka, INGEST)
    assert (third.republished.total(), third.already) == (1, 2)
    assert published(kafka) == values(1, 2, 5)
    assert all(found.republished for found in list_dead_letters(kafka))


def test_a_run_for_one_reason_hides_no_other(kafka: KafkaSettings) -> None:
    bury(kafka, 1, 2)
    bury(kafka, 3, 4, reason="unscorable")
    bury(kafka, 5, 6)
    assert republish_dead_letters(kafka, INGEST, "unscorable").republished == {"unscorable": 2}
    assert republish_dead_letters(kafka, INGEST).republished == {"undecodable": 4}
    assert published(kafka) == values(1, 2, 3, 4, 5, 6)


def test_a_dry_run_changes_nothing(kafka: KafkaSettings) -> None:
    bury(kafka, 1)
    assert republish_dead_letters(kafka, INGEST, dry_run=True).republished == {"undecodable": 1}
    assert published(kafka) == []
    assert republish_dead_letters(kafka, INGEST).republished == {"undecodable": 1}


def test_what_is_no_dead_letter_is_counted_and_left(kafka: KafkaSettings) -> None:
    bury(kafka, 1)
    with Publisher(kafka, INGEST) as publisher:
        publisher.publish_bytes(kafka.dead_topic, None, b"rubbish", 0)
        publisher.flush()
    report = republish_dead_letters(kafka, INGEST)
    assert (report.republished.total(), report.unreadable) == (1, 1)


def test_an_empty_topic_has_no_letters(kafka: KafkaSettings) -> None:
    assert list_dead_letters(kafka) == []
    assert republish_dead_letters(kafka, INGEST).republished.total() == 0


@pytest.fixture
def run(kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    for name in ("servers", "topic", "dead_topic"):
        monkeypatch.setenv(f"BEAROMETER_KAFKA__{name.upper()}", str(getattr(kafka, name)))
    monkeypatch.setenv("BEAROMETER_KAFKA__IDEMPOTENCE", "false")
    monkeypatch.setenv("BEAROMETER_KAFKA__PARTITIONS", "2")
    return CliRunner()


@pytest.mark.parametrize("output", ["table", "json"])
def test_hostile_text_is_listed_without_its_control_characters(
    kafka: KafkaSettings, run: CliRunner, output: str
) -> None:
    bury(kafka, 1)
    result = run.invoke(build_cli(), ["dead", "list", "--format", output])
    assert result.exit_code == 0
    assert "undecodable" in result.output
    assert "\x1b" not in result.output


def test_the_command_publishes_once(kafka: KafkaSettings, run: CliRunner) -> None:
    bury(kafka, 1, 2)
    first, second = (run.invoke(build_cli(), ["dead", "republish"]) for _ in range(2))
    assert "2 in all" in first.output
    assert "0 in all; 2 were published again before" in second.output
    assert published(kafka) == values(1, 2)
