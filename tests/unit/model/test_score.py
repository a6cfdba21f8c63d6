import io
from collections.abc import Sequence

import orjson

from bearometer.mention import Sentiment
from model.classifier import Judgement, Passage
from model.score import MAX_ENTITIES, read_question, score_lines, write_answer


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


def test_topics_entities_of_their_own_and_what_is_not_in_the_text_are_written() -> None:
    good, bad = Sentiment(0.0, 0.0, 1.0), Sentiment(1.0, 0.0, 0.0)
    question = read_question(b'{"id":"a","text":"x","entities":["TERN","OSTR","QMRK","OSTR"]}')
    judgement = Judgement(good, (bad, good, bad, good), (True, False, True, False), {"Earnings": 0.75, "Macro": 0.25})
    answer = orjson.loads(write_answer(question, judgement, "m"))
    assert list(answer) == ["id", "sentiment", "topic", "entities", "not_in_text", "model"]
    assert answer["topic"] == {"Earnings": 0.75, "Macro": 0.25}
    assert {name: each["negative"] for name, each in answer["entities"].items()} == {"TERN": 1, "OSTR": 0, "QMRK": 1}
    assert answer["not_in_text"] == ["OSTR"]


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


def test_a_line_with_more_entities_than_a_post_can_have_is_refused_by_name() -> None:
    names = [f"Name {number}" for number in range(MAX_ENTITIES + 1)]
    lines = [orjson.dumps({"id": 1, "text": "x", "entities": names[:count]}) for count in (len(names), MAX_ENTITIES)]
    answers, problems, _ = score(b"\n".join(lines))
    assert problems == ["line 1: `entities` has 101 names; it may have 100"]
    assert len(answers) == 1
