"""Before a post counts: is it in a language that the model knows, which story does it tell, is it spam?"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple, Protocol

from bearometer.mention import Scored
from bearometer.post import Post
from bearometer.settings import SpamSettings
from bearometer.sketch import Sketch
from bearometer.story import Placement
from ingest.language import UNDETERMINED, clean_language
from stream.spam import find_spam

__all__ = ["Sift", "Sifted", "Stories", "why_unscored"]


def why_unscored(post: Post, languages: Collection[str]) -> str | None:
    """Why a model that knows these languages is not to be asked about a post, as `code: words`; None when it is.

    It is asked where nobody knows the language.
    """
    language = clean_language(post.language)
    return None if language == UNDETERMINED or language in languages else f"language: {language}"


class Stories(Protocol):
    """The part of the story store that a batch needs."""

    def place(self, sketches: Sequence[Sketch]) -> list[Placement]:
        """The story of each post, in order; a post that comes again keeps its own. WindowsLost as the windows."""
        ...

    def epoch(self) -> str:
        """Another one after all that was placed was lost."""
        ...

    def remember(self, stored: Iterable[tuple[Sketch, str]]) -> None:
        """Know posts by the story that they are stored with; again changes nothing. WindowsLost as `place`."""
        ...


class Sifted(NamedTuple):
    """What is known of a post beside what the model says."""

    story: str
    spam: tuple[str, ...]
    """Why it is spam; empty when it is none."""


class Sift:
    """Which thread reads batches and asks `why_unscored` does not matter; one finishes them."""

    def __init__(self, stories: Stories, spam: SpamSettings, languages: Collection[str]) -> None:
        """`languages` are those that the model knows."""
        self._stories = stories
        self._spam = spam
        self._languages = languages
        self._epoch = ""

    def why_unscored(self, post: Post) -> str | None:
        """As the function of this name, with the languages that the model knows."""
        return why_unscored(post, self._languages)

    def place(self, posts: Sequence[Post], sketches: Sequence[Sketch]) -> list[Sifted]:
        """The story of each post and why it is spam, in order. Blocks for Redis; raises what the stories raise."""
        self._epoch = self._stories.epoch()
        placements = self._stories.place(sketches)
        return [
            Sifted(placement.story, find_spam(post, placement, self._spam))
            for post, placement in zip(posts, placements, strict=True)
        ]

    def confirm(self, sketches: Sequence[Sketch], stored: Iterable[Scored]) -> None:
        """Once the posts that were placed are stored, and before they are counted. Blocks, and raises, as `place`.

        If all stories were lost and restored meanwhile, whoever restored them could not know of these.
        """
        if self._stories.epoch() != self._epoch:
            stories = {one.post.id: one.story for one in stored}
            known = [(sketch, stories[sketch.post_id]) for sketch in sketches if sketch.post_id in stories]
            self._stories.remember(known)
