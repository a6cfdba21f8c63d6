"""Labels that are kept by their texts' digests."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearometer.errors import Failed, Misconfigured
from bearometer.mention import LABELS
from model.annotations import Annotation, match_annotations, read_annotations

NEGATIVE, NEUTRAL, POSITIVE = (LABELS.index(label) for label in ("negative", "neutral", "positive"))
BOTH = "$QMRK up on the back of $TERN"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(["digest,label,entities", *lines, ""]))
    return path


def test_labels_are_read_by_digest(tmp_path: Path) -> None:
    path = write(
        tmp_path / "l.csv", "0123456789abcdef,negative,", "f123456789abcdef,neutral,QMRK=positive TERN=negative"
    )
    assert read_annotations(path) == {
        "0123456789abcdef": Annotation(NEGATIVE),
        "f123456789abcdef": Annotation(NEUTRAL, (("QMRK", POSITIVE), ("TERN", NEGATIVE))),
    }


@pytest.mark.parametrize(
    "line",
    [
        "0123456789abcdef,good,",
        "0123456789abcde,negative,",
        "0123456789abcdef,negative,QMRK",
        "0123456789abcdef,negative,=positive",
        "0123456789abcdef,negative,QMRK=good",
        "0123456789abcdef",
        "0123456789ABCDEF,negative,",
        "0123456789abcdeg,negative,",
        "0123456789abcdef,neutral,QMRK=positive,TERN=negative",
        "0123456789abcdef,neutral,QMRK=positive QMRK=negative",
        "a123456789abcdef,negative,",
    ],
)
def test_a_line_that_makes_no_sense_is_named(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "l.csv", "a123456789abcdef,neutral,", line)
    with pytest.raises(Failed, match="line 3: needs a digest of 16 hex digits, small and there once"):
        read_annotations(path)


def test_a_quote_that_does_not_end_takes_no_line_with_it(tmp_path: Path) -> None:
    path = write(tmp_path / "l.csv", '0123456789abcdef,neutral,"', "a123456789abcdef,neutral,")
    with pytest.raises(Failed, match=r"line \d: unexpected end of data"):
        read_annotations(path)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("text,label\na,negative\n")
    with pytest.raises(Failed, match="the first line must be digest,label,entities"):
        read_annotations(tmp_path / "l.csv")
    with pytest.raises(Misconfigured, match="cannot be read"):
        read_annotations(tmp_path / "none.csv")


def test_texts_get_what_was_said_of_them_each_once() -> None:
    known = {digest("$QMRK falls"): Annotation(NEGATIVE), digest("other"): Annotation(POSITIVE)}
    assert list(match_annotations(known, ["unknown", "$QMRK falls", "$QMRK falls"])) == [
        ("$QMRK falls", Annotation(NEGATIVE, (("QMRK", NEGATIVE),)))
    ]


def test_companies_spoken_of_alike_have_the_texts_label_and_others_their_own() -> None:
    own = Annotation(POSITIVE, (("QMRK", POSITIVE), ("TERN", NEUTRAL)))
    assert next(match_annotations({digest(BOTH): own}, [BOTH])) == (BOTH, own)
    ((_, alike),) = match_annotations({digest(BOTH): Annotation(POSITIVE)}, [BOTH])
    assert alike.entities == (("QMRK", POSITIVE), ("TERN", POSITIVE))


@given(st.lists(st.text(max_size=20)), st.sets(st.text(max_size=20)))
def test_every_labelled_text_comes_once_and_no_other(texts: list[str], labelled: set[str]) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    known = {
        digest(text): Annotation(NEUTRAL) for text in (one.encode("utf-8", "replace").decode() for one in labelled)
    }
    found = [text for text, _ in match_annotations(known, texts)]
    assert found == [text for text in dict.fromkeys(texts) if digest(text) in known]


def test_the_labels_that_come_with_it_can_be_read_and_none_to_train_on_is_one_to_measure_on() -> None:
    recipes = Path(__file__).parents[3] / "model" / "recipes"
    labels, kept_apart = (read_annotations(recipes / f"stocknet_{name}.csv") for name in ("labels", "test_labels"))
    assert len(labels) == 16_403
    assert {each.label for each in labels.values()} == {NEGATIVE, NEUTRAL, POSITIVE}
    assert sum(len({label for _, label in each.entities}) > 1 for each in labels.values()) > 1_000
    assert len(kept_apart) == 275
    assert {digest[0] for digest in kept_apart} == {"f"}
    assert not any(digest.startswith("f") for digest in labels)
