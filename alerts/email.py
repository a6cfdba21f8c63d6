"""Email: an alert as text, HTML and an inline picture, handed to a mail server over verified TLS.

There is one notifier per recipient, so that each recipient has a delivery of its own in the store: when a server
takes a mail for one and refuses another, only the other one is tried again, also after a crash.

An alert's mails are one thread. Its first one has a Message-ID that follows from the alert and the recipient, and the
later ones refer to it, whatever has become of it. Some clients also want the subject to stay the same, so the first
one's is the receipt and comes back with the later ones.
"""

import hashlib
import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime

from alerts.chart import render_chart
from alerts.html import render_html
from alerts.message import Message, compose, render_text
from alerts.slack import is_loopback
from bearometer.alert import Delivery, NotificationReason, Severity
from bearometer.clock import Clock
from bearometer.errors import Failed, Misconfigured, Transient, Unavailable
from bearometer.settings import AlertSettings, EmailSettings
from bearometer.terminal import plain

__all__ = ["EmailNotifier", "check", "compose_mail", "parse_address", "subject"]

MAX_SUBJECT_CHARS = 150
MAX_REPLY_CHARS = 200
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

    def send(self, delivery: Delivery) -> str | None:
        """Hand the mail over; returning means that the server has taken it for the recipient. Returns its subject.

        The same delivery always has the same Message-ID, so that a receiver can drop a repeat. Raises Transient
        for connection trouble, TLS trouble, a refused login and 4xx replies, Failed for other 5xx replies; none of
        their texts holds the password.
        """
        sender = parse_address(self._settings.sender, "email.sender")
        message = compose(delivery, self._alerts)
        mail = compose_mail(delivery, message, sender, self._recipient, self._clock.now())
        with _translated_errors(self._settings), _session(self._settings) as server:
            server.send_message(mail, from_addr=sender.addr_spec, to_addrs=[self._recipient.addr_spec])
        return subject(delivery, message)


def check(settings: EmailSettings) -> None:
    """Connect, secure the connection, log in and leave again, without sending anything.

    Raises Misconfigured for a wrong setting, and Unavailable when the server cannot be reached or trusted, or refuses
    the login.
    """
    _check_settings(settings)
    parse_address(settings.sender, "email.sender")
    for recipient in settings.recipients:
        parse_address(recipient, "email.recipients")
    with _translated_errors(settings), _session(settings) as server:
        server.noop()


def compose_mail(
    delivery: Delivery, message: Message, sender: Address, recipient: Address, sent_at: datetime
) -> EmailMessage:
    """The mail: text, and HTML with the chart inside; no header holds more than one line, whatever the symbol."""
    mail = EmailMessage(policy=SMTP_POLICY)
    digest = _digest(delivery.id)
    first = f"<{_digest(f'{recipient.addr_spec}:{delivery.alert.id}')}@{sender.domain}>"
    begins = delivery.reason is NotificationReason.FIRING and delivery.thread is None
    mail["Subject"] = subject(delivery, message)
    mail["From"] = sender
    mail["To"] = recipient
    mail["Date"] = format_datetime(sent_at)
    mail["Message-ID"] = first if begins else f"<{digest}@{sender.domain}>"
    if not begins:
        mail["In-Reply-To"] = first
        mail["References"] = first
    if delivery.alert.severity is Severity.CRITICAL and not message.resolved:
        mail["Importance"] = "high"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["List-ID"] = f"Bearometer alerts <alerts.{sender.domain}>"
    mail.set_content(render_text(message))
    chart = render_chart(message.symbol, message.chart, message.highlight)
    picture = f"chart-{digest}@{sender.domain}"
    mail.add_alternative(render_html(message, f"cid:{picture}" if chart else None), subtype="html")
    if chart:
        page = mail.get_payload(1)
        assert isinstance(page, EmailMessage)
        page.add_related(chart, "image", "png", cid=f"<{picture}>", filename="chart.png", disposition="inline")
    return mail


def subject(delivery: Delivery, message: Message) -> str:
    """The headline in the subject's one line; of a later mail the first one's, as an answer to it."""
    if delivery.thread:
        return "Re: " + plain(delivery.thread.removeprefix("Re: "), MAX_SUBJECT_CHARS)
    return plain(f"[Bearometer] {message.headline}", MAX_SUBJECT_CHARS)


def _digest(text: str) -> str:
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


@contextmanager
def _session(settings: EmailSettings) -> Iterator[smtplib.SMTP]:
    assert settings.host
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except ssl.SSLError:
        message = f"`email.ca_file` is {settings.ca_file}; it holds no certificate in PEM"
        raise Misconfigured(message) from None
    server: smtplib.SMTP
    if settings.security == "tls":
        server = smtplib.SMTP_SSL(settings.host, settings.port, timeout=settings.timeout_seconds, context=context)
    else:
        server = smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout_seconds)
    try:
        if settings.security == "starttls":
            server.starttls(context=context)
        if settings.username and settings.password:
            server.login(settings.username, settings.password.get_secret_value())
        yield server
        # The mail is taken: a farewell that goes wrong must not look like a failure and send it twice.
        with suppress(smtplib.SMTPException, OSError):
            server.quit()
    finally:
        server.close()


@contextmanager
def _translated_errors(settings: EmailSettings) -> Iterator[None]:
    where = f"the mail server {settings.host}:{settings.port}"
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        # A person can mend a password, and the alerts of that hour must not be given up meanwhile.
        message = f"{where} refuses the login of {settings.username}: {_reply(error.smtp_code, b'')}"
        raise Unavailable(message) from None
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()))
        address = next(iter(error.recipients))
        message = f"{where} refuses the recipient {address}: {_reply(code, said)}"
        raise (Failed(message) if code >= 500 else Transient(message)) from None
    except (smtplib.SMTPConnectError, smtplib.SMTPHeloError, smtplib.SMTPSenderRefused) as error:
        # It is about us, not about this message: a relay that blocks us must not have all alerts given up.
        message = f"{where} answered {_reply(error.smtp_code, error.smtp_error)}"
        raise Unavailable(message) from None
    except smtplib.SMTPResponseException as error:
        message = f"{where} answered {_reply(error.smtp_code, error.smtp_error)}"
        raise (Failed(message) if error.smtp_code >= 500 else Transient(message)) from None
    except smtplib.SMTPNotSupportedError as error:
        # Somebody in between may have cut STARTTLS out: that must neither downgrade nor lose the mail.
        message = f"{where} does not offer what the settings ask for: {plain(str(error), 100)}"
        raise Unavailable(message) from None
    except smtplib.SMTPException as error:
        message = f"{where} broke off: {type(error).__name__}"
        raise Unavailable(message) from None
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", None) or error.reason or type(error).__name__
        message = f"{where} cannot be trusted: {reason}"
        raise Unavailable(message) from None
    except OSError as error:
        reason = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or type(error).__name__
        message = f"{where} cannot be reached: {reason}"
        raise Unavailable(message) from None


def _reply(code: int, said: bytes | str) -> str:
    words = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return f"{code} {plain(words, MAX_REPLY_CHARS)}".strip()
