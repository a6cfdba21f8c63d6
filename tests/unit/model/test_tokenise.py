from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearometer.errors import Misconfigured
from model.classifier import Passage
from model.tokenise import Encoded, Ids, Tokeniser, by_length, pad, span_weights


def row(length: int) -> Ids:
    return np.ones(length, dtype=np.int64)


@given(st.lists(st.none() | st.integers(1, 40)), st.integers(1, 100))
def test_groups_hold_each_readable_row_once_and_keep_to_their_bound(lengths: list[int | None], bound: int) -> None:
    rows = [None if length is None else row(length) for length in lengths]
    groups = by_length(rows, bound)
    assert sorted(place for group in groups for place in group) == [
        place for place, length in enumerate(lengths) if length is not None
    ]
    for group in groups:
        assert len(group) == 1 or max(lengths[place] or 0 for place in group) * len(group) <= bound


def test_rows_are_padded_to_the_longest_only() -> None:
    ids, mask = pad([np.array([5, 6, 7]), np.array([8])], pad_id=9)
    assert ids.tolist() == [[5, 6, 7], [8, 9, 9]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]


def test_the_weights_of_a_mentions_tokens_sum_to_one_and_are_zero_where_there_is_none() -> None:
    rows = [Encoded(row(4), (np.array([1, 2]), np.array([], dtype=np.int64))), Encoded(row(2))]
    assert span_weights(rows, 4).tolist() == [[[0, 0.5, 0.5, 0], [0, 0, 0, 0]], [[0, 0, 0, 0], [0, 0, 0, 0]]]
    assert span_weights(rows[1:], 2).shape == (1, 1, 2)


def test_an_entity_is_found_among_the_tokens_by_its_words_and_lost_where_the_text_is_cut(tiny_base: Path) -> None:
    tokeniser = Tokeniser.open(tiny_base / "tokenizer.json", 16)
    text = "Quillmark &amp; Tern Aviation " + "today " * 20 + "Ostrava Steel"
    (encoded,) = tokeniser.encode_passages([Passage(text, ("Tern Aviation", "Quillmark", "Ostrava Steel", "Nobody"))])
    assert encoded is not None
    words = [tokeniser.tokenizer.id_to_token(int(number)) for number in encoded.ids]
    assert [[words[place] for place in span] for span in encoded.spans] == [["tern", "aviation"], ["quillmark"], [], []]


def _read(tokeniser: Tokeniser, passage: Passage) -> list[list[str]]:
    (encoded,) = tokeniser.encode_passages([passage])
    assert encoded is not None
    words = [tokeniser.tokenizer.id_to_token(int(number)) for number in encoded.ids]
    return [[words[place] for place in span] for span in encoded.spans]


def test_an_entity_stands_where_the_asker_says_that_it_does_and_is_looked_for_where_he_says_nothing(
    tiny_base: Path,
) -> None:
    tokeniser = Tokeniser.open(tiny_base / "tokenizer.json", 16)
    text = "Quillmark and Tern Aviation today"
    passage = Passage(text, ("QMRK", "Tern", "NONE"), (((0, 9),), (), ()))
    assert _read(tokeniser, passage) == [["quillmark"], ["tern"], []]
    assert _read(tokeniser, Passage(text, ("QMRK", "Tern"))) == [[], ["tern"]]


def test_a_place_that_cleaning_has_moved_is_found_again_by_its_words(tiny_base: Path) -> None:
    tokeniser = Tokeniser.open(tiny_base / "tokenizer.json", 16)
    text = "https://example.com/x  today &amp; Tern  Aviation"
    start = text.index("Tern")
    assert _read(tokeniser, Passage(text, ("TERN",), (((start, start + 14),),))) == [["tern", "aviation"]]


def test_a_place_behind_the_last_token_is_not_in_the_text(tiny_base: Path) -> None:
    tokeniser = Tokeniser.open(tiny_base / "tokenizer.json", 16)
    text = "today " * 30 + "Quillmark"
    assert _read(tokeniser, Passage(text, ("QMRK",), (((180, 189),),))) == [[]]


def test_a_text_with_nothing_to_read_gives_none(tiny_base: Path) -> None:
    tokeniser = Tokeniser.open(tiny_base / "tokenizer.json", 16)
    encoded = tokeniser.encode(["", "  ", "https://example.com/x", "\u200b\u200d", "\x00", "quillmark"])
    assert [ids is None for ids in encoded] == [True, True, True, True, True, False]


def test_texts_are_cut_at_the_limit_and_strange_ones_are_read(tiny_base: Path) -> None:
    tokeniser = Tokeniser.open(tiny_base / "tokenizer.json", 16)
    long, huge_word, lone_surrogate = tokeniser.encode(["up " * 100_000, "x" * 1_000_000, "up \ud800 down"])
    assert long is not None and len(long) == 16
    assert huge_word is not None and len(huge_word) <= 16
    assert lone_surrogate is not None


def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(Misconfigured, match=r"tokenizer\.json is no tokenizer"):
        Tokeniser.open(tmp_path / "tokenizer.json", 16)
