import io
from collections.abc import Sequence

import orjson

from bearometer.mention import Sentiment
from model.classifier import Judgement, Passage
from model.score import score_lines


class LengthClassifier:
    """Calls a text the more negative the longer it is; cannot judge an empty one."""

    version = "length@00000000"

    def prepare(self, passages: Sequence[Passage]) -> list[Passage]:
        return list(passages)

    def classify(self, prepared: list[Passage]) -> list[Judgement | None]:
        return [self._judge(passage) if passage.text else None for passage in prepared]

    def _judge(self, passage: Passage) -> Judgement:
        negative = min(len(passage.text), 100) / 100
        sentiment = Sentiment(negative, 1 - negative, 0.0)
        return Judgement(sentiment, (sentiment,) * len(passage.entities))


def score(text: bytes, batch_size: int = 2) -> tuple[list[dict[str, object]], list[str], int]:
    answers: list[dict[str, object]] = []
    problems: list[str] = []
    size = 0
    for lines, wrong, read in score_lines(io.BytesIO(text), LengthClassifier(), batch_size):
        answers += [orjson.loads(line) for line in lines]
        problems += wrong
        size += read
    return answers, problems, size


def test_an_answer_has_the_promised_form() -> None:
    answers, problems, _ = score(b'{"id":"a","text":"x","entities":["TERN","Tern Aviation"]}\n')
    sentiment = {"negative": 0.01, "neutral": 0.99, "positive": 0.0}
    assert problems == []
    assert answers == [
        {
            "id": "a",
            "sentiment": sentiment,
            "topic": None,
            "entities": {"TERN": sentiment, "Tern Aviation": sentiment},
            "model": "length@00000000",
        }
    ]
    assert list(answers[0]) == ["id", "sentiment", "topic", "entities", "model"]


def test_answers_keep_the_order_over_batches() -> None:
    lines = b"".join(orjson.dumps({"id": number, "text": "x" * (97 * number % 50 + 1)}) + b"\n" for number in range(25))
    answers, problems, size = score(lines, batch_size=4)
    assert [answer["id"] for answer in answers] == list(range(25))
    assert problems == []
    assert size == len(lines)


def test_bad_lines_are_named_and_the_rest_goes_on() -> None:
    lines = [
        b'{"id":1,"text":"fine"}',
        b"{broken",
        b"[]",
        b"",
        b'{"id":2}',
        b'{"text":"no id"}',
        b'{"id":true,"text":"x"}',
        b'{"id":3,"text":"x","entities":"TERN"}',
        b'{"id":4,"text":""}',
        b'{"id":5,"text":"\xff"}',
        b'{"id":6,"text":"the last","entities":null}',
    ]
    answers, problems, _ = score(b"\n".join(lines), batch_size=3)
    assert [answer["id"] for answer in answers] == [1, 6]
    assert [problem.split(":")[0] for problem in problems] == [f"line {number}" for number in (2, 3, 5, 6, 7, 8, 9, 10)]
    assert "`text` must be a string" in problems[2]
    assert "nothing in `text`" in problems[6]
