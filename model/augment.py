"""Changes to a training text that must not change what it says: they teach a model to look past names and dress."""

import random
import re
from collections.abc import Sequence
from dataclasses import replace

from bearometer.linking import find_spans
from model.dataset import Example, distinct_cashtags
from model.recipe import Augmentation

__all__ = ["Augmenter"]

_NOISE = (
    "#stocks",
    "#trading",
    "#finance",
    "#stockmarket",
    "#investing",
    "#news",
    "…",
    "RT @marketdesk:",
    "via @newswire",
)
_SYNONYMS = (
    ("falls", "drops", "declines", "slips"),
    ("fell", "dropped", "declined", "slipped"),
    ("rises", "gains", "climbs", "advances"),
    ("rose", "gained", "climbed", "advanced"),
    ("plunges", "tumbles", "sinks", "slumps"),
    ("plunged", "tumbled", "sank", "slumped"),
    ("soars", "surges", "jumps", "rallies"),
    ("soared", "surged", "jumped", "rallied"),
    ("shares", "stock"),
    ("profit", "earnings"),
    ("company", "firm"),
    ("says", "states"),
    ("beats", "tops", "exceeds"),
    ("cuts", "lowers", "reduces"),
    ("raises", "lifts", "boosts"),
)
_JOINTS = (", ", "; ", ". ", " - ", " while ", " as ", " but ", " and ")
_ALTERNATIVES = {word: [other for other in words if other != word] for words in _SYNONYMS for word in words}
_WORD = re.compile(rf"\b(?:{'|'.join(_ALTERNATIVES)})\b")


class Augmenter:
    """Changes examples by the shares of a recipe; the names that it puts in are those of the examples it was made of.

    A text with a teacher's answer keeps it. The same examples and the same random state give the same changes.
    """

    def __init__(self, augmentation: Augmentation, examples: Sequence[Example]) -> None:
        self._shares = augmentation
        tags = {symbol for example in examples for symbol in distinct_cashtags(example.text)}
        names = {name for example in examples for name, _ in example.mentions} - tags
        self._tags, self._names = sorted(tags), sorted(names)
        self._judged = [example for example in examples if _is_judged(example)]

    def change(self, example: Example, chooser: random.Random) -> Example:
        """One changed copy, or the example itself."""
        if self._shares.joined and _is_judged(example) and chooser.random() < self._shares.joined:
            example = _join(example, chooser.choice(self._judged), chooser)
        if (self._tags or self._names) and chooser.random() < self._shares.entities:
            example = self._exchange(example, chooser)
        text = example.text
        if chooser.random() < self._shares.synonyms:
            text = _WORD.sub(lambda match: chooser.choice(_ALTERNATIVES[match.group()]), text)
        if chooser.random() < self._shares.noise:
            noise = chooser.choice(_NOISE)
            text = f"{noise} {text}" if noise.startswith("RT") else f"{text} {noise}"
        if chooser.random() < self._shares.case:
            text = text.lower() if chooser.random() < 0.7 else text.upper()
        return example if text == example.text else replace(example, text=text)

    def _exchange(self, example: Example, chooser: random.Random) -> Example:
        """Give each entity of the text another's name: a cashtag a cashtag, a name a name or now and then a cashtag."""
        entities = [name for name, _ in example.mentions]
        entities += [tag for tag in distinct_cashtags(example.text) if tag not in entities]
        names: dict[str, str] = {}
        for entity in entities:
            names[entity] = self._another(example.text, entity, chooser)
        if len(set(names.values())) < len(names):  # two of one name could not be told apart
            return example
        places = sorted((start, end, entity) for entity in entities for start, end in find_spans(example.text, entity))
        pieces, reached = [], 0
        for start, end, entity in places:
            if start < reached:  # one name inside another: left as it is, and so is the whole text
                return example
            pieces += [example.text[reached:start], names[entity]]
            reached = end
        text = "".join([*pieces, example.text[reached:]])
        return replace(example, text=text, mentions=tuple((names[name], label) for name, label in example.mentions))

    def _another(self, text: str, entity: str, chooser: random.Random) -> str:
        if not self._tags:
            return chooser.choice(self._names)
        is_tag = bool(find_spans(text, f"${entity}"))
        if is_tag or not self._names or chooser.random() < 0.25:
            return f"${chooser.choice(self._tags)}"
        return chooser.choice(self._names)


def _is_judged(example: Example) -> bool:
    """Whether the labels of its mentions are all that is known of it: those hold beside another text too."""
    known_of_the_whole = (example.label, example.topic, example.soft)
    mentions = [label for _, label in example.mentions]
    return known_of_the_whole == (None, None, None) and bool(mentions) and None not in mentions


def _join(example: Example, other: Example, chooser: random.Random) -> Example:
    """Both texts in one, in either order: each mention keeps its label. `example` alone where both name one entity."""
    first, second = (example, other) if chooser.random() < 0.5 else (other, example)
    mentions = first.mentions + second.mentions
    named_twice = len({name for name, _ in mentions}) < len(mentions) or any(
        find_spans(text.text, name) for text, names in ((first, second), (second, first)) for name, _ in names.mentions
    )
    if named_twice:
        return example
    return Example(f"{first.text}{chooser.choice(_JOINTS)}{second.text}", mentions=mentions)
