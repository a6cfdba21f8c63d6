import io
import json
from email import message_from_bytes
from pathlib import Path

import pytest

from alerts.console import ConsoleNotifier, DirectoryNotifier, file_stem
from bearometer.alert import NotificationReason
from bearometer.clock import ManualClock
from bearometer.errors import Transient
from bearometer.settings import AlertSettings
from tests.receivers import slack_problems
from tests.sample_alerts import HOSTILE_TEXTS, START, make_alert, make_delivery, make_post

ALERTS = AlertSettings()


def test_the_console_shows_the_message(capsys: pytest.CaptureFixture[str]) -> None:
    ConsoleNotifier(ALERTS).send(make_delivery())
    assert capsys.readouterr().out.startswith("HBRM: 15 negative posts by 14 authors in 24 h, 0.1 expected")


def test_the_console_shows_what_has_happened_and_the_other_alerts(capsys: pytest.CaptureFixture[str]) -> None:
    others = (make_alert("OTHR"), make_alert("THRD"))
    for reason, said in ((NotificationReason.ESCALATED, "much worse"), (NotificationReason.REPEATED, "still going on")):
        ConsoleNotifier(ALERTS).send(make_delivery(make_alert(evidence=None), reason=reason, others=others, dropped=3))
        shown = capsys.readouterr().out
        assert said in shown.partition("\n")[0]
        assert shown.count("\n- ") == 2
        assert "3 earlier messages" in shown


def test_a_console_that_knows_only_ascii_still_shows_it() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    ConsoleNotifier(ALERTS, stream).send(make_delivery())
    assert raw.getvalue().startswith(b"HBRM: 15 negative posts")


def test_a_closed_console_may_be_tried_again() -> None:
    stream = io.StringIO()
    stream.close()
    with pytest.raises(Transient, match="the console cannot be written to"):
        ConsoleNotifier(ALERTS, stream).send(make_delivery())


def test_the_folder_holds_the_message_as_each_medium_shows_it(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "alerts"
    delivery = make_delivery(notifier="directory")
    sender = DirectoryNotifier(folder, ALERTS, ManualClock(START))
    sender.send(delivery)
    stem = file_stem(delivery)
    names = {f"{stem}{suffix}" for suffix in (".txt", ".html", ".png", ".eml", ".slack.json")}
    assert {path.name for path in folder.iterdir()} == names
    assert (folder / f"{stem}.txt").read_text("utf-8").startswith("HBRM: 15 negative posts")
    assert 'src="data:image/png;base64,' in (folder / f"{stem}.html").read_text("utf-8")
    assert (folder / f"{stem}.png").read_bytes().startswith(b"\x89PNG")
    assert "HBRM" in message_from_bytes((folder / f"{stem}.eml").read_bytes())["Subject"]
    assert slack_problems(json.loads((folder / f"{stem}.slack.json").read_text("utf-8"))) == []
    sender.send(delivery)
    assert {path.name for path in folder.iterdir()} == names


@pytest.mark.parametrize("symbol", [*HOSTILE_TEXTS, "../../etc/passwd", "/abs", "..", "CON", "a:b", "x" * 500])
def test_no_symbol_leads_out_of_the_folder(symbol: str, tmp_path: Path) -> None:
    delivery = make_delivery(make_alert(symbol, posts=(make_post(symbol),)), notifier="directory")
    DirectoryNotifier(tmp_path / "inside", ALERTS, ManualClock(START)).send(delivery)
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]
    assert len(list((tmp_path / "inside").iterdir())) == 5


def test_a_place_that_is_no_folder_may_be_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Transient, match="cannot be written to"):
        DirectoryNotifier(tmp_path / "file", ALERTS, ManualClock(START)).send(make_delivery())
