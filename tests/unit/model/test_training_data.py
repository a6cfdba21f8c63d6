import json
from pathlib import Path

import pytest

from bearometer.errors import Failed
from bearometer.mention import LABELS
from bearometer.topics import TOPICS
from model.dataset import is_development
from model.plan import Plan
from model.recipe import DataSet
from model.text import clean
from model.training_data import read_data
from tests.unit.model.tiny import tiny_contrasts, tiny_examples


def write(folder: Path, labels: tuple[str, ...] = LABELS) -> Path:
    """Sentiments, mentions and topics of our own sentences, those with the labels only."""
    rows = [
        {"text": example.text, "label": LABELS[example.label]}
        for example in tiny_examples()
        if example.label is not None and LABELS[example.label] in labels
    ]
    mentions = [
        {
            "text": example.text,
            "entities": {name: LABELS[label] for name, label in example.mentions if label is not None},
        }
        for example in (*tiny_contrasts(), *tiny_examples())
    ]
    topics = [{"text": f"story {n} of {topic}", "label": topic} for topic in TOPICS for n in range(9)]
    texts = [{"text": f"$QMRK story {n}"} for n in range(40)]
    for name, content in (("s", rows), ("m", mentions), ("t", topics), ("u", texts)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content))
    return folder


def plan(*sets: DataSet, development: tuple[DataSet, ...] = ()) -> Plan:
    return Plan("base", sets, development=development)


def test_each_set_is_a_portion_and_the_development_rows_are_in_none(tmp_path: Path) -> None:
    sets = (DataSet("s.jsonl"), DataSet("m.jsonl", "mentions", 0.5), DataSet("t.jsonl", "topic"))
    data = read_data(plan(*sets), write(tmp_path))
    assert [portion.passes for portion in data.portions] == [1.0, 0.5, 1.0]
    assert not any(is_development(example.text) for portion in data.portions for example in portion.examples)
    assert all(is_development(example.text) for example in data.development)
    assert set(data.digests) == {"s.jsonl", "m.jsonl", "t.jsonl"}


def test_texts_without_labels_teach_but_measure_nothing(tmp_path: Path) -> None:
    data = read_data(plan(DataSet("s.jsonl"), DataSet("u.jsonl", "texts", rows=7)), write(tmp_path))
    assert len(data.portions[1].examples) == 7
    assert all(example.label is not None for example in data.development)


def test_a_development_file_is_kept_out_of_training(tmp_path: Path) -> None:
    write(tmp_path)
    lines = (tmp_path / "s.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "d.jsonl").write_text("".join(lines[:30]))
    data = read_data(plan(DataSet("s.jsonl"), development=(DataSet("d.jsonl"),)), tmp_path)
    assert (len(data.portions[0].examples), len(data.development)) == (len(lines) - 30, 30)


def test_no_row_to_train_on_is_the_same_as_a_development_row_once_it_is_cleaned(tmp_path: Path) -> None:
    write(tmp_path)
    lines = (tmp_path / "s.jsonl").read_text()
    twins = [{**json.loads(line), "text": again(json.loads(line)["text"])} for line in lines.splitlines()[::3]]
    (tmp_path / "s.jsonl").write_text(lines + "".join(json.dumps(twin) + "\n" for twin in twins))
    texts = [*(twin["text"] for twin in twins), *(f"$QMRK tale {n}" for n in range(20))]
    (tmp_path / "u.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    (tmp_path / "d.jsonl").write_text("".join(line + "\n" for line in lines.splitlines()[:30]))
    sets = (DataSet("s.jsonl"), DataSet("u.jsonl", "texts"))
    for development in ((), (DataSet("d.jsonl"),)):
        data = read_data(plan(*sets, development=development), tmp_path)
        measured = {clean(example.text).casefold() for example in data.development}
        for portion in data.portions:
            assert portion.examples
            assert measured.isdisjoint(clean(example.text).casefold() for example in portion.examples)


def again(text: str) -> str:
    """The same to the model, but by its digest in the other split."""
    links = (f"{text.upper()}  https://example.com/{number}" for number in range(999))
    return next(linked for linked in links if is_development(linked) != is_development(text))


def test_a_class_without_rows_is_named_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"no row to train on has the sentiment label 'positive' \(s\.jsonl\)"):
        read_data(plan(DataSet("s.jsonl")), write(tmp_path, ("negative", "neutral")))


def test_a_topic_without_rows_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    rows = [line for line in (tmp_path / "t.jsonl").read_text().splitlines(keepends=True) if '"IPO"' not in line]
    (tmp_path / "t.jsonl").write_text("".join(rows))
    with pytest.raises(Failed, match="topic label 'IPO'"):
        read_data(plan(DataSet("t.jsonl", "topic")), tmp_path)


def test_a_task_without_development_rows_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    rows = [{"text": e.text, "label": LABELS[e.label or 0]} for e in tiny_examples() if not is_development(e.text)]
    (tmp_path / "s.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(Failed, match=r"no development row has a sentiment label \(s\.jsonl, m\.jsonl\)"):
        read_data(plan(DataSet("s.jsonl"), DataSet("m.jsonl", "mentions")), tmp_path)


def test_texts_alone_teach_nothing(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"no row to train on has a label \(u\.jsonl\)"):
        read_data(plan(DataSet("u.jsonl", "texts")), write(tmp_path))


def test_a_wrong_label_file_fails_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("text,label\nfine,1\nodd,perhaps\n")
    with pytest.raises(Failed, match=r"x\.csv, line 3: needs a `text` and a `label`"):
        read_data(plan(DataSet("x.csv")), tmp_path)
