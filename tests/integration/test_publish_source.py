"""What a replay leaves on the topic for those who share it."""

from datetime import timedelta

import pytest

from bearometer.clock import ManualClock
from bearometer.post import Heartbeat
from bearometer.replay import publish_source
from bearometer.settings import Settings
from bearometer.wire import decode
from ingest.kafka import create_topics, read_topic
from ingest.source import RawPost
from tests.fakes import NOON
from tests.unit.ingest.fakes import ListSource


@pytest.mark.parametrize(("shared", "last_beat"), [(True, timedelta(hours=1)), (False, timedelta(hours=49))])
def test_a_replay_moves_event_time_into_the_future_only_on_a_topic_of_its_own(
    settings: Settings, shared: bool, last_beat: timedelta
) -> None:
    create_topics(settings.kafka)
    source = ListSource([RawPost(text="Harbor Mills opens a plant", published_at=NOON, position="line 1")])
    published = publish_source(source, settings, ManualClock(NOON + timedelta(hours=1)), lambda _: None, shared=shared)
    messages = [decode(record.value) for record in read_topic(settings.kafka, settings.kafka.topic)]
    beats = [message.at for message in messages if isinstance(message, Heartbeat)]
    assert beats == [NOON + last_beat] * settings.kafka.partitions
    assert published.until == NOON + last_beat
