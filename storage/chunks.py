"""Long lists in parts."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

__all__ = ["chunks"]

T = TypeVar("T")


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in order, so many at a time; nothing of an empty list."""
    for at in range(0, len(items), size):
        yield items[at : at + size]
