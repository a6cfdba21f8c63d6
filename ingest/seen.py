"""Which posts a source gave already, in bounded memory and small enough to be stored."""

import base64
import hashlib
from collections import OrderedDict
from collections.abc import Iterable

__all__ = ["Seen"]

_REMEMBERED = 50_000
_STORED = 2_000
"""28 kB in a cursor. What is forgotten is given again once; its id is the same, so that nothing counts twice."""


class Seen:
    """Keys, the last 50,000 of them; the last 2,000 outlive a restart."""

    def __init__(self) -> None:
        self._digests: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        return _digest(key) in self._digests

    def add(self, key: str) -> bool:
        """Remember it; whether it is new."""
        digest = _digest(key)
        is_new = digest not in self._digests
        self._digests[digest] = None
        self._digests.move_to_end(digest)
        if len(self._digests) > _REMEMBERED:
            self._digests.popitem(last=False)
        return is_new

    def stored(self) -> list[str]:
        """What a cursor holds of it, the oldest first."""
        last = [digest for digest, _ in zip(reversed(self._digests), range(_STORED), strict=False)]
        return last[::-1]

    def load(self, stored: Iterable[object]) -> None:
        """Take over what a cursor held."""
        for digest in stored:
            if isinstance(digest, str):
                self._digests[digest] = None


def _digest(key: str) -> str:
    raw = hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=8).digest()
    return base64.b64encode(raw).decode().rstrip("=")
