"""The delivery loop: takes what is due from the store, hands it to its notifier, and records what came of it.

At least once: a delivery's row is locked while it is being sent and marked after the other side has taken it, so
two workers never send the same one at once, and a worker that dies between the two sends it again after restart.
That the store never gives out the message of an alert's end before that of its beginning is settled there, in
`claim_delivery`: only the store sees both rows. A message to a notifier that this worker lacks is left waiting, for
another worker or for the settings of tomorrow.

What a notifier collects into digests waits in the store, until the oldest has waited for long enough; then all of it is
claimed, sent as one message, and marked in one transaction. So a crash can send a digest twice, and loses nothing.

A notifier that has failed is left alone for a while, longer each time, and its other messages wait with it untried:
they neither hold up the messages of other notifiers nor use up their own attempts on a server that is away. This is
kept in memory: after a restart each notifier is tried once at once.
"""

import logging
import random
import threading
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from alerts.notifier import Digesting, Notifier
from bearometer.alert import Delivery
from bearometer.clock import Clock
from bearometer.errors import BearometerError, Transient, Unavailable
from bearometer.settings import AlertSettings
from bearometer.terminal import plain

__all__ = ["Claimed", "ClaimedAll", "DeliveryQueue", "Pauses", "deliver_next", "run_delivery", "wait_before_retry"]

FIRST_WAIT_SECONDS = 1.0
MAX_STORE_WAIT_SECONDS = 30.0
MAX_ERROR_CHARS = 500
MAX_RECEIPT_CHARS = 500
ONE_SERVER = ("email",)
"""Kinds of notifier that all go through one server: while it cannot be reached, none of them tries."""

log = logging.getLogger(__name__)


class Claimed(Protocol):
    """One due delivery that nobody else can claim while we hold it. Exactly one of the two methods is called."""

    @property
    def delivery(self) -> Delivery:
        """What to send; `attempts` counts the ones before this."""
        ...

    def sent(self, at: datetime, receipt: str | None = None) -> None:
        """Record that the other side has taken it, and the receipt that later messages about the alert will need.

        What an urgent one overtook is settled with it: it would be told as old news in the next digest.
        """
        ...

    def failed(self, error: str, next_attempt_at: datetime | None) -> None:
        """Record a failed attempt, and when to try again; None gives it up."""
        ...


class ClaimedAll(Protocol):
    """Deliveries that are told as one, which nobody else can claim while we hold them. Else as `Claimed`."""

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """What to send, in the order in which it was queued; at least one."""
        ...

    def sent(self, at: datetime, receipt: str | None = None) -> None:
        """Record that the other side has taken all of them."""
        ...

    def failed(self, error: str, next_attempt_at: datetime | None, last: Collection[str] = ()) -> None:
        """Record a failed attempt of all, and when to try again; None gives up all, else those with an id in `last`."""
        ...


class DeliveryQueue(Protocol):
    """The part of the alert store that delivery needs."""

    def claim_delivery(
        self, now: datetime, notifiers: Collection[str], collecting: Collection[str] = ()
    ) -> AbstractContextManager[Claimed | None]:
        """A delivery to one of the notifiers that is due at `now`, with the receipt of the alert's first one, or None.

        To those that are `collecting`, only what is urgent. What was recorded is committed when the context ends.
        """
        ...

    def claim_digest(self, notifier: str, now: datetime, after: timedelta) -> AbstractContextManager[ClaimedAll | None]:
        """All that is not urgent and waits for the notifier once one of them has for `after`, or None."""
        ...


class Pauses:
    """Which notifiers are left alone, and until when. Not to be shared between threads."""

    def __init__(self, clock: Clock, max_seconds: float) -> None:
        self._clock = clock
        self._max_seconds = max_seconds
        self._failures: dict[str, int] = {}
        self._until: dict[str, datetime] = {}

    def ready(self, notifiers: Collection[str]) -> list[str]:
        """Those of the notifiers that may be tried now."""
        now = self._clock.now()
        return [name for name in notifiers if all(self._until.get(key, now) <= now for key in (name, _server_of(name)))]

    def failed(self, name: str, error: Transient) -> float:
        """Leave the notifier alone for a while, and tell how many seconds: longer after each failure in a row.

        When the server itself is away, all that go through it wait with it.
        """
        key = _server_of(name) if isinstance(error, Unavailable) else name
        self._failures[key] = self._failures.get(key, 0) + 1
        wait = wait_before_retry(self._failures[key], error.retry_after_seconds, self._max_seconds)
        self._until[key] = self._clock.now() + timedelta(seconds=wait)
        return wait

    def answered(self, name: str) -> None:
        """Forget the failures: the notifier's other side has taken a message, or refused one as such."""
        for key in (name, _server_of(name)):
            self._failures.pop(key, None)
            self._until.pop(key, None)


def _server_of(name: str) -> str:
    kind = name.partition(":")[0]
    return f"the server of {kind}" if kind in ONE_SERVER else name


def run_delivery(
    store: DeliveryQueue,
    notifiers: Mapping[str, Notifier],
    settings: AlertSettings,
    clock: Clock,
    stop: threading.Event,
) -> None:
    """Deliver until `stop` is set; a message that is being sent is finished first.

    Trouble with a notifier is recorded with the delivery and holds up no other for longer than that one attempt takes.
    While the store is away (Transient) this waits, longer each time, and tries again; any other error of the store is
    raised.
    """
    failures = 0
    pauses = Pauses(clock, settings.max_backoff_seconds)
    while not stop.is_set():
        try:
            delivered = deliver_next(store, notifiers, settings, clock, pauses)
        except Transient as error:
            failures += 1
            wait = wait_before_retry(failures, None, MAX_STORE_WAIT_SECONDS)
            log.warning("deliveries wait %.0f s for the store: %s", wait, error)
            stop.wait(wait)
            continue
        failures = 0
        if not delivered:
            stop.wait(settings.poll_seconds)


def deliver_next(
    store: DeliveryQueue,
    notifiers: Mapping[str, Notifier],
    settings: AlertSettings,
    clock: Clock,
    pauses: Pauses,
) -> bool:
    """Try one due delivery, or one digest that is due when there is none, and record what came of it.

    Gives whether there was anything. Raises only what the store raises.
    """
    ready = {name: notifiers[name] for name in pauses.ready(notifiers)}
    digesting = [each for each in ready.values() if isinstance(each, Digesting) and each.digest_seconds > 0]
    return _deliver_one(store, ready, [each.name for each in digesting], settings, clock, pauses) or any(
        _deliver_digest(store, notifier, settings, clock, pauses) for notifier in digesting
    )


def _deliver_one(
    store: DeliveryQueue,
    notifiers: Mapping[str, Notifier],
    collecting: Collection[str],
    settings: AlertSettings,
    clock: Clock,
    pauses: Pauses,
) -> bool:
    with store.claim_delivery(clock.now(), list(notifiers), collecting) as claimed:
        if claimed is None:
            return False
        delivery = claimed.delivery
        try:
            receipt = notifiers[delivery.notifier].send(delivery)
        except Transient as error:
            _retry(claimed, str(error), pauses.failed(delivery.notifier, error), settings, clock)
        except BearometerError as error:
            pauses.answered(delivery.notifier)
            _give_up(claimed, str(error))
        except Exception as error:
            # A defect. Its text may hold anything, so only its kind is stored; the log has the rest.
            log.exception("a defect in notifier %s with delivery %s", delivery.notifier, plain(delivery.id))
            _retry(claimed, f"a defect in the notifier: {type(error).__name__} (see the log)", 0.0, settings, clock)
        else:
            pauses.answered(delivery.notifier)
            claimed.sent(clock.now(), receipt if receipt and len(receipt) <= MAX_RECEIPT_CHARS else None)
            log.info("sent %s after %d failed attempts", plain(delivery.id), delivery.attempts)
    return True


def _deliver_digest(
    store: DeliveryQueue, notifier: Digesting, settings: AlertSettings, clock: Clock, pauses: Pauses
) -> bool:
    with store.claim_digest(notifier.name, clock.now(), timedelta(seconds=notifier.digest_seconds)) as claimed:
        if claimed is None:
            return False
        deliveries, receipt = claimed.deliveries, None
        try:
            if len(deliveries) == 1:
                receipt = notifier.send(deliveries[0])
            else:
                notifier.send_digest(deliveries)
        except Transient as error:
            _retry_all(claimed, str(error), pauses.failed(notifier.name, error), settings, clock)
        except BearometerError as error:
            pauses.answered(notifier.name)
            log.error("gave up a digest of %d for %s: %s", len(deliveries), plain(notifier.name), error)
            claimed.failed(plain(str(error), MAX_ERROR_CHARS), None)
        except Exception as error:
            log.exception("a defect in notifier %s with a digest", plain(notifier.name))
            _retry_all(claimed, f"a defect in the notifier: {type(error).__name__} (see the log)", 0.0, settings, clock)
        else:
            pauses.answered(notifier.name)
            claimed.sent(clock.now(), receipt if receipt and len(receipt) <= MAX_RECEIPT_CHARS else None)
            log.info("sent a digest of %d to %s", len(deliveries), plain(notifier.name))
    return True


def wait_before_retry(failures: int, asked_seconds: float | None, max_seconds: float) -> float:
    """Seconds to wait after so many failures: 1, 2, 4, … with up to half of it taken off by chance.

    Never shorter than the other side asked for and never longer than `max_seconds`.
    """
    doubled = min(max_seconds, FIRST_WAIT_SECONDS * 2.0 ** min(failures - 1, 60))
    return min(max_seconds, max(doubled * random.uniform(0.5, 1.0), asked_seconds or 0.0))


def _retry(claimed: Claimed, error: str, pause: float, settings: AlertSettings, clock: Clock) -> None:
    attempts = claimed.delivery.attempts + 1
    if attempts >= settings.max_attempts:
        _give_up(claimed, f"{error} (the last of {attempts} attempts)")
        return
    wait = max(pause, wait_before_retry(attempts, None, settings.max_backoff_seconds))
    log.warning("attempt %d of %s failed, the next in %.0f s: %s", attempts, plain(claimed.delivery.id), wait, error)
    claimed.failed(plain(error, MAX_ERROR_CHARS), clock.now() + timedelta(seconds=wait))


def _retry_all(claimed: ClaimedAll, error: str, pause: float, settings: AlertSettings, clock: Clock) -> None:
    attempts = {each.id: each.attempts + 1 for each in claimed.deliveries}
    last = [identity for identity, count in attempts.items() if count >= settings.max_attempts]
    wait = max(pause, wait_before_retry(min(attempts.values()), None, settings.max_backoff_seconds))
    log.warning("a digest of %d failed, the next try in %.0f s, gave up %d: %s", len(attempts), wait, len(last), error)
    claimed.failed(plain(error, MAX_ERROR_CHARS), clock.now() + timedelta(seconds=wait), last)


def _give_up(claimed: Claimed, error: str) -> None:
    log.error("gave up %s: %s", plain(claimed.delivery.id), error)
    claimed.failed(plain(error, MAX_ERROR_CHARS), None)
