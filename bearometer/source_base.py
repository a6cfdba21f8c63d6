"""What the settings of every kind of source have, and secrets that stand in the environment."""

import os
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from bearometer.errors import Misconfigured

__all__ = ["FEEDS", "PolledGroup", "Secret", "SourceGroup", "reveal"]

FEEDS = "feeds"
"""The name under which all `[[ingest.feeds]]` are one source; no other may have it."""
_FROM_ENVIRONMENT = "env:"


def _as_text(value: object) -> object:
    """A number is a secret's text too: an error about its type would show it."""
    return str(value) if isinstance(value, int | float) else value


Secret = Annotated[SecretStr, BeforeValidator(_as_text)]
"""A secret, or `env:NAME` for the environment variable that holds it; see `reveal`."""


def reveal(secret: SecretStr, setting: str) -> str:
    """The secret's text, read from the environment where it says `env:NAME`; Misconfigured when that is not set."""
    value = secret.get_secret_value()
    if value.startswith(_FROM_ENVIRONMENT):
        variable = value.removeprefix(_FROM_ENVIRONMENT)
        value = os.environ.get(variable, "")
        if not value:
            message = f"`{setting}` names the environment variable {variable:.80}, which is not set"
            raise Misconfigured(message)
    return value


class SourceGroup(BaseModel):
    """One source of posts, whatever its kind."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$",
        description="first half of its posts' ids, and what its place is kept under: another name is a new source",
    )
    symbols: tuple[str, ...] = Field((), description="symbols that every post of this source speaks of")


class PolledGroup(SourceGroup):
    """A source that is asked again and again."""

    interval_seconds: float = Field(60.0, ge=1, description="how often it is asked, give or take a tenth")
    gap_seconds: float = Field(1.0, ge=0.1, description="least wait between two requests that follow each other")
