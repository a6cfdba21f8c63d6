"""The in-memory twin of storage/stories.py, for tests that need no Redis: the same contract, run by the same tests."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bearometer.errors import WindowsLost
from bearometer.sketch import Sketch, compare
from bearometer.story import Placement, story_id
from storage.story_plan import pack_story

__all__ = ["MemoryStoryStore"]

MOST = 1000
"""Authors that are told apart."""


@dataclass
class _Story:
    leader: Sketch
    authors_of_text: dict[str, set[str]] = field(default_factory=dict)


class MemoryStoryStore:
    """As StoryStore, by looking at every story; it forgets when told to (`lose`), never by time. One thread only."""

    def __init__(self, hours: float = 24.0) -> None:
        self._reach = int(hours * 3600)
        self._complete = True
        self._losses = 0
        self._empty()

    def _empty(self) -> None:
        self._story_of: dict[str, str] = {}
        self._numbers: dict[str, tuple[int, int]] = {}
        self._stories: dict[str, _Story] = {}
        self._of_hour: dict[tuple[str, str, int], int] = {}

    def epoch(self) -> str:
        """Another one after all that was placed was lost."""
        return str(self._losses)

    def lose(self) -> None:
        """Be as Redis is after a restart."""
        self._losses += 1
        self._empty()
        self._complete = False

    def restore(self) -> None:
        """Be as Redis is at the end of a rebuild."""
        self._complete = True

    def place(self, sketches: Sequence[Sketch]) -> list[Placement]:
        """Where each post stands, in order; posts come into being in this order."""
        if not self._complete:
            message = "the stories are not complete: rebuild the windows"
            raise WindowsLost(message)
        return [self._place(sketch) for sketch in sketches]

    def remember(self, stored: Iterable[tuple[Sketch, str]], guard: str | None = None, token: str = "") -> None:
        """Know again posts, each with the story that it is stored with, in any order; again changes nothing.

        `guard` and `token` say nothing to it: it may always be called. The numbers are as StoryStore says.
        """
        for sketch, story in stored:
            if pack_story(story) and sketch.post_id not in self._story_of:
                self._count(sketch, story)

    def _place(self, sketch: Sketch) -> Placement:
        if sketch.post_id not in self._story_of:
            story = self._find(sketch) or story_id(sketch.post_id)
            self._numbers[sketch.post_id] = self._count(sketch, story)
        story = self._story_of[sketch.post_id]
        same_text_authors, author_posts = self._numbers.get(sketch.post_id, (1, 1))
        return Placement(
            story=story,
            first=story == story_id(sketch.post_id),
            same_text_authors=same_text_authors,
            author_posts=author_posts if sketch.author else 0,
        )

    def _count(self, sketch: Sketch, story: str) -> tuple[int, int]:
        self._story_of[sketch.post_id] = story
        told = self._stories.setdefault(story, _Story(sketch))
        if story == story_id(sketch.post_id):
            told.leader = sketch
        of_text = told.authors_of_text.setdefault(sketch.fingerprint, set())
        of_text.add(sketch.author or sketch.post_id)
        hour = (sketch.source, sketch.author or "", sketch.leader.published_at // 3600)
        self._of_hour[hour] = self._of_hour.get(hour, 0) + 1
        return min(MOST, len(of_text)), self._of_hour[hour]

    def _find(self, sketch: Sketch) -> str | None:
        near = [(self._distance(told, sketch), name) for name, told in self._stories.items()]
        near = [(distance, name) for distance, name in near if distance <= self._reach]
        exact = [place for place in near if sketch.fingerprint in self._stories[place[1]].authors_of_text]
        if exact:
            return min(exact)[1]
        ranks = []
        for distance, name in near:
            leader = self._stories[name].leader
            alike = compare(leader.leader, sketch.leader)
            if alike.is_same and not set(leader.bands).isdisjoint(sketch.bands):
                ranks.append((-alike.resemblance, -alike.containment, distance, name))
        return min(ranks)[-1] if ranks else None

    def _distance(self, told: _Story, sketch: Sketch) -> int:
        return abs(told.leader.leader.published_at - sketch.leader.published_at)
