"""What every notifier does."""

from typing import Protocol

from bearometer.alert import Delivery

__all__ = ["Notifier"]


class Notifier(Protocol):
    """One way to tell people."""

    @property
    def name(self) -> str:
        """A short fixed name such as `slack`; it is part of the delivery's id."""
        ...

    def send(self, delivery: Delivery) -> None:
        """Deliver the message; returning means that the other side has taken it. Blocks, within a timeout.

        Raises Transient when the same message may be taken later (with the wait that the other side asked for),
        Failed when it never will be. Does not retry by itself.
        """
        ...
