"""The few posts chosen that speak for an alert, each the first of a story."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from bearometer.alert import TopPost

__all__ = ["FIRST", "MOST_NEGATIVE", "MOST_SHARED", "choose_posts"]

FIRST, MOST_SHARED, MOST_NEGATIVE = "first", "most shared", "most negative"

_WORD = re.compile(r"[^\W\d_]+")


def choose_posts(firsts: Sequence[TopPost], limit: int, terms: Collection[str] = ()) -> tuple[TopPost, ...]:
    """The first seen, the most shared and the most negative, then the most told, followed and negative; each once.

    `firsts` are the first posts of as many stories; their order changes nothing. The first seen is the first that has
    one of `terms`, where any has: what a window begins with may be an old story. Nothing is the most shared that was
    said once.
    """
    if not firsts:
        return ()
    ordered = sorted(firsts, key=lambda post: (post.published_at, post.id))
    about = [place for place, post in enumerate(ordered) if _has_any(post, terms)]
    everywhere = range(len(ordered))
    roles: dict[int, list[str]] = {}

    def give(role: str, among: Sequence[int], worth: Callable[[TopPost], float]) -> None:
        best = max(among, key=lambda place: worth(ordered[place]))  # of equals the earliest
        roles.setdefault(best, []).append(role)

    give(FIRST, about or everywhere, lambda _: 0)
    if any(post.repeats > 0 for post in ordered):
        give(MOST_SHARED, everywhere, lambda post: post.repeats)
    give(MOST_NEGATIVE, everywhere, lambda post: post.negative)
    rest = sorted((place for place in everywhere if place not in roles), key=lambda place: _reach(ordered[place]))
    chosen = [*roles, *rest][:limit]
    return tuple(replace(ordered[place], roles=tuple(roles.get(place, ()))) for place in chosen)


def _has_any(post: TopPost, terms: Collection[str]) -> bool:
    said = f" {' '.join(_WORD.findall(post.text.casefold()))} "
    return any(f" {term} " in said for term in terms)


def _reach(post: TopPost) -> tuple[int, int, float]:
    return (-post.repeats, 1 if post.followers is None else -post.followers, -post.negative)
