"""`bearometer hydrate` as a user runs it."""

import gzip
import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bearometer.cli import build_cli
from bearometer.errors import Failed, Misconfigured
from bearometer.mention import LABELS
from model.dataset import Example, read_examples

GOOD, MIXED = "$QMRK wins a record order", "$QMRK up, $TERN down"


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.csv"
    lines = [
        "digest,label,entities",
        f"{hashlib.sha256(GOOD.encode()).hexdigest()[:16]},positive,",
        f"{hashlib.sha256(MIXED.encode()).hexdigest()[:16]},neutral,QMRK=positive TERN=negative",
        "0123456789abcdef,negative,",
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def hydrate(*arguments: str | Path) -> str:
    result = CliRunner().invoke(build_cli(), ["hydrate", *map(str, arguments)], catch_exceptions=False)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_labels_come_back_to_their_texts_as_train_reads_them(labels: Path, tmp_path: Path) -> None:
    texts, output = tmp_path / "texts.txt.gz", tmp_path / "posts.jsonl"
    texts.write_bytes(gzip.compress(f"{MIXED}\nnothing\n{GOOD}\n{GOOD}\n".encode()))
    assert hydrate(labels, texts, "--output", output) == f"2 of 3 labels put to their texts: {output}\n"
    negative, neutral, positive = (LABELS.index(label) for label in ("negative", "neutral", "positive"))
    assert read_examples(output, "posts") == [
        Example(MIXED, neutral, (("QMRK", positive), ("TERN", negative))),
        Example(GOOD, positive, (("QMRK", positive),)),
    ]
    assert [list(json.loads(line)) for line in output.read_text().splitlines()] == [["text", "label", "entities"]] * 2


def test_labels_of_other_texts_are_an_error_and_an_earlier_output_stays(labels: Path, tmp_path: Path) -> None:
    texts, output = tmp_path / "texts.txt", tmp_path / "posts.jsonl"
    texts.write_text("nothing here\n")
    output.write_text("before\n")
    with pytest.raises(Failed, match=r"none of the 3 labels of .* is of a text in"):
        hydrate(labels, texts, "--output", output)
    assert output.read_text() == "before\n"


def test_what_cannot_be_written_is_said(labels: Path, tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text(f"{GOOD}\n")
    with pytest.raises(Misconfigured, match="cannot be written"):
        hydrate(labels, texts, "--output", tmp_path / "none" / "posts.jsonl")


@pytest.mark.parametrize("name", ["posts.csv", "posts.jsonl.gz", "labels.csv"])
def test_an_output_that_train_could_not_read_or_that_is_an_input_is_refused(
    labels: Path, tmp_path: Path, name: str
) -> None:
    texts = tmp_path / "texts.jsonl"
    texts.write_text(json.dumps({"text": GOOD}) + "\n")
    for output in (tmp_path / name, texts):
        with pytest.raises(Misconfigured, match=r"it must end in \.jsonl, and be neither of the inputs"):
            hydrate(labels, texts, "--output", output)
    assert json.loads(texts.read_text()) == {"text": GOOD}
    assert hydrate(labels, texts, "--output", tmp_path / "posts.jsonl").startswith("1 of 3 labels")
