from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.classifier import Passage
from model.groups import MENTIONS_PER_PASS, group_passages
from model.tokenise import Tokeniser

NAMES = ("Quillmark", "$QMRK", "QMRK", "Tern Aviation", "Ostrava", "nobody", "")
WORDS = ("Quillmark", "$QMRK", "Tern Aviation", "Ostrava", "falls", "https://example.com/x")


@pytest.fixture(scope="module")
def tokeniser(tiny_base: Path) -> Tokeniser:
    return Tokeniser.open(tiny_base / "tokenizer.json", 60)


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            lambda words, names: Passage(" ".join(words), tuple(names)),
            st.lists(st.sampled_from(WORDS), max_size=8),
            st.lists(st.sampled_from(NAMES), max_size=6),
        ),
        max_size=12,
    ),
    st.integers(1, 80),
)
def test_each_mention_of_each_readable_passage_stands_in_the_groups_once(
    tokeniser: Tokeniser, passages: list[Passage], group_tokens: int
) -> None:
    prepared = group_passages(passages, tokeniser, group_tokens, pad_id=0)
    assert prepared.passages == passages
    encoded = tokeniser.encode_passages(passages)
    seen: dict[int, int] = {}
    for group in prepared.groups:
        assert group.ids.shape == group.mask.shape == (len(group.places), group.spans.shape[2])
        for row, place in enumerate(group.places):
            named = {number for number in prepared.mentions[place] if number is not None}
            full = group.spans[row].sum(axis=1) > 0
            assert full.sum() == len(named)
            assert np.all(group.mask[row][group.spans[row].sum(axis=0) > 0] == 1)
            seen[place] = seen.get(place, 0) + 1
    assert sorted(seen) == [place for place, each in enumerate(encoded) if each]
    assert set(seen.values()) <= {1}
    for numbers, each in zip(prepared.mentions, encoded, strict=True):
        if each:
            assert [number is not None for number in numbers] == [span.size > 0 for span in each.spans]


def test_two_names_of_the_same_words_share_a_mention(tokeniser: Tokeniser) -> None:
    passage = Passage("$QMRK falls, Tern Aviation does not", ("QMRK", "Tern Aviation", "$QMRK", "Ostrava"))
    prepared = group_passages([passage], tokeniser, 1024, pad_id=0)
    assert prepared.mentions == [(0, 1, 0, None)]
    assert prepared.groups[0].spans.shape[:2] == (1, 2)
    assert prepared.groups[0].spans.sum(axis=2).tolist() == [[1.0, 1.0]]


def test_a_text_that_names_very_many_takes_more_passes_and_not_more_memory(tokeniser: Tokeniser) -> None:
    letters = list("abcdefghijklmnopqrstuvwxyz!?#%&*+;:=")
    many = Passage(" ".join(letters), tuple(letters))
    assert len(letters) > MENTIONS_PER_PASS
    prepared = group_passages([Passage("Tern falls", ("Tern",)), many], tokeniser, 1024, pad_id=0)
    count = len(set(prepared.mentions[1]) - {None})
    assert count > MENTIONS_PER_PASS
    assert [group.places for group in prepared.groups] == [[1, 0], [1]]
    assert [group.spans.shape[1] for group in prepared.groups] == [MENTIONS_PER_PASS, count - MENTIONS_PER_PASS]
