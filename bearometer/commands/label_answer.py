"""What a person types at `bearometer label`, and what it means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from bearometer.linking import find_spans
from bearometer.mention import LABELS, Label, Scored
from bearometer.topics import TOPICS

__all__ = ["LABEL_WORDS", "MAX_NAME_BYTES", "Action", "Answer", "WrongAnswer", "find_topic", "read_answer"]

LABEL_WORDS: dict[str, Label] = {
    **{label: label for label in LABELS},
    "n": "negative",
    "u": "neutral",
    "p": "positive",
    "bearish": "negative",
    "bullish": "positive",
}
"""What a label may be called, in small letters."""
MAX_NAME_BYTES = 400
"""What Postgres can keep an index of has its limits."""


class WrongAnswer(ValueError):
    """Raised when what was typed means nothing; the text says why."""


class Action(StrEnum):
    """What is to be done with the post on the screen."""

    ANSWER = "answer"
    SKIP = "s"
    BACK = "b"
    QUIT = "q"
    HELP = "?"


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody typed; the labels are there for Action.ANSWER only."""

    action: Action
    label: Label | None = None
    mentions: Mapping[str, Label] = field(default_factory=dict)
    topic: str | None = None


def read_answer(line: str, scored: Scored) -> Answer:
    """Understand one line; raises WrongAnswer.

    `n`, `u`, `p`: the whole text is negative, neutral, positive. `y`: the model is right about the text and the
    mentions in it. `ACME=n` or `1=n`: that mention; another name is looked for in the text. `t=ipo` or `t=11`: the
    topic, by the beginning of its name or its number (`T=n` is the symbol T). They may stand together, later ones win:
    `y ACME=n t=ipo`. Alone: `s` skip, `b` back to the post before, `q` quit, `?` help.
    """
    words = line.split()
    if not words:
        message = "type n, u, p, y, s, b or q; ? explains them"
        raise WrongAnswer(message)
    alone = {action.value: action for action in Action if action is not Action.ANSWER}
    if words[0].lower() in alone:
        if len(words) > 1:
            message = f"{words[0]} stands alone"
            raise WrongAnswer(message)
        return Answer(alone[words[0].lower()])
    label: Label | None = None
    topic: str | None = None
    mentions: dict[str, Label] = {}
    for word in words:
        name, equals, value = word.rpartition("=")
        if not equals and value.lower() == "y":
            label = scored.sentiment.label
            mentions |= {mention.symbol: mention.sentiment.label for mention in scored.mentions if mention.in_text}
        elif not equals:
            label = _label(value)
        elif name == "t":
            topic = find_topic(value)
        else:
            mentions[_mention(name, scored)] = _label(value)
    return Answer(Action.ANSWER, label, mentions, topic)


def find_topic(name: str) -> str:
    """A topic by its number (0 to 19), its name, or a beginning that only it has; raises WrongAnswer."""
    if name.isascii() and name.isdecimal() and int(name[:3]) < len(TOPICS):
        return TOPICS[int(name)]
    wanted = name.strip().lower()
    found = [topic for topic in TOPICS if wanted and topic.lower().startswith(wanted)]
    exact = [topic for topic in found if topic.lower() == wanted]
    if len(exact or found) != 1:
        choices: Sequence[str] = found or [f"{number} {topic}" for number, topic in enumerate(TOPICS)]
        message = f"{name!r:.40} is no topic or more than one: {', '.join(choices)}"
        raise WrongAnswer(message)
    return (exact or found)[0]


def _label(word: str) -> Label:
    label = LABEL_WORDS.get(word.strip().lower())
    if label is None:
        message = f"{word!r:.40} is no label; it must be n (negative), u (neutral) or p (positive)"
        raise WrongAnswer(message)
    return label


def _mention(name: str, scored: Scored) -> str:
    symbols = [mention.symbol for mention in scored.mentions]
    symbol = name.upper().removeprefix("$")
    if symbol in symbols:
        return symbol
    if name.isascii() and name.isdecimal() and 1 <= int(name[:4]) <= len(symbols):
        return symbols[int(name) - 1]
    if len(name.encode("utf-8", "replace")) <= MAX_NAME_BYTES and find_spans(scored.post.text, name):
        return name.removeprefix("$")
    message = f"{name!r:.40} is neither a mention of this post nor in its text"
    raise WrongAnswer(message)
