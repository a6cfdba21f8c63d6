"""Email: an alert as text, HTML and an inline picture, handed to a mail server over verified TLS.

There is one notifier per recipient, so that each recipient has a delivery of its own in the store: when a server
takes a mail for one and refuses another, only the other one is tried again, also after a crash.

An alert's mails are one thread. Its first one has a Message-ID that follows from the alert and the recipient, and the
later ones refer to it, whatever has become of it. Some clients also want the subject to stay the same, so the first
one's is the receipt and comes back with the later ones. A digest stands by itself.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime

from alerts.chart import render_chart
from alerts.digest import compose_digest, digest_html, digest_text
from alerts.html import render_html
from alerts.http import is_loopback
from alerts.message import Message, compose, render_text
from alerts.smtp import smtp_session
from bearometer.alert import Delivery, NotificationReason, Severity
from bearometer.clock import Clock
from bearometer.errors import Misconfigured
from bearometer.settings import AlertSettings, EmailSettings
from bearometer.terminal import plain

__all__ = ["EmailNotifier", "check", "compose_mail", "parse_address", "subject"]

MAX_SUBJECT_CHARS = 150
_BOX = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*"
_ADDRESS = re.compile(rf"""(?P<bare>{_BOX})|"?(?P<name>[^<>@,;:\\"\r\n]*)"?\s*<(?P<box>{_BOX})>""")
"""Plain ASCII addresses without quoted boxes: what every mail server takes."""


class EmailNotifier:
    """Mails alerts to one recipient; one connection per call of `send`."""

    def __init__(self, settings: EmailSettings, recipient: str, alerts: AlertSettings, clock: Clock) -> None:
        _check_settings(settings)
        self._settings = settings
        self._alerts = alerts
        self._clock = clock
        self._recipient = parse_address(recipient, "email.recipients")
        self.name = f"email:{self._recipient.addr_spec}"
        self.digest_seconds = settings.digest_minutes * 60.0

    def send(self, delivery: Delivery) -> str | None:
        """Hand the mail over; returning means that the server has taken it for the recipient. Returns its subject.

        The same delivery always has the same Message-ID, so that a receiver can drop a repeat. Raises Transient
        for connection trouble, TLS trouble, a refused login and 4xx replies, Failed for other 5xx replies; none of
        their texts holds the password.
        """
        sender = parse_address(self._settings.sender, "email.sender")
        message = compose(delivery, self._alerts)
        self._hand_over(compose_mail(delivery, message, sender, self._recipient, self._clock.now()), sender)
        return subject(delivery, message)

    def send_digest(self, deliveries: Sequence[Delivery]) -> None:
        """Hand over one mail that tells of all of them, the oldest first. The same ones have the same Message-ID.

        Raises as `send` does.
        """
        sender = parse_address(self._settings.sender, "email.sender")
        digest = compose_digest(deliveries, self._alerts)
        together = _hash("\n".join(sorted(delivery.id for delivery in deliveries)))
        mail = _new_mail(sender, self._recipient, self._clock.now(), f"<{together}@{sender.domain}>")
        mail["Subject"] = plain(f"[Bearometer] {digest.title}", MAX_SUBJECT_CHARS)
        mail.set_content(digest_text(digest))
        mail.add_alternative(digest_html(digest), subtype="html")
        self._hand_over(mail, sender)

    def _hand_over(self, mail: EmailMessage, sender: Address) -> None:
        with smtp_session(self._settings) as server:
            server.send_message(mail, from_addr=sender.addr_spec, to_addrs=[self._recipient.addr_spec])


def check(settings: EmailSettings) -> None:
    """Connect, secure the connection, log in and leave again, without sending anything.

    Raises Misconfigured for a wrong setting, and Unavailable when the server cannot be reached or trusted, or refuses
    the login.
    """
    _check_settings(settings)
    parse_address(settings.sender, "email.sender")
    for recipient in settings.recipients:
        parse_address(recipient, "email.recipients")
    with smtp_session(settings) as server:
        server.noop()


def compose_mail(
    delivery: Delivery, message: Message, sender: Address, recipient: Address, sent_at: datetime
) -> EmailMessage:
    """The mail: text, and HTML with the chart inside; no header holds more than one line, whatever the symbol."""
    digest = _hash(delivery.id)
    first = f"<{_hash(f'{recipient.addr_spec}:{delivery.alert.id}')}@{sender.domain}>"
    begins = delivery.reason is NotificationReason.FIRING and delivery.thread is None
    mail = _new_mail(sender, recipient, sent_at, first if begins else f"<{digest}@{sender.domain}>")
    mail["Subject"] = subject(delivery, message)
    if not begins:
        mail["In-Reply-To"] = first
        mail["References"] = first
    if delivery.alert.severity is Severity.CRITICAL and not message.resolved:
        mail["Importance"] = "high"
    mail.set_content(render_text(message))
    chart = render_chart(message.symbol, message.chart, message.highlight)
    picture = f"chart-{digest}@{sender.domain}"
    mail.add_alternative(render_html(message, f"cid:{picture}" if chart else None), subtype="html")
    if chart:
        page = mail.get_payload(1)
        assert isinstance(page, EmailMessage)
        page.add_related(chart, "image", "png", cid=f"<{picture}>", filename="chart.png", disposition="inline")
    return mail


def _new_mail(sender: Address, recipient: Address, sent_at: datetime, message_id: str) -> EmailMessage:
    mail = EmailMessage(policy=SMTP_POLICY)
    mail["From"] = sender
    mail["To"] = recipient
    mail["Date"] = format_datetime(sent_at)
    mail["Message-ID"] = message_id
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["List-ID"] = f"Bearometer alerts <alerts.{sender.domain}>"
    return mail


def subject(delivery: Delivery, message: Message) -> str:
    """The headline in the subject's one line; of a later mail the first one's, as an answer to it."""
    if delivery.thread:
        return "Re: " + plain(delivery.thread.removeprefix("Re: "), MAX_SUBJECT_CHARS)
    return plain(f"[Bearometer] {message.headline}", MAX_SUBJECT_CHARS)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def parse_address(text: str, setting: str) -> Address:
    """`Name <box@host>` or `box@host`, in ASCII; Misconfigured, naming the setting, for anything else."""
    found = _ADDRESS.fullmatch(text.strip(" "))
    if not found:
        message = f"`{setting}` is {plain(text, 80)!r}; it must be an address such as alerts@example.com"
        raise Misconfigured(message)
    name, box = plain(found["name"] or "", 80), found["bare"] or found["box"]
    return Address(display_name=name, addr_spec=box)


def _check_settings(settings: EmailSettings) -> None:
    if not settings.host:
        message = "`email.host` is missing; it must name the mail server"
        raise Misconfigured(message)
    if settings.security == "none" and not is_loopback(settings.host):
        message = f"`email.security` is none with host {plain(settings.host, 80)}; it must be starttls or tls"
        raise Misconfigured(message)
    if bool(settings.username) != bool(settings.password):
        message = "`email.username` and `email.password` must be given together or not at all"
        raise Misconfigured(message)
    if not ((settings.username or "") + (settings.password.get_secret_value() if settings.password else "")).isascii():
        message = "`email.username` or `email.password` holds letters that are not ASCII; SMTP logins cannot carry them"
        raise Misconfigured(message)
    if settings.ca_file is not None and not settings.ca_file.is_file():
        message = f"`email.ca_file` is {settings.ca_file}; there is no such file"
        raise Misconfigured(message)
