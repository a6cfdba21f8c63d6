"""What became of a source of posts since it was last noted."""

from dataclasses import dataclass, replace
from datetime import datetime

__all__ = ["SourceProgress"]


@dataclass(frozen=True, slots=True)
class SourceProgress:
    """What became of one source since the progress noted before."""

    name: str
    kind: str
    cursor: str | None
    """All before it is acknowledged by the broker; None leaves the stored one."""
    posts: int
    """Posts published since."""
    errors: int
    """Troubles since: requests that failed, and entries that were no posts."""
    last_error: str | None
    """What is wrong now; None clears it."""
    newest_published_at: datetime | None
    """Of the posts; of one from the future when it was taken in."""
    polled_at: datetime | None
    """When the source last gave an answer; None leaves the stored time."""

    def followed_by(self, later: "SourceProgress") -> "SourceProgress":
        """Both as one."""
        return replace(
            later,
            cursor=self.cursor if later.cursor is None else later.cursor,
            posts=self.posts + later.posts,
            errors=self.errors + later.errors,
            newest_published_at=max(
                (at for at in (self.newest_published_at, later.newest_published_at) if at is not None), default=None
            ),
            polled_at=later.polled_at or self.polled_at,
        )
