"""Judging a stream of JSON lines: what `bearometer score` does between its input and its output."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any

import orjson

from bearometer.mention import Sentiment
from model.classifier import Classifier, Judgement, Passage

__all__ = ["BadLine", "Question", "read_question", "score_lines", "write_answer"]


MAX_ENTITIES = 100
"""As many as one post can name in ingest."""


class BadLine(ValueError):
    """Raised when a line is no question; the text says why."""


@dataclass(frozen=True, slots=True)
class Question:
    """A text to judge, and what its asker calls it."""

    id: str | int
    passage: Passage


def read_question(line: bytes) -> Question:
    """Read `{"id", "text", "entities"}`; raises BadLine."""
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        message = f"not JSON: {error}"
        raise BadLine(message) from None
    if not isinstance(content, dict):
        message = "not a JSON object"
        raise BadLine(message)
    name, text, entities = content.get("id"), content.get("text"), content.get("entities")
    if not isinstance(name, str | int) or isinstance(name, bool):
        message = "`id` must be a string or a whole number"
        raise BadLine(message)
    if not isinstance(text, str):
        message = "`text` must be a string"
        raise BadLine(message)
    entities = [] if entities is None else entities
    if not isinstance(entities, list) or not all(isinstance(entity, str) for entity in entities):
        message = "`entities` must be a list of strings"
        raise BadLine(message)
    if len(entities) > MAX_ENTITIES:
        message = f"`entities` has {len(entities):,} names; it may have {MAX_ENTITIES}"
        raise BadLine(message)
    return Question(name, Passage(text, tuple(entities)))


def write_answer(question: Question, judgement: Judgement, model: str) -> bytes:
    """One line of JSON, with its end; an entity that was asked for twice stands once.

    `not_in_text` lists the entities that the text does not name, and is left out when there are none.
    """
    missing = [entity for entity, found in zip(question.passage.entities, judgement.found, strict=False) if not found]
    answer: dict[str, Any] = {
        "id": question.id,
        "sentiment": _probabilities(judgement.sentiment),
        "topic": dict(judgement.topics) or None,
        "entities": {
            entity: _probabilities(sentiment)
            for entity, sentiment in zip(question.passage.entities, judgement.entities, strict=True)
        },
        **({"not_in_text": list(dict.fromkeys(missing))} if missing else {}),
        "model": model,
    }
    return orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE)


def score_lines(
    source: IO[bytes], classifier: Classifier, batch_size: int
) -> Iterator[tuple[list[bytes], list[str], int]]:
    """Judge the lines batch by batch: yields answers in order, problems with their line numbers, and bytes read.

    Empty lines are skipped. Never raises for what a line holds; keeps one batch in memory.
    """
    numbered = enumerate(source, start=1)
    while batch := list(islice(numbered, batch_size)):
        questions: list[tuple[int, Question]] = []
        problems: list[tuple[int, str]] = []
        for number, line in batch:
            if line.strip():
                try:
                    questions.append((number, read_question(line)))
                except BadLine as error:
                    problems.append((number, str(error)))
        judgements = classifier.classify(classifier.prepare([question.passage for _, question in questions]))
        answers = []
        for (number, question), judgement in zip(questions, judgements, strict=True):
            if judgement is None:
                problems.append((number, "nothing in `text` that the model can judge"))
            else:
                answers.append(write_answer(question, judgement, classifier.version))
        yield (
            answers,
            [f"line {number}: {why}" for number, why in sorted(problems)],
            sum(len(line) for _, line in batch),
        )


def _probabilities(sentiment: Sentiment) -> Mapping[str, float]:
    return {"negative": sentiment.negative, "neutral": sentiment.neutral, "positive": sentiment.positive}
