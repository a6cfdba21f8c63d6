"""Before a post counts: is it in a language that the model knows, which story does it tell, is it spam?"""

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from bearometer.post import Post
from bearometer.settings import SpamSettings
from bearometer.sketch import Sketch
from bearometer.story import Placement
from ingest.language import UNDETERMINED
from stream.spam import find_spam

__all__ = ["Sift", "Sifted", "Stories"]


class Stories(Protocol):
    """The part of the story store that a batch needs."""

    def place(self, sketches: Sequence[Sketch]) -> list[Placement]:
        """The story of each post, in order; a post that comes again keeps its own. WindowsLost as the windows."""
        ...


class Sifted(NamedTuple):
    """What is known of a post beside what the model says."""

    story: str
    spam: tuple[str, ...]
    """Why it is spam; empty when it is none."""


class Sift:
    """Safe to share between the thread that reads batches and the one that finishes them."""

    def __init__(self, stories: Stories, spam: SpamSettings, languages: Collection[str]) -> None:
        """`languages` are those that the model knows; a post whose language nobody knows is scored too."""
        self._stories = stories
        self._spam = spam
        self._languages = frozenset(languages) | {UNDETERMINED}

    def why_unscored(self, post: Post) -> str | None:
        """Why the model is not to be asked about a post, as `code: words`; None when it is."""
        return None if post.language in self._languages else f"language: {post.language}"

    def place(self, posts: Sequence[Post], sketches: Sequence[Sketch]) -> list[Sifted]:
        """The story of each post and why it is spam, in order. Blocks for Redis; raises what the stories raise."""
        placements = self._stories.place(sketches)
        return [
            Sifted(placement.story, find_spam(post, placement, self._spam))
            for post, placement in zip(posts, placements, strict=True)
        ]
