import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from pydantic import SecretStr

from alerts.apprise import AppriseNotifier, escape
from bearometer.alert import NotificationReason, Severity
from bearometer.errors import Misconfigured, MissingExtra, Transient, Unavailable
from bearometer.settings import AlertSettings, AppriseSettings
from tests.receivers import Answer
from tests.sample_alerts import hostile_text, make_alert, make_delivery, make_resolved
from tests.vendor_receivers import AppriseReceiver

SETTINGS = AlertSettings()


def notifier(url: str, timeout_seconds: float = 30.0) -> AppriseNotifier:
    return AppriseNotifier(AppriseSettings(url=SecretStr(url), timeout_seconds=timeout_seconds), SETTINGS)


def test_the_service_gets_the_message_as_text() -> None:
    with AppriseReceiver() as server:
        notifier(server.service).send(make_delivery())
    (payload,) = server.accepted
    assert payload["title"].startswith("HBRM: 15 negative posts by 14 authors in 24 h")
    assert "Harbor Mills warns of a weak quarter & shuts a plant" in payload["message"]
    assert payload["type"] == "warning"


def test_the_kind_of_message_follows_the_severity_and_the_end() -> None:
    with AppriseReceiver() as server:
        sender = notifier(server.service)
        sender.send(make_delivery(make_alert(severity=Severity.CRITICAL)))
        sender.send(make_delivery(make_resolved(), reason=NotificationReason.RESOLVED))
    assert [payload["type"] for payload in server.accepted] == ["failure", "success"]


@settings(deadline=None)
@given(hostile_text)
def test_text_is_dead_wherever_it_ends_up(text: str) -> None:
    dead = escape(text)
    assert not {"<", ">"} & set(dead)
    assert "@everyone" not in dead
    assert "http://" not in dead


def test_a_failure_is_told_without_the_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "")
    with AppriseReceiver() as server:
        server.answers.append(Answer(503, "SECRETpath"))
        with pytest.raises(Transient, match=r"the service has not taken it: .*503") as caught:
            notifier(server.service).send(make_delivery())
    assert "SECRET" not in str(caught.value)


def test_a_redirect_is_not_followed() -> None:
    with AppriseReceiver() as target, AppriseReceiver() as server:
        server.answers.append(Answer(307, "", {"Location": target.url}))
        with pytest.raises(Transient):
            notifier(server.service).send(make_delivery())
        assert target.requests == 0


def test_silence_ends_at_the_timeout() -> None:
    with AppriseReceiver() as server:
        server.silent = True
        with pytest.raises(Unavailable, match="no answer in time"):
            notifier(server.service, timeout_seconds=0.3).send(make_delivery())


@pytest.mark.parametrize("url", ["", "SECRET", "file:///etc/SECRET", "nope://SECRET", "https://SECRET.example/x.yml"])
def test_what_is_no_service_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(Misconfigured, match=r"`apprise\.url`") as caught:
        notifier(url)
    assert "//SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("json://SECRET.example.com/x", "it must be jsons://"),
        (" JSON://10.0.0.7:8080/SECRET", "it must be jsons://"),
        ("xml://SECRET.example.com/x", "it must be xmls://"),
        ("form://SECRET.example.com/x", "it must be forms://"),
        ("gotify://example.com/SECRET123456789", "it must be gotifys://"),
        ("ntfy://example.com/SECRET", "it must be ntfys://"),
        ("toot://SECRET@example.com", "it must be toots://"),
        ("mailto://u:SECRET@example.com", "it must be mailtos://"),
        ("mailto://u:SECRET@localhost?smtp=mail.example.com", "it must be mailtos://"),
        ("mailtos://u:SECRET@example.com?mode=insecure", "says mode=insecure"),
        ("jsons://SECRET.example.com/x?verify=no", "says verify=no"),
        ("rsyslog://SECRET.example.com", "is never encrypted"),
    ],
)
def test_nothing_leaves_this_machine_without_verified_tls(url: str, words: str) -> None:
    with pytest.raises(Misconfigured, match=rf"`apprise\.url` .*{words}") as caught:
        notifier(url)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "jsons://example.com/x",
        "json://127.0.0.1:8080/x",
        "json://[::1]/x",
        "gotify://localhost/t0ken123456789",
        "ntfy://topic",  # the vendor's own server, over https
        "mailto://user:password@gmail.com",  # apprise knows that this one takes STARTTLS
        "mailto://user:password@localhost",
        "rsyslog://localhost",
        "syslog://",
        "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
        "tgram://123456789:AABBCCDDEEFFGGHHIIJJKKLLMMNNOOPPQQR/-1001234567890",
    ],
)
def test_what_is_encrypted_or_stays_on_this_machine_is_taken(url: str) -> None:
    assert notifier(url).name == "apprise"


def test_a_comma_does_not_make_two_services_of_one() -> None:
    with AppriseReceiver() as server:
        notifier(f"{server.service}?:x=1,{server.service}").send(make_delivery())
        assert server.requests == 1


def test_without_the_extra_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(MissingExtra, match=r"pip install 'bearometer\[apprise\]'"):
        notifier("json://localhost")


_SEND = """
import sys
from pydantic import SecretStr
from alerts.apprise import AppriseNotifier
from bearometer.settings import AlertSettings, AppriseSettings
from tests.sample_alerts import make_alert, make_delivery, make_post

post = make_post("file:///etc/passwd attach=file:///etc/passwd", url="file:///etc/passwd")
sender = AppriseNotifier(AppriseSettings(url=SecretStr(sys.argv[1])), AlertSettings())
sender.send(make_delivery(make_alert(posts=(post,))))
"""


def test_nothing_in_the_home_folder_is_read_or_written_and_nothing_is_attached(tmp_path: Path) -> None:
    plugins = [tmp_path / ".apprise" / "plugins", tmp_path / ".config" / "apprise" / "plugins"]
    for folder in plugins:
        folder.mkdir(parents=True)
        (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with AppriseReceiver() as server, AppriseReceiver() as other:
        for name in (".apprise", ".apprise.yml", ".config/apprise.yml", ".config/apprise/apprise.yml"):
            if not (tmp_path / name).is_dir():
                (tmp_path / name).write_text(json.dumps({"urls": [other.service]}))
        before = sorted(tmp_path.rglob("*"))
        environment = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / ".config")}
        environment |= {"APPRISE_URLS": other.service, "APPRISE_PLUGIN_PATH": str(plugins[0])}
        subprocess.run([sys.executable, "-c", _SEND, server.service], check=True, env=environment, timeout=120)
        assert other.requests == 0
    (payload,) = server.accepted
    assert payload["attachments"] == []
    assert sorted(tmp_path.rglob("*")) == before
