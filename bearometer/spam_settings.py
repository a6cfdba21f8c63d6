"""`[spam]`: what counts as spam, and whose posts are never looked at."""

from typing import Annotated

from pydantic import AfterValidator, Field

from bearometer.settings_group import Group

__all__ = ["SpamSettings"]


def _says_something(phrase: str) -> str:
    phrase = " ".join(phrase.split())
    if not phrase.isprintable() or not any(map(str.isalnum, phrase)):
        message = "a phrase needs a letter or a digit, and no control characters"
        raise ValueError(message)
    return phrase


Phrase = Annotated[str, Field(max_length=200), AfterValidator(_says_something)]


class SpamSettings(Group):
    """What counts as spam: it is stored and marked, and left out of windows and alerts. See docs/spam.md."""

    enabled: bool = Field(True, description="false: no post is spam")
    max_symbols: int = Field(
        10, ge=3, le=1_000, description="a post that strings together more cashtags than this and says little is spam"
    )
    max_posts_per_hour: int = Field(
        60, ge=1, le=100_000, description="what one author publishes beyond this in one hour of event time is spam"
    )
    min_accounts: int = Field(
        10, ge=2, le=1_000, description="one text from this many accounts is spam, where another sign of it is there"
    )
    phrases: tuple[Phrase, ...] = Field(
        (),
        max_length=1_000,
        description="more phrases that only promotion uses; letter case, accents and width do not matter",
    )
    trusted_sources: tuple[str, ...] = Field(
        ("feeds", "edgar", "gdelt"), description="sources whose posts are never looked at, by name or kind"
    )
