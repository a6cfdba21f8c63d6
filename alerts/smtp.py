"""A session with the mail server: over verified TLS, with a login, within a time, and each trouble one line."""

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from bearometer.errors import Failed, Misconfigured, Transient, Unavailable
from bearometer.settings import EmailSettings
from bearometer.terminal import plain

__all__ = ["smtp_session"]

MAX_REPLY_CHARS = 200
NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL"})
"""OpenSSL's words for an answer in clear text; which one depends on its version."""


@contextmanager
def smtp_session(settings: EmailSettings) -> Iterator[smtplib.SMTP]:
    """A server that waits for a mail, as long as the block runs, and for `timeout_seconds` at most in all.

    Whatever goes wrong, in the block too, is raised as Misconfigured, Unavailable, Transient or, when the server
    refuses the mail itself for good, Failed; none of their texts holds the password.
    """
    assert settings.host
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except ssl.SSLError:
        message = f"`email.ca_file` is {settings.ca_file}; it holds no certificate in PEM"
        raise Misconfigured(message) from None
    seconds = settings.timeout_seconds
    server = _TlsServer(timeout=seconds, context=context) if settings.security == "tls" else _Server(timeout=seconds)
    with _translated_errors(settings, server):
        hang_up = threading.Timer(seconds, server.hang_up)
        hang_up.daemon = True
        hang_up.start()
        try:
            server.meet(settings.host, settings.port)
            if settings.security == "starttls":
                _start_tls(server, context, settings)
            if settings.username and settings.password:
                server.login(settings.username, settings.password.get_secret_value())
            yield server
            # The mail is taken: a farewell that goes wrong must not look like a failure and send it twice.
            with suppress(smtplib.SMTPException, OSError):
                server.quit()
        finally:
            hang_up.cancel()
            server.close()


class _Server(smtplib.SMTP):
    """Can be hung up on from another thread: smtplib's timeout is for each read, and a server may send in drops."""

    def __init__(self, *, timeout: float) -> None:
        super().__init__(timeout=timeout)
        self.was_too_slow = False
        self._line: socket.socket | None = None

    def meet(self, host: str, port: int) -> None:
        """Connect and hear the greeting; SMTPConnectError for one that is none."""
        self._host = host  # what the certificate must be for
        code, said = self.connect(host, port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)

    def hang_up(self) -> None:
        """End the connection under whoever reads or writes; what they get is an error of smtplib's or the system's."""
        self.was_too_slow = True
        if self._line is not None:
            with suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        super().close()
        if self._line is not None:
            self._line.close()

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        found: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc]
        self._line = found.dup()  # TLS takes the first one over
        if self.was_too_slow:
            found.close()
            raise TimeoutError
        return found


class _TlsServer(smtplib.SMTP_SSL, _Server):
    """The same, with TLS from the first byte on."""

    def __init__(self, *, timeout: float, context: ssl.SSLContext) -> None:
        self.context = context
        _Server.__init__(self, timeout=timeout)


def _start_tls(server: smtplib.SMTP, context: ssl.SSLContext, settings: EmailSettings) -> None:
    server.ehlo_or_helo_if_needed()
    try:
        server.starttls(context=context)
    except smtplib.SMTPResponseException as error:
        # Whatever the code is: it says nothing about the mail, which must not be given up for it, nor go without TLS.
        message = f"{_where(settings)} refuses STARTTLS: {_reply(error.smtp_code, error.smtp_error)}"
        raise Unavailable(message) from None


def _where(settings: EmailSettings) -> str:
    return f"the mail server {settings.host}:{settings.port}"


@contextmanager
def _translated_errors(settings: EmailSettings, server: _Server) -> Iterator[None]:
    where = _where(settings)
    try:
        try:
            yield
        except (smtplib.SMTPException, OSError) as error:
            # smtplib says of a read that took too long that the connection was closed.
            if server.was_too_slow or isinstance(error.__context__, TimeoutError):
                raise TimeoutError from None
            raise
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
        message = f"{where} broke off: {plain(str(error), 100) or type(error).__name__}"
        raise Unavailable(message) from None
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", None) or error.reason or type(error).__name__
        if error.reason in NO_TLS and settings.security == "tls":
            reason = "it does not speak TLS on that port; is `email.port` right, or `email.security` starttls?"
        message = f"{where} cannot be trusted: {reason}"
        raise Unavailable(message) from None
    except OSError as error:
        reason = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or type(error).__name__
        message = f"{where} cannot be reached: {reason}"
        raise Unavailable(message) from None


def _reply(code: int, said: bytes | str) -> str:
    words = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return f"{code} {plain(words, MAX_REPLY_CHARS)}".strip()
