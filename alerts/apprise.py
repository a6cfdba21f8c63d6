"""Whatever apprise knows (appriseit.com): an alert as plain text, handed to one of its services.

apprise is asked for that one service and nothing else: it reads no configuration, loads no plugins beside its own,
keeps nothing on disk, follows no redirects and attaches nothing, so that a `file://` in a post is only text. As with
the other channels nothing leaves this machine unencrypted, and certificates are checked.
"""

import logging
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from alerts.fitting import fit, inert
from alerts.http import is_loopback
from alerts.message import compose, render_text
from bearometer.alert import Delivery, NotificationReason, Severity
from bearometer.errors import Misconfigured, MissingExtra, Transient, Unavailable
from bearometer.settings import AlertSettings, AppriseSettings
from bearometer.terminal import plain

if TYPE_CHECKING:
    from apprise import AppriseResult

__all__ = ["AppriseNotifier", "escape"]

# Not apprise's, which cuts or splits to what each service takes: what anybody would want to read.
MAX_TITLE_CHARS = 250
MAX_BODY_CHARS = 20_000
LEAST_SECRET_CHARS = 4

# https://appriseit.com/services/growl/ and …/rsyslog/
NEVER_ENCRYPTED = frozenset({"growl", "rsyslog"})
"""Services on another machine that apprise has no secure form for."""

_TYPES = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}


class AppriseNotifier:
    """Sends alerts through one service of apprise; at most one message per call of `send`."""

    name = "apprise"

    def __init__(self, settings: AppriseSettings, alerts: AlertSettings) -> None:
        try:
            import apprise  # noqa: PLC0415 - an extra, and slow to load
        except ImportError:
            package = extra = "apprise"
            raise MissingExtra(package, extra) from None
        url = settings.url.get_secret_value().strip() if settings.url else ""
        # Both log addresses. What apprise has to say of a failure comes with the result, from the logger all the same.
        logging.getLogger("urllib3").setLevel(logging.WARNING)
        logging.getLogger("apprise").propagate = False
        asset = apprise.AppriseAsset(
            app_id="Bearometer",
            async_mode=False,
            storage_mode="memory",
            http_redirects=False,
            interpret_emojis=False,
            interpret_escapes=False,
            allow_templates=False,
            service_timeout=settings.timeout_seconds,
        )
        # Not `Apprise.add`, which takes a text with a comma for several addresses.
        service = apprise.Apprise.instantiate(url, asset=asset)
        if service is None:
            message = (
                f"`apprise.url` begins with {plain(url.partition(':')[0], 20)!r}; it must be the address of a service "
                "with all its parts, as on appriseit.com (it is hidden here)"
            )
            raise Misconfigured(message)
        _refuse_clear_text(service, url)
        self._alerts = alerts
        self._secrets = _parts(url)
        self._apprise = apprise.Apprise(asset=asset, location=apprise.ContentLocation.HOSTED)
        self._apprise.add(service)

    def send(self, delivery: Delivery) -> str | None:
        """Hand the message over; returning means that the service has taken it, as far as apprise can tell.

        Raises Transient when it was not taken: apprise does not say whether it ever will be.
        """
        message = compose(delivery, self._alerts)
        resolved = delivery.reason is NotificationReason.RESOLVED
        result = self._apprise.notify(
            title=fit(message.headline, MAX_TITLE_CHARS, escape),
            body=fit(render_text(message), MAX_BODY_CHARS, escape),
            notify_type="success" if resolved else _TYPES[delivery.alert.severity],
            body_format="text",
        )
        if not result:
            raise self._refusal(result)
        return None

    def _refusal(self, result: "AppriseResult") -> Transient:
        from apprise import AppriseResultStatus  # noqa: PLC0415 - as above

        if result.status == AppriseResultStatus.TIMEOUT:
            return Unavailable("apprise: no answer in time")
        said = [entry.message for entry in result.logs()][-1:]
        for secret in self._secrets:
            said = [each.replace(secret, "…") for each in said]
        return Transient(f"apprise: the service has not taken it: {plain(' '.join(said), 200) or 'no reason given'}")


def escape(text: str) -> str:
    """Make text dead wherever it ends up: no brackets that a chat or HTML would read, no name, no address."""
    return inert(text.replace("<", "\u2039").replace(">", "\u203a"))


def _refuse_clear_text(service: Any, url: str) -> None:
    """Misconfigured where the service is on another machine and would be spoken to without verified TLS."""
    host = (getattr(service, "smtp_host", None) or service.host or "").strip("[]")
    if not host or is_loopback(host):  # without a host it is the vendor's own, over https, or this machine
        return
    scheme = url.partition(":")[0].lower()
    siblings = _names(service.secure_protocol)
    if scheme in NEVER_ENCRYPTED:
        problem = f"begins with {scheme}://, which is never encrypted; it must be another service, or on this machine"
    elif scheme in _names(service.protocol) and siblings and not service.secure:
        sibling = f"{scheme}s" if f"{scheme}s" in siblings else siblings[0]
        problem = f"begins with {scheme}://, which is not encrypted; it must be {sibling}://, or on this machine"
    elif getattr(service, "secure_mode", "") == "insecure":
        problem = "says mode=insecure; it must be starttls or ssl"
    elif not service.verify_certificate:
        problem = "says verify=no; certificates must be checked"
    else:
        return
    message = f"`apprise.url` {problem} (its address is hidden)"
    raise Misconfigured(message)


def _names(protocol: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (protocol,) if isinstance(protocol, str) else protocol or ()


def _parts(url: str) -> list[str]:
    """What of an address must not be shown: everything behind the scheme, whole and in its parts."""
    behind = url.partition("://")[2]
    found = {behind, *re.split(r"[/:@?&=,#]", behind)}
    found |= {unquote(each) for each in found}
    return sorted((each for each in found if len(each) >= LEAST_SECRET_CHARS), key=len, reverse=True)
