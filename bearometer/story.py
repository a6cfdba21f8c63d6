"""Which story a post tells, and what was known of that story when the post came."""

import hashlib
from dataclasses import dataclass

__all__ = ["Placement", "story_id"]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a post stood, when it came, among those that tell the same; both numbers count this post too.

    They are what spam is told by, and stay as they were when the post comes again.
    """

    story: str
    """`story_id` of the story's first post: the first to come, whatever times the posts bear."""
    first: bool
    """Whether the story begins with this post."""
    same_text_authors: int
    """Distinct authors of exactly this text (by its fingerprint) in the story; past 1,000 no more are told apart."""
    author_posts: int
    """About how many posts this author of this source published in this hour of event time; 0 without an author."""


def story_id(post_id: str) -> str:
    """What a story is called whose first post is this one: 16 hex digits, which do not give the post's id away."""
    return hashlib.blake2b(post_id.encode("utf-8", "replace"), digest_size=8, person=b"story").hexdigest()
