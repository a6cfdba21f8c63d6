"""How the Faust application is set up; what it does is shown in tests/integration/test_stream.py."""

import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from bearometer.clock import SystemClock
from bearometer.settings import KafkaSettings, Settings, StreamSettings
from stream.app import build_app
from stream.score import BatchScorer
from tests.fakes import KeywordClassifier, MemoryPosts, MemoryWindows, make_sift


def configure(folder: Path, kafka: KafkaSettings) -> object:
    clock = SystemClock()
    scorer = BatchScorer(
        classifier=KeywordClassifier(),
        posts=MemoryPosts(),
        windows=MemoryWindows(),
        sift=make_sift(),
        clock=clock,
        cache_size=1,
        stop=threading.Event(),
    )
    settings = Settings(kafka=kafka, stream=StreamSettings(group="readers", session_timeout_seconds=8))
    return build_app(settings, scorer, clock, folder, lambda _: None).conf


def test_several_brokers_are_named_and_no_page_is_served(tmp_path: Path) -> None:
    conf = configure(tmp_path, KafkaSettings(servers="one:9092, two:9093"))
    assert [str(url) for url in conf.broker] == ["kafka://one:9092", "kafka://two:9093"]  # type: ignore[attr-defined]
    assert not conf.web_enabled  # type: ignore[attr-defined]
    assert (conf.id, conf.broker_session_timeout) == ("readers", 8)  # type: ignore[attr-defined]
    assert conf.broker_credentials is None  # type: ignore[attr-defined]


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
def test_the_broker_is_logged_in_to(tmp_path: Path, protocol: str, mechanism: str) -> None:
    kafka = KafkaSettings.model_validate(
        {
            "security_protocol": protocol,
            "sasl_mechanism": mechanism,
            "username": "reader",
            "password": SecretStr("hunter2"),
        }
    )
    credentials = configure(tmp_path, kafka).broker_credentials  # type: ignore[attr-defined]
    assert (credentials.username, credentials.password) == ("reader", "hunter2")
    assert credentials.mechanism.value == mechanism
    assert credentials.protocol.value == protocol
    assert "hunter2" not in repr(credentials)


def test_encryption_alone_checks_the_brokers_certificate(tmp_path: Path) -> None:
    credentials = configure(tmp_path, KafkaSettings(security_protocol="SSL")).broker_credentials  # type: ignore[attr-defined]
    assert credentials.protocol.value == "SSL"
    assert credentials.context.check_hostname
