import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as default_policy
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings

from alerts.deliver import Pauses, deliver_next
from alerts.digest import compose_digest, digest_html, digest_text
from alerts.email import EmailNotifier
from alerts.notifier import Digesting
from bearometer.alert import Delivery, NotificationReason, Severity
from bearometer.clock import ManualClock
from bearometer.errors import Failed, Transient
from bearometer.settings import AlertSettings, EmailSettings
from tests.receivers import SmtpReceiver
from tests.sample_alerts import START, MemoryQueue, hostile_text, make_alert, make_delivery, make_resolved

SETTINGS = AlertSettings(max_attempts=3, max_backoff_seconds=60)
BOX = "email:risk@example.com"
HOUR = timedelta(hours=1)


def to_box(symbol: str = "HBRM", reason: NotificationReason = NotificationReason.FIRING, **changes: Any) -> Delivery:
    alert = make_alert(symbol, **changes)
    if reason is NotificationReason.RESOLVED:
        alert = make_resolved(alert)
    return make_delivery(alert, BOX, reason)


def test_each_alert_is_told_once_as_it_is_by_now_with_its_numbers_and_how_to_see_it() -> None:
    over = to_box("OTHR", NotificationReason.RESOLVED)
    text = digest_text(compose_digest([to_box("OTHR"), to_box("HBRM"), over], SETTINGS))
    assert text.splitlines() == [
        "Digest of 2 alerts: OTHR, HBRM",
        "",
        "1. OTHR: over after 2 days 5 h; at its worst 15 negative posts by 14 authors in 24 h, 0.1 expected",
        "   over since 2026-03-04 19:05 UTC, began 2026-03-02 14:05 UTC, warning",
        "   bearometer alerts show negative-spike:OTHR:2026-03-02T14:05:00+00:00",
        "",
        "2. HBRM: 15 negative posts by 14 authors in 24 h, 0.1 expected; odds 1 in 10^15",
        "   firing, began 2026-03-02 14:05 UTC, warning",
        "   bearometer alerts show negative-spike:HBRM:2026-03-02T14:05:00+00:00",
    ]


def test_the_alerts_of_a_message_about_many_are_counted_and_named_and_so_is_what_was_kept_back() -> None:
    shock = dataclasses.replace(to_box("AAA"), others=(make_alert("BBB"), make_alert("CCC")), dropped=2)
    digest = compose_digest([shock, to_box("BBB")], SETTINGS)
    text = digest_text(digest)
    assert digest.title == "Digest of 3 alerts: AAA, BBB"
    assert "   - CCC: 15 negative posts" in text
    assert text.endswith("\n2 messages more kept back by the cap of this route\n")


def test_of_many_symbols_the_title_names_the_first() -> None:
    digest = compose_digest([to_box(f"S{number}") for number in range(9)], SETTINGS)
    assert digest.title == "Digest of 9 alerts: S0, S1, S2, S3, S4 and 4 more"


def test_with_a_page_for_alerts_it_is_linked() -> None:
    page = digest_html(compose_digest([to_box()], AlertSettings(link_base="https://desk.example")))
    assert '<a href="https://desk.example/alerts/negative-spike%3AHBRM%3A2026' in page


class Page(HTMLParser):
    """Collects the elements of a page and what its links lead to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.links: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


@hypothesis_settings(deadline=None)
@given(symbol=hostile_text, other=hostile_text)
def test_no_text_breaks_a_digest(symbol: str, other: str) -> None:
    told = dataclasses.replace(to_box(symbol, id=f"negative-spike:{symbol}"), others=(make_alert(other),))
    digest = compose_digest([told, to_box()], SETTINGS)
    page = Page(digest_html(digest))
    known = {"html", "head", "meta", "title", "body", "h1", "ol", "ul", "li", "b", "div", "code", "p"}
    assert (page.elements - known, page.links) == (set(), [])
    text = digest_text(digest)
    assert len(text.splitlines()) == 1 + 4 + 1 + 4
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_digest_is_one_mail_that_says_how_many_alerts_it_has() -> None:
    with SmtpReceiver() as server:
        settings = EmailSettings(host="127.0.0.1", port=server.port, security="none", digest_minutes=60)
        sender = EmailNotifier(settings, "risk@example.com", SETTINGS, ManualClock(START))
        assert isinstance(sender, Digesting)
        assert sender.digest_seconds == 3600
        many = [to_box("HBRM"), to_box("OTHR")]
        sender.send_digest(many)
        sender.send_digest(list(reversed(many)))
        sender.send_digest([*many, to_box("THRD")])
    first, again, more = server.mails
    assert first["Subject"] == "[Bearometer] Digest of 2 alerts: HBRM, OTHR"
    assert first["Message-ID"] == again["Message-ID"] != more["Message-ID"]
    assert (first["To"], first["Auto-Submitted"], first["References"]) == ("risk@example.com", "auto-generated", None)
    text, page = first.iter_parts()
    assert text.get_content().startswith("Digest of 2 alerts: HBRM, OTHR")
    assert "<b>HBRM: 15 negative posts" in page.get_content()


@hypothesis_settings(deadline=None, max_examples=50)
@given(hostile_text)
def test_no_symbol_adds_a_header_line_to_a_digest(symbol: str) -> None:
    class Held(EmailNotifier):
        def _hand_over(self, mail: EmailMessage, sender: object) -> None:
            held.append(mail.as_bytes())

    held: list[bytes] = []
    settings = EmailSettings(host="localhost", security="none", digest_minutes=1)
    Held(settings, "risk@example.com", SETTINGS, ManualClock(START)).send_digest([to_box(symbol), to_box("OTHR")])
    mail = message_from_bytes(held[0], policy=default_policy)
    assert len(mail.keys()) == len(set(mail.keys())) == 10
    assert mail["To"] == "risk@example.com"


class Collecting:
    """Takes messages and digests, after it has raised what it was given, one each."""

    def __init__(self, *troubles: Exception, seconds: float = 3600.0) -> None:
        self.name = BOX
        self.digest_seconds = seconds
        self.troubles = list(troubles)
        self.taken: list[list[str]] = []

    def send(self, delivery: Delivery) -> str | None:
        self.send_digest([delivery])
        return None

    def send_digest(self, deliveries: Sequence[Delivery]) -> None:
        if self.troubles:
            raise self.troubles.pop(0)
        self.taken.append([each.alert.symbol for each in deliveries])


def deliver_due(queue: MemoryQueue, notifier: Collecting, clock: ManualClock, pauses: Pauses | None = None) -> None:
    pauses = pauses or Pauses(clock, 60)
    while deliver_next(queue, {BOX: notifier}, SETTINGS, clock, pauses):
        pass


def test_what_is_urgent_goes_at_once_and_the_rest_together_when_its_time_has_come() -> None:
    clock, box = ManualClock(START), Collecting()
    critical = to_box("CRIT", severity=Severity.CRITICAL)
    worse = to_box("AAA", NotificationReason.ESCALATED)
    queue = MemoryQueue(to_box("AAA"), critical, to_box("BBB"), worse)
    deliver_due(queue, box, clock)
    assert box.taken == [["CRIT"], ["AAA"]]
    clock.advance(HOUR - timedelta(seconds=1))
    deliver_due(queue, box, clock)
    assert len(box.taken) == 2
    clock.advance(timedelta(seconds=1))
    deliver_due(queue, box, clock)
    assert box.taken[2:] == [["BBB"]], "that AAA began is old news by now"
    assert len(queue.sent) == 4


def test_a_lone_message_is_no_digest() -> None:
    class Strict(Collecting):
        def send(self, delivery: Delivery) -> str | None:
            self.taken.append([delivery.id])
            return "its subject"

        def send_digest(self, deliveries: object) -> None:
            pytest.fail("one message is no digest")

    clock, box, delivery = ManualClock(START + HOUR), Strict(), to_box()
    queue = MemoryQueue(delivery)
    deliver_due(queue, box, clock)
    assert box.taken == [[delivery.id]]
    assert queue.receipts == {(delivery.alert.id, BOX): "its subject"}


def test_with_a_digest_of_no_length_each_message_goes_alone() -> None:
    box = Collecting(seconds=0.0)
    deliver_due(MemoryQueue(to_box("AAA"), to_box("BBB")), box, ManualClock(START))
    assert sorted(box.taken) == [["AAA"], ["BBB"]]


def test_a_digest_that_had_trouble_is_tried_again_whole_and_its_receiver_left_alone_meanwhile() -> None:
    clock, box = ManualClock(START + HOUR), Collecting(Transient("away", 30))
    queue, pauses = MemoryQueue(to_box("AAA"), to_box("BBB")), Pauses(clock, 60)
    deliver_due(queue, box, clock, pauses)
    assert [each.attempts for each in queue.waiting.values()] == [1, 1]
    queue.waiting["later"] = dataclasses.replace(to_box("CCC"), id="later")
    clock.advance(timedelta(seconds=29))
    deliver_due(queue, box, clock, pauses)
    assert box.taken == []
    clock.advance(timedelta(seconds=1))
    deliver_due(queue, box, clock, pauses)
    assert box.taken == [["AAA", "BBB", "CCC"]]
    assert not queue.waiting


def test_messages_are_given_up_each_after_its_own_number_of_tries() -> None:
    clock, box = ManualClock(START + HOUR), Collecting(Transient("away"))
    queue = MemoryQueue(dataclasses.replace(to_box("AAA"), attempts=2), to_box("BBB"))
    deliver_due(queue, box, clock)
    assert list(queue.given_up.values()) == ["away"]
    assert [(each.alert.symbol, each.attempts) for each in queue.waiting.values()] == [("BBB", 1)]


def test_a_digest_that_is_refused_is_given_up_and_a_defect_keeps_it() -> None:
    clock, box = ManualClock(START + HOUR), Collecting(KeyError("SECRET"), Failed("550 no such box"))
    queue = MemoryQueue(to_box("AAA"), to_box("BBB"))
    deliver_due(queue, box, clock)
    assert queue.errors == ["a defect in the notifier: KeyError (see the log)"] * 2
    clock.advance(timedelta(minutes=1))
    deliver_due(queue, box, clock)
    assert list(queue.given_up.values()) == ["550 no such box"] * 2
    assert not queue.waiting
