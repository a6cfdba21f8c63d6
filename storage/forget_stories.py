"""Look for somebody in what Redis keeps of stories, and take all of it out, to be known again from Postgres."""

import re
from collections.abc import Collection, Iterator
from typing import Any

from storage.redis_errors import translated_errors
from storage.stories import StoryStore
from storage.story_plan import AUTHOR_BYTES, ID_BYTES, POSTS, author_digest, post_token

__all__ = ["ForgettingStoryStore", "escape_pattern"]

KEYS_PER_SCAN = 1000


class ForgettingStoryStore(StoryStore):
    """The stories, with a way to look for an author or a post in all of them, whatever Postgres knows of them."""

    def count_telling(self, authors: Collection[str], post_ids: Collection[str]) -> int:
        """About how many stories any of these authors or posts is in. Looks at every one."""
        names = [author_digest(author) for author in authors]
        posts = [digest for _, digest in map(post_token, post_ids)]
        telling: set[str] = set()
        for keys in self._scan():
            with translated_errors(self._redis):
                telling.update(self._find_posts([key for key in keys if key.endswith(f":{POSTS}")], posts))
                telling.update(self._find_authors(keys, names))
                for key in keys if names else ():
                    if key.endswith(":authors") and any(self._has_author(key, name) for name in names):
                        telling.add(key)
        # His hours are counted, too: they tell of nobody who is in no story, unless that has expired.
        stories = {key for key in telling if not key.endswith(":authors")}
        return len(stories or telling)

    def remove_all(self) -> None:
        """Remove what is kept of every story, whatever version wrote it.

        A post that is to be forgotten may have begun a story, or lent it a text, a band, an author: what is left is
        known for certain only when it is known again. To be called when nobody can place posts: in
        `PostStore.rebuilding`, once the marker of the windows is gone.
        """
        for keys in self._scan():
            with translated_errors(self._redis):
                self._redis.unlink(*keys)

    def _scan(self) -> Iterator[list[str]]:
        pattern = f"{escape_pattern(self._base.rpartition('v')[0])}*"
        cursor: Any = None
        while cursor != 0:
            with translated_errors(self._redis):
                found: Any
                cursor, found = self._redis.scan(cursor or 0, match=pattern, count=KEYS_PER_SCAN)
            if found:
                yield [key.decode() for key in found]

    def _find_posts(self, keys: list[str], posts: list[bytes]) -> Iterator[str]:
        with self._redis.pipeline(transaction=False) as pipeline:
            for key in keys if posts else ():
                pipeline.hmget(key, posts)
            for held in pipeline.execute():
                yield from (story[:ID_BYTES].hex() for story in held if story)

    def _find_authors(self, keys: list[str], names: list[bytes]) -> Iterator[str]:
        leaders = [key for key in keys if ":leader:" in key and names]
        told = [key for key in keys if ":told:" in key and names]
        with self._redis.pipeline(transaction=False) as pipeline:
            for key in leaders:
                pipeline.getrange(key, 0, len(names[0]) - 1)
            for key in told:
                pipeline.hvals(key)
            answers = pipeline.execute()
        for key, author in zip(leaders, answers, strict=False):
            if author in names:
                yield _story_of(key)
        for key, held in zip(told, answers[len(leaders) :], strict=True):
            if any(name in _split_authors(authors) for authors in held for name in names):
                yield _story_of(key)

    def _has_author(self, key: str, name: bytes) -> bool:
        return any(True for _ in self._redis.hscan_iter(key, match=escape_pattern(name) + b"*", count=KEYS_PER_SCAN))


def escape_pattern(text: str | bytes) -> Any:
    """What matches exactly this, in a pattern of Redis."""
    if isinstance(text, bytes):
        return re.sub(rb"([*?\[\]^\\-])", rb"\\\1", text)
    return re.sub(r"([*?\[\]^\\-])", r"\\\1", text)


def _split_authors(authors: bytes) -> set[bytes]:
    return {authors[at : at + AUTHOR_BYTES] for at in range(0, len(authors), AUTHOR_BYTES)}


def _story_of(key: str) -> str:
    return key.rpartition(":")[2]
