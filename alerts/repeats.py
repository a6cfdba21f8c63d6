"""Near-repeats folded, and the few posts chosen that speak for an alert."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from bearometer.alert import TopPost
from storage.evidence import SaidText

__all__ = ["FIRST", "MOST_NEGATIVE", "MOST_SHARED", "Story", "choose_posts", "fold", "likeness"]

FIRST, MOST_SHARED, MOST_NEGATIVE = "first", "most shared", "most negative"

MIN_CHARS = 12
"""Less than this left of a text says too little to call another one the same."""
MIN_BEGINNING = 30
"""A text with so many characters in common with the beginning of another is that one, cut off."""

_VARIES = re.compile(r"(?:https?://|www\.)\S+|[#@$]\w+|(?<!\w)\w*\d\S*")
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Story:
    """Texts that say the same."""

    texts: tuple[SaidText, ...]
    """Never none."""

    @property
    def times(self) -> int:
        """Posts that tell it."""
        return sum(text.times for text in self.texts)

    @property
    def first(self) -> TopPost:
        """The earliest post; its `repeats` are all others."""
        return self._post(min((text.first for text in self.texts), key=lambda post: (post.published_at, post.id)))

    @property
    def most_followed(self) -> TopPost:
        """The post with the most followers; of equals the more repeated text's, then the earliest."""
        shown = min(self.texts, key=lambda text: (-_followers(text.most_followed), -text.times, _when(text)))
        return self._post(shown.most_followed)

    def _post(self, post: TopPost) -> TopPost:
        return replace(post, repeats=self.times - 1)


def fold(texts: Iterable[SaidText]) -> list[Story]:
    """Put texts together that differ only in hashtags, mentions, cashtags, numbers, links, case, or a tail cut off.

    The most told first, then the earliest; the order of `texts` changes nothing. A text of which little is left
    without these stays alone. Sorting is the dearest part of it.
    """
    alike: dict[str, list[SaidText]] = {}
    alone: list[list[SaidText]] = []
    for text in texts:
        words = likeness(text.first.text)
        if len(words) < MIN_CHARS:
            alone.append([text])
        else:
            alike.setdefault(words, []).append(text)
    whole: list[list[SaidText]] = []
    beginning = ""
    # In sorted order all that begin with a text come right behind it.
    for words in sorted(alike):
        if len(beginning) >= MIN_BEGINNING and words.startswith(beginning):
            whole[-1] += alike[words]
        else:
            whole.append(alike[words])
            beginning = words
    stories = [Story(tuple(sorted(each, key=_when))) for each in (*whole, *alone)]
    return sorted(stories, key=lambda story: (-story.times, _when(story.texts[0])))


def likeness(text: str) -> str:
    """What two near-repeats have in common: the words in lower case, without what varies."""
    words = _WORD.findall(_VARIES.sub(" ", text.casefold()))
    return " ".join(words[1:] if words[:1] == ["rt"] else words)


def choose_posts(stories: Sequence[Story], limit: int, terms: Collection[str] = ()) -> tuple[TopPost, ...]:
    """The first seen, the most shared and the most negative, then the most told, followed and negative; each once.

    The first is the first that has one of `terms`, where any has: what a window begins with may be an old story.
    Nothing is the most shared that was said once.
    """
    if not stories:
        return ()
    about = [story for story in stories if _has_any(story, terms)] or stories
    roles: dict[int, list[str]] = {}

    def give(role: str, among: Sequence[Story], best: Callable[[Story], object]) -> None:
        story = min(among, key=lambda story: (best(story), _when(story.texts[0])))
        roles.setdefault(stories.index(story), []).append(role)

    give(FIRST, about, lambda story: story.first.published_at)
    if any(story.times > 1 for story in stories):
        give(MOST_SHARED, stories, lambda story: -story.times)
    give(MOST_NEGATIVE, stories, lambda story: -story.most_followed.negative)
    rest = sorted(
        (number for number in range(len(stories)) if number not in roles),
        key=lambda number: (-stories[number].times, *_reach(stories[number].most_followed)),
    )
    chosen = [*roles, *rest][:limit]
    return tuple(_shown(stories[number], tuple(roles.get(number, ()))) for number in chosen)


def _shown(story: Story, roles: tuple[str, ...]) -> TopPost:
    return replace(story.first if FIRST in roles else story.most_followed, roles=roles)


def _has_any(story: Story, terms: Collection[str]) -> bool:
    said = f" {' '.join(_WORD.findall(story.first.text.casefold()))} "
    return any(f" {term} " in said for term in terms)


def _reach(post: TopPost) -> tuple[int, float, str]:
    return (-_followers(post), -post.negative, post.id)


def _followers(post: TopPost) -> int:
    return -1 if post.followers is None else post.followers


def _when(text: SaidText) -> tuple[object, str]:
    return (text.first.published_at, text.first.id)
