"""Labels from CSV files."""

import csv
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearometer.commands.label_file import BadLine, LabelLine, read_corrections, read_label_lines
from bearometer.correction import Correction
from bearometer.errors import Failed, Misconfigured
from bearometer.mention import WHOLE, Scored
from tests.stored_samples import scored

STORED = {"test:1": scored("1", symbols=("ACME",), text="ACME lost a customer", fingerprint="f1")}


def find_posts(ids: list[str]) -> Mapping[str, Scored]:
    return {id_: STORED[id_] for id_ in ids if id_ in STORED}


def read(tmp_path: Path, content: str | bytes) -> tuple[list[Correction], list[BadLine]]:
    file = tmp_path / "labels.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    kept: list[Correction] = []
    left_out: list[BadLine] = []
    for corrections, bad in read_corrections(file, "ann", find_posts, lambda text: f"<{text}>"):
        kept += corrections
        left_out += bad
    return kept, left_out


def test_a_stored_post_gives_its_own_text_and_what_the_model_said(tmp_path: Path) -> None:
    kept, bad = read(tmp_path, "post_id,text,label,topic\ntest:1,another text,p,ipo\n")

    assert bad == []
    assert kept == [
        Correction(
            "test:1", WHOLE, "ann", "positive", "ACME lost a customer", "f1", "IPO", model="test-1",
            model_label="negative",
        )
    ]  # fmt: skip


def test_a_text_of_nobodys_post_is_kept_under_its_fingerprint(tmp_path: Path) -> None:
    kept, _ = read(tmp_path, "text,symbol,label,who\nZeta soars,ZETA,bullish,bob\nZeta soars,,positive,\n")

    assert kept == [
        Correction("text:<Zeta soars>", "ZETA", "bob", "positive", "Zeta soars", "<Zeta soars>"),
        Correction("text:<Zeta soars>", WHOLE, "ann", "positive", "Zeta soars", "<Zeta soars>"),
    ]


def test_a_post_that_is_gone_is_taken_with_the_text_of_its_line(tmp_path: Path) -> None:
    kept, _ = read(tmp_path, "post_id,text,label\ngone:1,It fell,n\n")

    assert [(one.post_id, one.text) for one in kept] == [("gone:1", "It fell")]


def test_the_symbol_of_a_stored_post_may_be_written_as_a_cashtag(tmp_path: Path) -> None:
    kept, _ = read(tmp_path, "post_id,symbol,label\ntest:1,$acme,n\n")

    assert (kept[0].symbol, kept[0].model_label) == ("ACME", "negative")


def test_every_bad_line_is_told_with_its_number_and_the_rest_is_kept(tmp_path: Path) -> None:
    lines = [
        b"\xef\xbb\xbfPost_ID,text,symbol,label,topic,note",
        b"test:1,,,negative,,good",
        b"test:2,,,negative,,not stored",
        b",,,negative,,nothing",
        b',"two',
        b'lines",,sideways,,label',
        b",a,ACME,,Earnings,topic of a mention",
        b",a,,,weather,no topic",
        b",a,,,,no label",
        b",a,,n",
        b"",
        b",caf\xe9,,n,,latin",
        b"," + b"x" * 20_001 + b",,n,,long",
        b"," + b"x" * 200_000 + b",,n,,too long for a field",
        b",a," + b"x" * 401 + b",n,,",
        b"y" * 1001 + b",a,,n,,",
        b"test\x001,a,,n,,NUL",
        b",a\x00b,,n,,NUL",
        b"test:1,,AC\x00ME,n,,NUL",
        b',"a, ""quoted"" text",,u,,good',
    ]
    csv.field_size_limit(10_000_000)  # as another reader of this process leaves it
    kept, bad = read(tmp_path, b"\r\n".join(lines))

    assert [one.text for one in kept] == ["ACME lost a customer", 'a, "quoted" text']
    assert [(line.number, line.why[:34]) for line in bad] == [
        (3, "the post 'test:2' is not stored, a"),
        (4, "neither `post_id` nor `text`"),
        (5, "`label` is 'sideways'; it must be "),
        (7, "a `topic` beside the `symbol` 'ACM"),
        (8, "'weather' is no topic or more than"),
        (9, "neither `label` nor `topic`"),
        (10, "4 fields where the header has 6"),
        (12, "not UTF-8"),
        (13, "a `text` of 20,001 characters; at "),
        (14, "field larger than field limit (131"),
        (15, "a `symbol` of more than 400 bytes"),
        (16, "a `post_id` of more than 1,000 byt"),
        (17, "a NUL character"),
        (18, "a NUL character"),
        (19, "a NUL character"),
    ]


@given(rows=st.lists(st.lists(st.text(max_size=8), max_size=6), max_size=6))
def test_no_file_breaks_the_reading(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    file = tmp_path_factory.mktemp("csv") / "labels.csv"
    file.write_text(
        "\n".join(["text,label,topic", *(",".join(row) for row in rows)]), encoding="utf-8", errors="replace"
    )

    lines = list(read_label_lines(file))
    assert all(isinstance(line, LabelLine | BadLine) for line in lines)
    assert [line.number for line in lines] == sorted(line.number for line in lines)


@pytest.mark.parametrize("header", ["", "text", "label,topic", "id,sentiment"])
def test_a_header_that_cannot_work_is_told_at_once(tmp_path: Path, header: str) -> None:
    with pytest.raises(Failed, match="the header needs `post_id` or `text`, and `label` or `topic`"):
        read(tmp_path, f"{header}\n")


def test_a_file_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read: No such file"):
        list(read_label_lines(tmp_path / "none.csv"))
