"""Models by version: which one scores, which one scores beside it, and who decided so and when."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from bearometer.mention import Sentiment

__all__ = [
    "ModelAction",
    "ModelChange",
    "ModelChoice",
    "ModelState",
    "ModelUsage",
    "ModelVersion",
    "ShadowScore",
    "WorkerReport",
    "find_way_back",
]


class ModelState(StrEnum):
    """What a registered version is used for; at most one is active, and at most one is the shadow."""

    CANDIDATE = "candidate"
    ACTIVE = "active"
    SHADOW = "shadow"
    RETIRED = "retired"
    """It was active once."""


class ModelAction(StrEnum):
    """What somebody did to the registry."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"
    SHADOW = "shadow"
    UNSHADOW = "unshadow"


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A registered model: what `Classifier.version` said of its folder, and where that folder lies."""

    version: str
    name: str
    folder: Path
    """Absolute; the same on every machine with a stream worker."""
    files: Mapping[str, str]
    """File to digest, of whatever the answers depend on.

    Of several files of weights a worker with a GPU reads another one, and names another digest.
    """
    state: ModelState
    registered_at: datetime
    registered_by: str
    card: Mapping[str, Any] = field(default_factory=dict)

    def said(self, version: str) -> bool:
        """Whether a classifier that calls itself this was loaded from the folder as it was registered."""
        return version == self.version or version.rpartition("@")[2] in self.files.values()


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """What stream workers are to use now; `active` None stands for the shipped weights, `shadow` None for nothing."""

    active: ModelVersion | None = None
    shadow: ModelVersion | None = None


@dataclass(frozen=True, slots=True)
class ModelChange:
    """One line of the registry's history; a version of None stands for the shipped weights, or for no shadow."""

    at: datetime
    who: str
    action: ModelAction
    version: str | None
    previous: str | None


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """How many stored posts a version scored, and when the first and the last of them were stored."""

    model: str
    posts: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """What a stream worker says of itself every few seconds."""

    id: str
    """`host:pid`."""
    version: str
    """What it scores with: `Classifier.version`."""
    pinned: bool = False
    """Whether its settings name a folder (`model.path`), so that it does not follow the registry."""
    wanted: str | None = None
    """The registry's active version when the worker last looked; None for the shipped weights."""
    problem: str | None = None
    """Why it does not use what the registry wants, in one line."""
    shadow: str | None = None
    """The registered version that it runs beside its own."""
    shadow_scored: int = 0
    shadow_dropped: int = 0
    """Posts that the shadow did not get, or did not answer, because it was behind or had ended."""
    shadow_problem: str | None = None


@dataclass(frozen=True, slots=True)
class ShadowScore:
    """What a shadow says of a post, or of how it speaks of one symbol."""

    post_id: str
    published_at: datetime
    symbol: str
    """WHOLE for the whole post."""
    sentiment: Sentiment
    topic: str | None = None
    """Of the whole post, when the model knows topics."""


def find_way_back(changes: Iterable[ModelChange]) -> tuple[str | None, ...]:
    """The versions that rollbacks would bring back, the next one first; the shipped weights (None) are the last.

    `changes` in order. A rollback takes back the promotion before it that was not taken back yet, so that two of them
    lead two versions back and not to where they began. Empty when nothing is promoted.
    """
    promoted: list[str | None] = [None]
    for change in changes:
        if change.action is ModelAction.PROMOTE:
            promoted.append(change.version)
        elif change.action is ModelAction.ROLLBACK and len(promoted) > 1:
            promoted.pop()
    return tuple(reversed(promoted[:-1]))
