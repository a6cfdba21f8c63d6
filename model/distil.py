"""Distillation: a teacher judges texts, and a small student learns from its probabilities beside the labels.

After Hinton, Vinyals and Dean 2015, https://arxiv.org/abs/1503.02531, with the temperature left at 1: what the teacher
is unsure of says how near two classes are. Texts without any label teach too, and each text teaches all three tasks.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import orjson

from bearometer.errors import Misconfigured
from bearometer.mention import Sentiment
from model.classifier import Classifier, Judgement, Passage
from model.dataset import Example, digest_of_text, distinct_cashtags

__all__ = ["SoftLabels"]

CHUNK = 512
"""Texts judged at a time; a kill costs no more than these."""


class SoftLabels:
    """The teachers' answers for texts, in a file that grows as they come: killed and started again, it goes on.

    The file holds digests of texts, not the texts.
    """

    def __init__(self, path: Path, teachers: Sequence[Classifier]) -> None:
        """`teachers` (at least one) answer with their mean. Misconfigured when the file is of other teachers."""
        self._path = path
        self._teachers = teachers
        self._versions = [teacher.version for teacher in teachers]

    def add(self, examples: Sequence[Example], on_rows: Callable[[int], None] = lambda rows: None) -> list[Example]:
        """Give each example the teachers' answer for it and its mentions; those without mentions get their cashtags.

        Examples that a teacher cannot judge come back as they are. `on_rows` hears of more examples being done.
        Blocks for minutes to hours.
        """
        known = self._read()
        named = [_with_mentions(example) for example in examples]
        waiting = [example for example in named if _key(example) not in known]
        on_rows(len(named) - len(waiting))
        # Of like length one after the other, so that little is padded, and not the longest at the end of the wait.
        waiting.sort(key=lambda example: len(example.text), reverse=True)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            if not file.tell():
                _append(file, [{"teachers": self._versions}])
            for start in range(0, len(waiting), CHUNK):
                chunk = waiting[start : start + CHUNK]
                answers = dict(zip((_key(example) for example in chunk), self._judge(chunk), strict=True))
                rows = {key: _to_row(answer) for key, answer in answers.items()}
                _append(file, [{"key": key, **row} for key, row in rows.items()])
                # As the file has them: a second start must give the same numbers, or its checkpoint is of another run.
                known |= {key: _from_row(row) for key, row in rows.items()}
                on_rows(len(chunk))
        return [replace(example, soft=known[_key(example)]) for example in named]

    def _judge(self, examples: Sequence[Example]) -> Iterator[Judgement | None]:
        passages = [Passage(example.text, tuple(name for name, _ in example.mentions)) for example in examples]
        answers = [teacher.classify(teacher.prepare(passages)) for teacher in self._teachers]
        for each in zip(*answers, strict=True):
            sure = [answer for answer in each if answer]
            yield _mean(sure) if len(sure) == len(each) else None

    def _read(self) -> dict[str, Judgement | None]:
        """What the file holds; a line that a kill cut short is taken away."""
        if not self._path.is_file():
            return {}
        known: dict[str, Judgement | None] = {}
        whole = 0
        with self._path.open("rb") as file:
            for number, line in enumerate(file):
                if not line.endswith(b"\n"):
                    break
                row = orjson.loads(line)
                if number == 0 and row.get("teachers") != self._versions:
                    message = f"{self._path} is of {row.get('teachers')}, not {self._versions}; use --fresh"
                    raise Misconfigured(message)
                if number:
                    known[row["key"]] = _from_row(row)
                whole += len(line)
        os.truncate(self._path, whole)
        return known


def _with_mentions(example: Example) -> Example:
    if example.mentions:
        return example
    return replace(example, mentions=tuple((symbol, None) for symbol in distinct_cashtags(example.text)))


def _key(example: Example) -> str:
    return digest_of_text("\0".join([example.text, *(name for name, _ in example.mentions)]))


def _mean(judgements: Sequence[Judgement]) -> Judgement:
    first, count = judgements[0], len(judgements)
    return Judgement(
        _mean_sentiment([judgement.sentiment for judgement in judgements]),
        tuple(_mean_sentiment(each) for each in zip(*(j.entities for j in judgements), strict=True)),
        first.found,
        {topic: sum(j.topics.get(topic, 0.0) for j in judgements) / count for topic in first.topics},
    )


def _mean_sentiment(sentiments: Sequence[Sentiment]) -> Sentiment:
    count = len(sentiments)
    return Sentiment(
        sum(each.negative for each in sentiments) / count,
        sum(each.neutral for each in sentiments) / count,
        sum(each.positive for each in sentiments) / count,
    )


def _append(file: IO[bytes], rows: Sequence[Mapping[str, Any]]) -> None:
    file.write(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
    file.flush()
    os.fsync(file.fileno())


def _to_row(judgement: Judgement | None) -> dict[str, Any]:
    if judgement is None:
        return {"sentiment": None}
    return {
        "sentiment": _numbers(judgement.sentiment),
        "entities": [_numbers(sentiment) for sentiment in judgement.entities],
        "topics": {topic: round(share, 5) for topic, share in judgement.topics.items() if share >= 5e-6},
        "found": judgement.found,
    }


def _numbers(sentiment: Sentiment) -> list[float]:
    return [round(part, 5) for part in (sentiment.negative, sentiment.neutral, sentiment.positive)]


def _from_row(row: Mapping[str, Any]) -> Judgement | None:
    if row["sentiment"] is None:
        return None
    return Judgement(
        Sentiment(*row["sentiment"]),
        tuple(Sentiment(*numbers) for numbers in row["entities"]),
        tuple(row["found"]),
        row["topics"],
    )
