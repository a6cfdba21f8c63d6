import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearometer.errors import Misconfigured
from model.drift import MIN_TEXTS, Level, chance_index, compare, jensen_shannon, stability_index
from model.profile import Profile, Survey
from model.tokenise import Tokeniser
from tests.unit.model.tiny import tiny_examples

counts = st.lists(st.integers(0, 1000), min_size=3, max_size=12)


@given(counts, st.data())
def test_the_stability_index_is_never_negative_symmetric_and_zero_for_equal_shares(
    before: list[int], data: st.DataObject
) -> None:
    after = data.draw(st.lists(st.integers(0, 1000), min_size=len(before), max_size=len(before)))
    assert stability_index(before, after) >= 0
    assert stability_index(before, after) == pytest.approx(stability_index(after, before))
    assert stability_index(before, before) == 0


@given(counts, st.data())
def test_the_divergence_lies_between_zero_and_one(before: list[int], data: st.DataObject) -> None:
    after = data.draw(st.lists(st.integers(0, 1000), min_size=len(before), max_size=len(before)))
    assert 0 <= jensen_shannon(before, after) <= 1
    assert jensen_shannon(before, [3 * count for count in before]) == pytest.approx(0, abs=1e-12)


def test_the_measures_give_the_numbers_of_their_definitions() -> None:
    assert stability_index([500, 500], [250, 750]) == pytest.approx(0.25 * 1.0986, rel=0.01)
    assert jensen_shannon([1, 0], [0, 1]) == 1
    assert jensen_shannon([1, 0], [1, 1]) == pytest.approx(0.3113, abs=1e-4)


def test_chance_exceeds_its_bound_about_once_in_a_thousand_times() -> None:
    chooser = random.Random(5)
    bound = chance_index(10, 100_000, 500)
    reference = [10_000] * 10
    over = 0
    for _ in range(4000):
        recent = [0] * 10
        for place in chooser.choices(range(10), k=500):
            recent[place] += 1
        over += stability_index(reference, recent) > bound
    assert 0 < over < 16


@pytest.fixture(scope="module")
def tokeniser(tiny_base: Path) -> Tokeniser:
    return Tokeniser.open(tiny_base / "tokenizer.json", 32)


def survey(tokeniser: Tokeniser, texts: Sequence[str], shift: float = 0.0, topic: str = "Earnings") -> Survey:
    """Texts, each with a score and one of two topics that chance decides."""
    found = Survey(tokeniser)
    found.read(texts)
    chooser = random.Random(len(texts))
    for _ in texts:
        found.judge(max(-1.0, min(1.0, chooser.gauss(shift, 0.4))), chooser.choice(["IPO", topic]))
    return found


TEXTS = [example.text for example in tiny_examples()]


@pytest.fixture(scope="module")
def profile(tokeniser: Tokeniser) -> Profile:
    return survey(tokeniser, TEXTS[:160]).profile("tiny@1", "d1")


def levels(profile: Profile, recent: Survey) -> dict[str, Level]:
    return {shift.name: shift.level for shift in compare(profile, recent)}


def test_other_texts_of_the_same_kind_are_steady(tokeniser: Tokeniser, profile: Profile) -> None:
    assert set(levels(profile, survey(tokeniser, TEXTS[160:])).values()) == {Level.STEADY}


def test_a_turn_of_the_mood_is_seen_in_the_scores_alone(tokeniser: Tokeniser, profile: Profile) -> None:
    found = compare(profile, survey(tokeniser, TEXTS[160:], shift=-0.5))
    assert [shift.name for shift in found if shift.level is not Level.STEADY] == ["score"]
    assert "mean score -0.5" in found[0].words
    assert "in training +0.0" in found[0].words


def test_other_words_lengths_and_topics_are_seen_and_named(tokeniser: Tokeniser, profile: Profile) -> None:
    texts = [f"record order record order {text[:12]} 漢字" for text in TEXTS[160:]]
    shifts = {shift.name: shift for shift in compare(profile, survey(tokeniser, texts, topic="Energy | Oil"))}

    for name in ("length", "vocabulary", "rare words", "topics"):
        assert shifts[name].level is Level.DRIFTED, name
    assert shifts["score"].level is Level.STEADY
    assert "record, order" in shifts["vocabulary"].words or "order, record" in shifts["vocabulary"].words
    assert "are about Energy | Oil, in training 0.0%" in shifts["topics"].words


def test_a_few_texts_do_not_make_an_alarm_of_chance(tokeniser: Tokeniser, profile: Profile) -> None:
    for seed in range(20):
        few = random.Random(seed).sample(TEXTS[160:], MIN_TEXTS)
        found = compare(profile, survey(tokeniser, few))
        assert [shift for shift in found if shift.level is Level.DRIFTED] == []


def test_scores_and_topics_are_compared_only_where_enough_texts_were_judged(
    tokeniser: Tokeniser, profile: Profile
) -> None:
    recent = Survey(tokeniser)
    recent.read(TEXTS[160:])
    for _ in range(MIN_TEXTS - 1):
        recent.judge(-1.0, "Energy | Oil")
    assert [*levels(profile, recent)] == ["length", "vocabulary", "rare words"]

    recent.judge(-1.0, "Energy | Oil")
    found = levels(profile, recent)
    assert (found["score"], found["topics"]) == (Level.DRIFTED, Level.DRIFTED)


def test_without_topics_on_one_side_they_are_left_out(tokeniser: Tokeniser, profile: Profile) -> None:
    recent = Survey(tokeniser)
    recent.read(TEXTS[160:])
    for _ in TEXTS[160:]:
        recent.judge(0.0, None)
    assert "topics" not in levels(profile, recent)
    assert "topics" not in levels(replace(profile, topics={}), survey(tokeniser, TEXTS[160:]))


def test_a_profile_is_read_as_it_was_written_and_holds_no_text(profile: Profile, tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    profile.save(file)

    assert Profile.open(file, "d1") == profile
    content = file.read_text().lower()
    assert not any(word in content for text in TEXTS for word in text.lower().split() if len(word) > 3)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "there is no profile of the training data"),
        ("{", "cannot be used"),
        ("{}", "cannot be used"),
        ('"known"', "cannot be used"),
    ],
)
def test_a_profile_that_cannot_be_used_is_told_in_one_line(tmp_path: Path, content: str | None, why: str) -> None:
    file = tmp_path / "profile.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(Misconfigured, match=why) as caught:
        Profile.open(file, "d1")
    assert "--profile-of" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_profile_of_another_tokenizer_or_of_no_sense_is_refused(profile: Profile, tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    profile.save(file)
    with pytest.raises(Misconfigured, match="another tokenizer"):
        Profile.open(file, "d2")
    replace(profile, lengths=profile.lengths[1:]).save(file)
    with pytest.raises(Misconfigured, match="do not fit together"):
        Profile.open(file, "d1")
    with pytest.raises(Misconfigured, match="cannot be written"):
        profile.save(tmp_path / "none" / "profile.json")
