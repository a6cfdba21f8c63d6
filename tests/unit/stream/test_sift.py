from dataclasses import replace

from bearometer.settings import SpamSettings
from bearometer.sketch import make_sketch
from bearometer.story import story_id
from storage.memory_stories import MemoryStoryStore
from stream.sift import Sift
from tests.fakes import make_post
from tests.stored_samples import scored as make_scored

PROMOTION = "Our free chat room called $HBRM before everybody, join now for the next hot pick"


def sift(**spam: object) -> Sift:
    return Sift(MemoryStoryStore(), SpamSettings.model_validate(spam), ("en", "de"))


def test_posts_in_a_language_that_the_model_knows_or_that_nobody_knows_are_scored() -> None:
    for language in ("en", "de", "und", "en-US", "EN", "unknown", " "):
        assert sift().why_unscored(make_post("1", language=language)) is None
    assert sift().why_unscored(make_post("1", language="es")) == "language: es"


def test_each_post_gets_its_story_in_order() -> None:
    first = make_post("1", "Harbor Mills closes its plant in Bilbao after the fire of last week", fingerprint="a")
    other = make_post("2", "Harbor Mills names a new head of finance for its European business", fingerprint="b")
    again = make_post(
        "3", "RT @wire: Harbor Mills closes its plant in Bilbao after the fire of last week, sad", fingerprint="c"
    )
    posts = [first, other, again]
    sifted = sift().place(posts, [make_sketch(post) for post in posts])
    assert [one.story for one in sifted] == [story_id("test:1"), story_id("test:2"), story_id("test:1")]
    assert not any(one.spam for one in sifted)


def test_posts_that_were_placed_before_all_stories_were_lost_are_known_again_once_they_are_stored() -> None:
    stories = MemoryStoryStore()
    sift = Sift(stories, SpamSettings(), ("en",))
    text = "Harbor Mills closes its plant in Bilbao after the fire of last week"
    post = make_post("1", text, fingerprint="a")
    (sifted,) = sift.place([post], [make_sketch(post)])
    stories.lose()
    stories.restore()
    sift.confirm([make_sketch(post)], [replace(make_scored("1"), post=post, story=sifted.story)])
    copy = make_post("2", f"RT @wire: {text}, sad", fingerprint="b")
    assert sift.place([copy], [make_sketch(copy)])[0].story == sifted.story


def test_spam_is_told_by_its_reasons_and_only_while_it_is_looked_for() -> None:
    posts = [make_post("1", PROMOTION)]
    sketches = [make_sketch(post) for post in posts]
    (reason,) = sift().place(posts, sketches)[0].spam
    assert reason.startswith("promotion: ")
    assert sift(enabled=False).place(posts, sketches)[0].spam == ()
