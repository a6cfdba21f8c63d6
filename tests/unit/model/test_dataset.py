import gzip
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearometer.errors import Failed, Misconfigured
from bearometer.mention import LABELS
from bearometer.topics import TOPICS
from model.dataset import Example, is_development, read_examples, sample, split_examples

NEGATIVE, NEUTRAL, POSITIVE = (LABELS.index(label) for label in ("negative", "neutral", "positive"))


def test_numbers_are_read_as_twitter_financial_news_sentiment_means_them(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('text,label\n"Down, badly",0\nUp,1\n"Two\nlines",2\n')
    assert read_examples(path) == [
        Example("Down, badly", NEGATIVE),
        Example("Up", POSITIVE),
        Example("Two\nlines", NEUTRAL),
    ]


def test_jsonl_may_name_the_labels(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text":"a","label":"Negative"}\n\n{"text":"b","label":2}\n{"text":"c","label":"bullish"}\n')
    assert [example.label for example in read_examples(path)] == [NEGATIVE, NEUTRAL, POSITIVE]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"text,label\nfine,1\nbad,7\n", "line 3: needs a `text` and a `label`"),
        ("a.csv", b"sentence,label\nfine,1\n", "line 2: needs a `text`"),
        ("a.csv", b"text,label\n", "holds no rows"),
        ("a.csv", b"text,label\n\xff\xfe,1\n", "cannot be read"),
        ("a.jsonl", b'{"text":"a","label":1}\n{"text"\n', "line 2: not JSON"),
        ("a.jsonl", b"[1]\n", "line 1: needs a `text`"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(Failed, match=said):
        read_examples(path)


def test_a_missing_file_or_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="does not exist"):
        read_examples(tmp_path / "none.csv")
    (tmp_path / "rows.xlsx").write_text("")
    with pytest.raises(Misconfigured, match=r"\.csv or \.jsonl"):
        read_examples(tmp_path / "rows.xlsx")


@given(st.lists(st.text()))
def test_the_split_keeps_every_row_once_and_equal_texts_together(texts: list[str]) -> None:
    train, development = split_examples(Example(text, NEUTRAL) for text in texts)
    assert sorted(example.text for example in train + development) == sorted(texts)
    assert not {example.text for example in train} & {example.text for example in development}


@given(st.text())
def test_the_development_split_is_what_its_digest_says(text: str) -> None:
    assert is_development(text) == (hashlib.sha256(text.encode()).hexdigest()[0] in {"0", "1"})


def test_topics_are_read_by_name_or_number(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label\nFirst day of trading,IPO\nA takeover,13\n")
    assert read_examples(path, "topic") == [
        Example("First day of trading", topic=TOPICS.index("IPO")),
        Example("A takeover", topic=TOPICS.index("M&A | Investments")),
    ]
    path.write_text("text,label\nA takeover,20\n")
    with pytest.raises(Failed, match="line 2: needs a `text` and a `label` that is a topic's name or number"):
        read_examples(path, "topic")


def test_mentions_are_read_with_a_label_each(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        '{"text":"Quillmark wins, Tern loses","entities":{"Quillmark":"positive","Tern":"negative"}}\n'
        '{"title":"Lumen waits","decisions":{"Lumen":"neutral"}}\n'
    )
    assert read_examples(path, "mentions") == [
        Example("Quillmark wins, Tern loses", mentions=(("Quillmark", POSITIVE), ("Tern", NEGATIVE))),
        Example("Lumen waits", mentions=(("Lumen", NEUTRAL),)),
    ]


def test_posts_have_a_label_and_their_entities_may(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        '{"text":"$QMRK up, $TERN down","label":"neutral","entities":{"QMRK":"positive","TERN":"negative"}}\n'
        '{"text":"all is well","label":"positive"}\n'
    )
    assert read_examples(path, "posts") == [
        Example("$QMRK up, $TERN down", NEUTRAL, (("QMRK", POSITIVE), ("TERN", NEGATIVE))),
        Example("all is well", POSITIVE),
    ]


@pytest.mark.parametrize(
    ("task", "row", "said"),
    [
        ("mentions", '{"text":"a"}', "a `text` and `entities`"),
        ("mentions", '{"text":"a","entities":{}}', "a `text` and `entities`"),
        ("mentions", '{"text":"a","entities":{"b":"good"}}', "a `text` and `entities`"),
        ("mentions", '{"text":"a","entities":["b"]}', "a `text` and `entities`"),
        ("posts", '{"text":"a"}', "a `text`, a `label`"),
        ("posts", '{"label":1}', "a `text`, a `label`"),
        ("posts", '{"text":"a","label":1,"entities":{"b":"good"}}', "a `text`, a `label`"),
        ("posts", '{"text":"a","label":1,"entities":["a"]}', "a `text`, a `label`"),
        ("posts", '{"text":"a","label":1,"entities":"a=positive"}', "a `text`, a `label`"),
    ],
)
def test_rows_without_the_labels_of_their_task_are_refused(tmp_path: Path, task: str, row: str, said: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(row)
    with pytest.raises(Failed, match=f"line 1: needs {said}"):
        read_examples(path, task)


def test_plain_texts_may_be_packed_and_their_cashtags_are_mentions(tmp_path: Path) -> None:
    path = tmp_path / "rows.txt.gz"
    path.write_bytes(gzip.compress(b"$QMRK and $tern, then $QMRK\nnothing here\n"))
    assert read_examples(path, "texts") == [
        Example("$QMRK and $tern, then $QMRK", mentions=(("QMRK", None), ("TERN", None))),
        Example("nothing here"),
    ]


def test_an_unknown_task_is_named_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="the task 'mood' is unknown; it must be one of sentiment, topic"):
        read_examples(tmp_path / "rows.csv", "mood")


@given(st.lists(st.text(max_size=5), unique=True), st.integers(1, 9))
def test_a_sample_is_the_same_every_time_and_of_more_rows_holds_that_of_fewer(texts: list[str], rows: int) -> None:
    examples = [Example(text) for text in texts]
    few, more = sample(examples, rows), sample(examples, rows + 3)
    assert len(few) == min(rows, len(examples))
    assert set(few) <= set(more) <= set(examples)
    assert few == sample(examples, rows)
