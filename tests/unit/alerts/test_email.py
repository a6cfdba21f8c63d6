import dataclasses
import ssl
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default as default_policy
from html.parser import HTMLParser
from pathlib import Path

import pytest
import trustme
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from pydantic import SecretStr

from alerts.email import EmailNotifier, check, compose_mail, parse_address
from alerts.html import render_html
from alerts.message import MAX_POST_CHARS, compose
from bearometer.alert import NotificationReason, Severity
from bearometer.clock import ManualClock
from bearometer.errors import Failed, Misconfigured, Transient, Unavailable
from bearometer.settings import AlertSettings, EmailSettings
from bearometer.terminal import plain
from tests.receivers import SmtpReceiver
from tests.sample_alerts import START, hostile_text, make_alert, make_delivery, make_post, make_resolved

ALERTS = AlertSettings()
RISK = "risk@example.com"


@dataclasses.dataclass(frozen=True)
class Tls:
    server: ssl.SSLContext
    ca_file: Path


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    ca_file = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    return Tls(context, ca_file)


@pytest.fixture
def server() -> Iterator[SmtpReceiver]:
    with SmtpReceiver() as running:
        yield running


def plain_settings(server: SmtpReceiver) -> EmailSettings:
    return EmailSettings(host="127.0.0.1", port=server.port, security="none", recipients=(RISK,), timeout_seconds=10)


def notifier(settings: EmailSettings, recipient: str = RISK) -> EmailNotifier:
    return EmailNotifier(settings, recipient, ALERTS, ManualClock(START))


def test_the_mail_arrives_with_text_page_and_inline_chart(server: SmtpReceiver) -> None:
    notifier(plain_settings(server)).send(make_delivery())
    (mail,) = server.mails
    assert mail["Subject"] == (
        "[Bearometer] HBRM: 15 negative posts by 14 authors in 24 h, 0.1 expected; odds 1 in 10^15"
    )
    assert (mail["To"], mail["From"], mail["Auto-Submitted"]) == (RISK, "bearometer@localhost", "auto-generated")
    assert mail.get_content_type() == "multipart/alternative"
    text, related = mail.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert "Harbor Mills warns of a weak quarter & shuts a plant" in text.get_content()
    assert related.get_content_type() == "multipart/related"
    page, chart = related.iter_parts()
    assert f'src="cid:{chart["Content-ID"].strip("<>")}"' in page.get_content()
    assert (chart.get_content_type(), chart.get_content_disposition()) == ("image/png", "inline")
    assert chart.get_content().startswith(b"\x89PNG")
    assert server.envelopes[0].rcpt_tos == [RISK]


def test_a_delivery_sent_twice_has_the_same_message_id(server: SmtpReceiver) -> None:
    clock = ManualClock(START)
    sender = EmailNotifier(plain_settings(server), RISK, ALERTS, clock)
    sender.send(make_delivery())
    clock.advance(timedelta(minutes=5))
    sender.send(make_delivery())
    sender.send(make_delivery(make_alert("OTHR")))
    first, second, other = (mail["Message-ID"] for mail in server.mails)
    assert first == second != other


def test_an_alerts_mails_are_one_thread_with_one_subject(server: SmtpReceiver) -> None:
    sender, alert = notifier(plain_settings(server)), make_alert()
    worse = dataclasses.replace(alert, peak=dataclasses.replace(alert.peak, negative=99, authors=80))
    told = [
        (alert, NotificationReason.FIRING),
        (worse, NotificationReason.ESCALATED),
        (worse, NotificationReason.ACKNOWLEDGED),
        (make_resolved(worse), NotificationReason.RESOLVED),
    ]
    receipt = None
    for each, reason in told:
        given = sender.send(make_delivery(each, sender.name, reason, thread=receipt))
        receipt = receipt or given
    first, *later = server.mails
    assert receipt == first["Subject"]
    assert (first["In-Reply-To"], first["References"]) == (None, None)
    assert len({mail["Message-ID"] for mail in server.mails}) == 4
    for mail in later:
        assert mail["Subject"] == f"Re: {first['Subject']}"
        assert mail["In-Reply-To"] == mail["References"] == first["Message-ID"]
    assert later[-1].get_body(("plain",)).get_content().startswith("HBRM: over after")  # type: ignore[union-attr]


def test_a_later_mail_finds_its_thread_although_the_receipt_of_the_first_was_lost(server: SmtpReceiver) -> None:
    sender = notifier(plain_settings(server))
    sender.send(make_delivery())
    sender.send(make_delivery(make_resolved(), reason=NotificationReason.RESOLVED))
    first, later = server.mails
    assert later["References"] == first["Message-ID"]
    assert later["Subject"].startswith("[Bearometer] HBRM: over after")


def test_a_beginning_that_is_mailed_late_answers_what_went_before(server: SmtpReceiver) -> None:
    sender = notifier(plain_settings(server))
    receipt = sender.send(make_delivery(make_resolved(), reason=NotificationReason.RESOLVED))
    sender.send(make_delivery(thread=receipt))
    end, beginning = server.mails
    assert beginning["Subject"] == f"Re: {end['Subject']}"
    assert beginning["References"] == end["References"]


def test_the_threads_of_two_recipients_and_of_two_alerts_are_apart(server: SmtpReceiver) -> None:
    for box in (RISK, "desk@example.com"):
        for symbol in ("HBRM", "OTHR"):
            notifier(plain_settings(server), box).send(make_delivery(make_alert(symbol)))
    assert len({mail["Message-ID"] for mail in server.mails}) == 4


def test_a_critical_alert_is_marked_as_important_until_it_is_over(server: SmtpReceiver) -> None:
    sender, alert = notifier(plain_settings(server)), make_alert(severity=Severity.CRITICAL)
    sender.send(make_delivery())
    sender.send(make_delivery(alert))
    sender.send(make_delivery(alert, reason=NotificationReason.ESCALATED))
    sender.send(make_delivery(make_resolved(alert), reason=NotificationReason.RESOLVED))
    assert [mail["Importance"] for mail in server.mails] == [None, "high", "high", None]


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # aiosmtpd looks for STARTTLS only
@pytest.mark.parametrize("implicit", [False, True])
def test_the_mail_travels_over_verified_tls_after_a_login(tls: Tls, implicit: bool) -> None:
    with SmtpReceiver(tls.server, implicit_tls=implicit, login=("bear", "pass word")) as server:
        settings = EmailSettings(
            host="localhost",
            port=server.port,
            security="tls" if implicit else "starttls",
            ca_file=tls.ca_file,
            username="bear",
            password=SecretStr("pass word"),
            recipients=(RISK,),
        )
        check(settings)
        assert server.mails == []
        notifier(settings).send(make_delivery())
        assert (len(server.mails), server.secured) == (1, 1)


@pytest.mark.parametrize("implicit", [False, True])
def test_a_certificate_that_nobody_vouches_for_gets_no_mail(tls: Tls, implicit: bool) -> None:
    with SmtpReceiver(tls.server, implicit_tls=implicit) as server:
        settings = EmailSettings(
            host="localhost", port=server.port, security="tls" if implicit else "starttls", recipients=(RISK,)
        )
        with pytest.raises(Unavailable, match="cannot be trusted"):
            check(settings)
        with pytest.raises(Unavailable, match="cannot be trusted"):
            notifier(settings).send(make_delivery())
        assert server.mails == []


def test_a_certificate_for_another_name_gets_no_mail(tls: Tls) -> None:
    with SmtpReceiver(tls.server) as server:
        settings = EmailSettings(host="127.0.0.1", port=server.port, ca_file=tls.ca_file, recipients=(RISK,))
        with pytest.raises(Unavailable, match="cannot be trusted"):
            notifier(settings).send(make_delivery())


def test_a_server_without_starttls_gets_no_mail(server: SmtpReceiver) -> None:
    settings = EmailSettings(host="127.0.0.1", port=server.port, recipients=(RISK,))
    with pytest.raises(Unavailable, match="STARTTLS"):
        notifier(settings).send(make_delivery())
    assert server.mails == []


def test_a_wrong_password_is_one_line_without_the_password(tls: Tls) -> None:
    with SmtpReceiver(tls.server, login=("bear", "right")) as server:
        settings = EmailSettings(
            host="localhost",
            port=server.port,
            ca_file=tls.ca_file,
            username="bear",
            password=SecretStr("wr0ng-secret"),
            recipients=(RISK,),
        )
        with pytest.raises(Unavailable, match="refuses the login of bear: 535") as checked:
            check(settings)
        with pytest.raises(Unavailable, match="refuses the login of bear: 535") as sent:
            notifier(settings).send(make_delivery())
    for caught in (checked, sent):
        assert "wr0ng-secret" not in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_reply_of_4xx_may_pass_and_one_of_5xx_is_final(server: SmtpReceiver) -> None:
    sender = notifier(plain_settings(server))
    for replies in (server.rcpt_replies, server.data_replies):
        replies.append("451 greylisted, try later")
        with pytest.raises(Transient, match="451 greylisted, try later"):
            sender.send(make_delivery())
        replies.append("550 no such box")
        with pytest.raises(Failed, match="550 no such box"):
            sender.send(make_delivery())
    sender.send(make_delivery())
    assert len(server.mails) == 1


def test_a_refused_recipient_costs_the_others_nothing(server: SmtpReceiver) -> None:
    server.refused_recipients["gone@example.com"] = "550 left the firm"
    settings = plain_settings(server)
    notifier(settings, "risk@example.com").send(make_delivery())
    with pytest.raises(Failed, match=r"refuses the recipient gone@example\.com: 550 left the firm"):
        notifier(settings, "gone@example.com").send(make_delivery())
    notifier(settings, "desk@example.com").send(make_delivery())
    assert [envelope.rcpt_tos for envelope in server.envelopes] == [["risk@example.com"], ["desk@example.com"]]


def test_a_connection_lost_after_the_mail_may_be_tried_again(server: SmtpReceiver) -> None:
    server.drop_after_data = True
    with pytest.raises(Unavailable, match=r"broke off|cannot be reached"):
        notifier(plain_settings(server)).send(make_delivery())


def test_a_server_that_is_away_is_one_line() -> None:
    with SmtpReceiver() as server:
        settings = plain_settings(server)
    with pytest.raises(Unavailable, match=r"the mail server 127.0.0.1:\d+ cannot be reached: Connection refused"):
        notifier(settings).send(make_delivery())
    with pytest.raises(Unavailable):
        check(settings)


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"host": None}, "email.host"),
        ({"host": "mail.example.com", "security": "none"}, "email.security"),
        ({"username": "bear"}, "email.username"),
        ({"password": SecretStr("hidden-word")}, "email.password"),
        ({"username": "bear", "password": SecretStr("hidden-wörd")}, "email.password"),
        ({"ca_file": Path("no-such-file.pem")}, "email.ca_file"),
        ({"sender": "nobody"}, "email.sender"),
        ({"recipients": ("a@example.com\r\nRCPT TO:<b@example.com>",)}, "email.recipients"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, object], setting: str) -> None:
    settings = EmailSettings(host="localhost", security="tls").model_copy(update=changes)
    with pytest.raises(Misconfigured, match=setting) as caught:
        check(settings)
    assert "hidden" not in str(caught.value)


def test_a_file_that_holds_no_certificate_is_named(tmp_path: Path, server: SmtpReceiver) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text("not a certificate")
    with pytest.raises(Misconfigured, match=r"email\.ca_file"):
        check(plain_settings(server).model_copy(update={"ca_file": ca_file}))


@pytest.mark.parametrize("text", ["", "a", "a@b@c", "a b@c", "ä@example.com", "a@example.com, b@example.com", "<>"])
def test_what_is_not_one_plain_address_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured):
        parse_address(text, "email.sender")


def test_an_address_may_have_a_name() -> None:
    assert parse_address("Bear Alerts <bear@example.com>", "email.sender").display_name == "Bear Alerts"


HEADERS = {
    *("In-Reply-To", "References", "Importance"),
    *("Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress", "List-ID"),
    *("MIME-Version", "Content-Type"),
}


@hypothesis_settings(deadline=None)
@given(symbol=hostile_text, text=hostile_text, author=hostile_text, receipt=hostile_text)
def test_no_text_adds_a_header_line(symbol: str, text: str, author: str, receipt: str) -> None:
    post = make_post(text, author=author)
    alert = make_alert(symbol, posts=(post,), severity=Severity.CRITICAL)
    assert alert.evidence is not None
    alert = dataclasses.replace(alert, evidence=dataclasses.replace(alert.evidence, chart=()))
    box = Address("", addr_spec=RISK)
    delivery = make_delivery(alert, reason=NotificationReason.ESCALATED, thread=receipt)
    sent = compose_mail(delivery, compose(delivery, ALERTS), box, box, START).as_bytes()
    mail = message_from_bytes(sent, policy=default_policy)
    assert isinstance(mail, EmailMessage)
    assert (set(mail.keys()), len(mail.keys())) == (HEADERS, len(HEADERS))
    assert mail["To"] == RISK
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert max(len(line) for line in sent.split(b"\r\n")) <= 998


class Page(HTMLParser):
    """Collects elements, attributes, and the text of each blockquote's first division."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.attributes: set[str] = set()
        self.quotes: list[str] = []
        self._reading = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._reading = tag == "div" and self.elements[-1] == "blockquote"
        if self._reading:
            self.quotes.append("")
        self.elements.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]
        self.sources += [value or "" for name, value in attrs if name == "src"]

    def handle_endtag(self, tag: str) -> None:
        self._reading = False

    def handle_data(self, data: str) -> None:
        if self._reading:
            self.quotes[-1] += data


@hypothesis_settings(deadline=None)
@given(symbol=hostile_text, text=hostile_text, author=hostile_text, url=hostile_text)
def test_the_page_shows_a_post_as_it_was_written_and_takes_no_element_from_it(
    symbol: str, text: str, author: str, url: str
) -> None:
    harmless = Page(render_html(compose(make_delivery(), ALERTS), "cid:chart"))
    post = make_post(text, author=author, url=f"https://example.com/{url}")
    shown = Page(render_html(compose(make_delivery(make_alert(symbol, posts=(post,))), ALERTS), "cid:chart"))
    # Fewer where there is no link, and no command for a symbol that nobody could type.
    assert not Counter(shown.elements) - Counter(harmless.elements)
    assert shown.attributes <= harmless.attributes
    assert shown.quotes == [plain(text, MAX_POST_CHARS) or "(no text)"]
    assert shown.sources == ["cid:chart"]
    assert all(link.startswith("https://example.com/") for link in shown.links)
