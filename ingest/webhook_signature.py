"""Who signed a request, and whether it came before: Standard Webhooks, from the receiver's side.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md: the same scheme as that of
our own webhook, so that one Bearometer can feed another.
"""

import hmac
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime

from bearometer.signing import sign

__all__ = ["BadSignature", "Replayed", "SignatureCheck"]

_MAX_ID_CHARS = 256
_MAX_SIGNATURES = 8
_REMEMBERED = 100_000


class BadSignature(Exception):
    """Raised when a request is not signed with one of our secrets, or not lately; the text may be told to anyone."""


class Replayed(Exception):
    """Raised when the very same request came before: whoever sends it again has only overheard it."""


class SignatureCheck:
    """Checks requests; not safe to be used by several threads at once.

    A sender that tries again signs anew with the time of the new try, so that the same id, time and signature a
    second time are a replay. What is older than the tolerance is refused by its time and need not be remembered.
    """

    def __init__(self, keys: Sequence[bytes], tolerance_seconds: float) -> None:
        self._keys = keys
        self._tolerance = tolerance_seconds
        self._seen: OrderedDict[tuple[str, int], None] = OrderedDict()

    def check(self, headers: Mapping[str, str], body: bytes, now: datetime) -> tuple[str, int]:
        """The request's id, and the time when it was signed. Raises BadSignature or Replayed."""
        identity, sent = headers.get("webhook-id") or "", headers.get("webhook-timestamp") or ""
        if not (identity and len(identity) <= _MAX_ID_CHARS and "." not in identity):
            message = "webhook-id is missing, too long, or holds a dot"
            raise BadSignature(message)
        if not (sent.isascii() and sent.isdigit() and len(sent) <= 12):
            message = "webhook-timestamp must be seconds since 1970"
            raise BadSignature(message)
        seconds = int(sent)
        if abs(now.timestamp() - seconds) > self._tolerance:
            message = f"webhook-timestamp is more than {self._tolerance:g} s off"
            raise BadSignature(message)
        expected = [sign(key, identity, seconds, body).encode() for key in self._keys]
        given = (headers.get("webhook-signature") or "").encode("utf-8", "replace").split()[:_MAX_SIGNATURES]
        # Every pair is compared, so that the time taken tells nothing of which one fits.
        fits = [hmac.compare_digest(known, each) for known in expected for each in given]
        if not any(fits):
            message = "webhook-signature fits none of the secrets"
            raise BadSignature(message)
        if (identity, seconds) in self._seen:
            raise Replayed
        self._seen[identity, seconds] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return identity, seconds

    def forget(self, request: tuple[str, int]) -> None:
        """Let the very same request come again: nothing was taken of it."""
        self._seen.pop(request, None)
