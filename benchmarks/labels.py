"""What stands for a text in files of judgements: no text of a data set is kept here."""

import hashlib

__all__ = ["digest"]


def digest(text: str) -> str:
    """16 hex digits."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
