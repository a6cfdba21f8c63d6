"""Whether names move a label: companies, countries and people exchanged in sentences that say the same of each."""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from bearometer.linking import Span, find_cashtags, find_spans
from bearometer.mention import LABELS, Sentiment
from model.bias_names import NAMES, TEMPLATES
from model.classifier import Classifier, Judgement
from model.compare import Range, wilson
from model.dataset import Example
from model.evaluate import judge_examples
from model.robustness import FlipResult, count_flips, named_spans, touches

__all__ = ["BiasResult", "bias_rows", "measure_bias", "measure_row_bias", "template_rows"]

_CHIEF = re.compile(r"\b(?:CEO|CFO|[Cc]hairman|[Cc]hief [Ee]xecutive|[Pp]resident) ([A-Z][a-z]+ [A-Z][a-z]+)\b")
"""A person in a text: a first and a last name behind an office."""


@dataclass(frozen=True, slots=True)
class BiasResult:
    """What names of one kind did in our own sentences."""

    kind: str
    """`company`, `country` or `person`."""
    answers: int
    """Sentences times names."""
    flips: int
    """Answers that differ from the one that most names of the same sentence get."""
    flip_rate: Range
    accuracy: float
    """Share of the answers that are what the sentence says."""
    mean_gap: float
    """The largest difference of the score (positive - negative) between two names of one sentence, on average."""
    groups: dict[str, float]
    """For each group of names, how far its mean score is from that of all names; 0 is fair."""

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary for JSON."""
        return asdict(self)


def measure_bias(classifier: Classifier, on_rows: Callable[[int], None] = lambda rows: None) -> tuple[BiasResult, ...]:
    """Put every name into every sentence of its kind; a company is judged as the mention, the others by the whole text.

    Blocks for as long as the rows of `template_rows` take.
    """
    rows = template_rows()
    judgements = judge_examples(classifier, [example for _, _, _, example in rows], on_rows)
    results = []
    for kind in TEMPLATES:
        answers = [
            (sentence, group, example.mentions[0][1] if example.mentions else example.label, _sentiment(judgement))
            for (of, sentence, group, example), judgement in zip(rows, judgements, strict=True)
            if of == kind
        ]
        results.append(_result(kind, answers))
    return tuple(results)


def template_rows() -> list[tuple[str, str, str, Example]]:
    """Kind, sentence, group of the name, and the example made of them."""
    return [
        (kind, template.sentence, group, _fill(kind, template.sentence, LABELS.index(template.label), name))
        for kind, templates in TEMPLATES.items()
        for template in templates
        for group, names in NAMES[kind].items()
        for name in names
    ]


def _fill(kind: str, sentence: str, label: int, name: str) -> Example:
    text = sentence.replace("{}", name)
    return Example(text, label, mentions=((name, label),) if kind == "company" else ())


def _sentiment(judgement: Judgement | None) -> Sentiment | None:
    if judgement is None:
        return None
    return judgement.entities[0] if judgement.entities else judgement.sentiment


def _result(kind: str, answers: Sequence[tuple[str, str, int | None, Sentiment | None]]) -> BiasResult:
    flips = right = 0
    gaps: list[float] = []
    shifts: dict[str, list[float]] = {}
    for sentence in dict.fromkeys(sentence for sentence, _, _, _ in answers):
        of_sentence = [(group, label, given) for where, group, label, given in answers if where == sentence]
        labels = [given.label if given else "neutral" for _, _, given in of_sentence]
        flips += len(labels) - Counter(labels).most_common(1)[0][1]
        right += sum(LABELS[label or 0] == said for (_, label, _), said in zip(of_sentence, labels, strict=True))
        scores = [given.positive - given.negative if given else 0.0 for _, _, given in of_sentence]
        gaps.append(max(scores) - min(scores))
        mean = sum(scores) / len(scores)
        for (group, _, _), score in zip(of_sentence, scores, strict=True):
            shifts.setdefault(group, []).append(score - mean)
    return BiasResult(
        kind,
        len(answers),
        flips,
        wilson(flips, len(answers)),
        right / len(answers),
        sum(gaps) / len(gaps),
        {group: sum(values) / len(values) for group, values in shifts.items()},
    )


def measure_row_bias(
    classifier: Classifier,
    examples: Sequence[Example],
    judgements: Sequence[Judgement | None],
    on_rows: Callable[[int], None] = lambda rows: None,
    seed: int = 7,
) -> tuple[FlipResult, ...]:
    """Exchange the names in real rows for others, one kind at a time, and count the flips of sentiments.

    `judgements` are the classifier's on the unchanged examples. Topics are left out: another country may well be
    another topic. `on_rows` hears of every text once for each kind, also where it holds no such name.
    """
    results: list[FlipResult] = []
    for kind in NAMES:
        pairs = bias_rows(kind, examples, seed)
        on_rows(len(examples) - len(pairs))
        after = judge_examples(classifier, [other for _, other in pairs], on_rows)
        before = [judgements[row] for row, _ in pairs]
        plain = [replace(examples[row], topic=None) for row, _ in pairs]
        results += count_flips(f"another {kind}", before, after, plain)
    return tuple(results)


def bias_rows(kind: str, examples: Sequence[Example], seed: int) -> list[tuple[int, Example]]:
    """Each example that names somebody or something of the kind: its place, and itself with other names."""
    pairs = []
    for row, example in enumerate(examples):
        chooser = random.Random(f"{seed}:{kind}:{row}")
        other = _exchange(example, list(_FIND[kind](example)), kind, chooser)
        if other is not None and other.text != example.text:
            pairs.append((row, other))
    return pairs


def _exchange(
    example: Example, places: Sequence[tuple[str, Span]], kind: str, chooser: random.Random
) -> Example | None:
    found = list(dict.fromkeys(name for name, _ in places))
    free = [name for names in NAMES[kind].values() for name in names if name not in found]
    if not found or len(found) > len(free):
        return None
    new = dict(zip(found, chooser.sample(free, len(found)), strict=True))
    text, reached = "", 0
    for name, (start, end) in sorted(places, key=lambda place: place[1]):
        if start < reached:  # one name inside another: neither can be exchanged alone
            return None
        text, reached = f"{text}{example.text[reached:start]}{new[name]}", end
    mentions = tuple((new.get(name, name), label) for name, label in example.mentions)
    return replace(example, text=text + example.text[reached:], mentions=mentions)


def _companies(example: Example) -> Iterator[tuple[str, Span]]:
    symbols = {name.lstrip("$").upper() for name, _ in example.mentions}
    yield from ((name, span) for name, _ in example.mentions for span in find_spans(example.text, name))
    yield from ((symbol, span) for symbol, span in find_cashtags(example.text) if symbol not in symbols)


def _countries(example: Example) -> Iterator[tuple[str, Span]]:
    named = named_spans(example)  # the Bank of China is no country
    for names in NAMES["country"].values():
        for name in names:
            spans = (match.span() for match in re.finditer(rf"\b{re.escape(name)}\b", example.text))
            yield from ((name, span) for span in spans if not touches(span, named))


def _people(example: Example) -> Iterator[tuple[str, Span]]:
    return ((match.group(1), match.span(1)) for match in _CHIEF.finditer(example.text))


_FIND: dict[str, Callable[[Example], Iterator[tuple[str, Span]]]] = {
    "company": _companies,
    "country": _countries,
    "person": _people,
}
