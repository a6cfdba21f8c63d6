"""What every notifier does."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from bearometer.alert import Delivery

__all__ = ["Digesting", "Notifier"]


class Notifier(Protocol):
    """One way to tell people."""

    @property
    def name(self) -> str:
        """A short fixed name such as `slack`; it is part of the delivery's id."""
        ...

    def send(self, delivery: Delivery) -> str | None:
        """Deliver the message; returning means that the other side has taken it. Blocks, within a timeout.

        What it returns, at most 500 characters, is kept with the delivery: the receipt of an alert's first message
        comes back as `thread` of the later ones, so that they can answer or change it. None where nothing is needed.
        Called again for a delivery that the other side has taken already (we died before it was noted), it should do
        as little harm as that medium allows.
        Raises Transient when the same message may be taken later (with the wait that the other side asked for),
        Failed when it never will be. Does not retry by itself.
        """
        ...


@runtime_checkable
class Digesting(Notifier, Protocol):
    """A notifier that can tell several messages in one."""

    @property
    def digest_seconds(self) -> float:
        """How long a message that is not urgent waits for others; 0: each is sent at once and alone."""
        ...

    def send_digest(self, deliveries: Sequence[Delivery]) -> None:
        """Deliver all of them, in the order in which they were queued, as one message. Else as `send`."""
        ...
