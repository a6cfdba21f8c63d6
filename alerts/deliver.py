"""The delivery loop: takes what is due from the store, hands it to its notifier, and records what came of it.

At least once: a delivery's row is locked while it is being sent and marked after the other side has taken it, so
two workers never send the same one at once, and a worker that dies between the two sends it again after restart.
That the store never gives out the message of an alert's end before that of its beginning is settled there, in
`claim_delivery`: only the store sees both rows. A message to a notifier that this worker lacks is left waiting, for
another worker or for the settings of tomorrow.
"""

import logging
import random
import threading
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from alerts.notifier import Notifier
from bearometer.alert import Delivery
from bearometer.clock import Clock
from bearometer.errors import BearometerError, Transient
from bearometer.settings import AlertSettings
from bearometer.terminal import plain

__all__ = ["Claimed", "DeliveryQueue", "deliver_next", "run_delivery", "wait_before_retry"]

FIRST_WAIT_SECONDS = 1.0
MAX_STORE_WAIT_SECONDS = 30.0
MAX_ERROR_CHARS = 500

log = logging.getLogger(__name__)


class Claimed(Protocol):
    """One due delivery that nobody else can claim while we hold it. Exactly one of the two methods is called."""

    @property
    def delivery(self) -> Delivery:
        """What to send; `attempts` counts the ones before this."""
        ...

    def sent(self, at: datetime) -> None:
        """Record that the other side has taken it."""
        ...

    def failed(self, error: str, next_attempt_at: datetime | None) -> None:
        """Record a failed attempt, and when to try again; None gives it up."""
        ...


class DeliveryQueue(Protocol):
    """The part of the alert store that delivery needs."""

    def claim_delivery(self, now: datetime, notifiers: Collection[str]) -> AbstractContextManager[Claimed | None]:
        """A delivery to one of the notifiers that is due at `now`, or None.

        What was recorded is committed when the context ends.
        """
        ...


def run_delivery(
    store: DeliveryQueue,
    notifiers: Mapping[str, Notifier],
    settings: AlertSettings,
    clock: Clock,
    stop: threading.Event,
) -> None:
    """Deliver until `stop` is set; a message that is being sent is finished first.

    Trouble with a notifier is recorded with the delivery and holds up no other. While the store is away (Transient)
    this waits, longer each time, and tries again; any other error of the store is raised.
    """
    failures = 0
    while not stop.is_set():
        try:
            delivered = deliver_next(store, notifiers, settings, clock)
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
    store: DeliveryQueue, notifiers: Mapping[str, Notifier], settings: AlertSettings, clock: Clock
) -> bool:
    """Try one due delivery and record what came of it; whether there was one. Raises only what the store raises."""
    with store.claim_delivery(clock.now(), notifiers.keys()) as claimed:
        if claimed is None:
            return False
        delivery = claimed.delivery
        try:
            notifiers[delivery.notifier].send(delivery)
        except Transient as error:
            _retry(claimed, str(error), error.retry_after_seconds, settings, clock)
        except BearometerError as error:
            _give_up(claimed, str(error))
        except Exception as error:
            # A defect. Its text may hold anything, so only its kind is stored; the log has the rest.
            log.exception("a defect in notifier %s with delivery %s", delivery.notifier, plain(delivery.id))
            _retry(claimed, f"a defect in the notifier: {type(error).__name__} (see the log)", None, settings, clock)
        else:
            claimed.sent(clock.now())
            log.info("sent %s after %d failed attempts", plain(delivery.id), delivery.attempts)
    return True


def wait_before_retry(failures: int, asked_seconds: float | None, max_seconds: float) -> float:
    """Seconds to wait after so many failures: 1, 2, 4, … with up to half of it taken off by chance.

    Never shorter than the other side asked for and never longer than `max_seconds`.
    """
    doubled = min(max_seconds, FIRST_WAIT_SECONDS * 2.0 ** min(failures - 1, 60))
    return min(max_seconds, max(doubled * random.uniform(0.5, 1.0), asked_seconds or 0.0))


def _retry(claimed: Claimed, error: str, asked: float | None, settings: AlertSettings, clock: Clock) -> None:
    attempts = claimed.delivery.attempts + 1
    if attempts >= settings.max_attempts:
        _give_up(claimed, f"{error} (the last of {attempts} attempts)")
        return
    wait = wait_before_retry(attempts, asked, settings.max_backoff_seconds)
    log.warning("attempt %d of %s failed, the next in %.0f s: %s", attempts, plain(claimed.delivery.id), wait, error)
    claimed.failed(plain(error, MAX_ERROR_CHARS), clock.now() + timedelta(seconds=wait))


def _give_up(claimed: Claimed, error: str) -> None:
    log.error("gave up %s: %s", plain(claimed.delivery.id), error)
    claimed.failed(plain(error, MAX_ERROR_CHARS), None)
