"""How many labels flip when a text is changed in a way that must not change what it says.

The words put in here are none of those that training puts in (`model.augment`): what was practised proves nothing.
"""

import random
import re
import string
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from bearometer.linking import Span, find_cashtags, find_spans
from model.classifier import Classifier, Judgement
from model.compare import Range, wilson
from model.dataset import Example, distinct_cashtags
from model.evaluate import judge_examples, task_results

__all__ = ["CHANGES", "FlipResult", "changed", "count_flips", "measure_robustness", "named_spans", "touches"]

TYPO_SHARE = 0.1
"""Of the words of four letters and more, and at least one of them."""
_PLAIN_WORD = re.compile(r"(?<![\w$#@/.:])[A-Za-z]{4,}(?![\w/.:@])")
_SYMBOLS = ("ACME", "QMRK", "TERN", "OSTR", "LUMF", "HARB", "PELI", "NTHW", "VELD", "KORA", "BRYN", "SOLV")
_FRAMES = ("Update: {}", "Just in - {}", "{} (newswire)", "{} - report", "Market note: {}", "{} | Daily brief")
_WORDINGS = (
    (r"\bis not\b", "isn't"),
    (r"\bare not\b", "aren't"),
    (r"\bwill not\b", "won't"),
    (r"\bdid not\b", "didn't"),
    (r"\bdoes not\b", "doesn't"),
    (r"\bcannot\b", "can not"),
    (r"(?<=\d)%", " percent"),
    (r"\bpercent\b", "pct"),
    (r"\bbillion\b", "bn"),
    (r"\bmillion\b", "mln"),
    (r"\bversus\b|\bvs\b\.?", "against"),
    (r"(?<= )& ", "and "),
    (r"\bCEO\b", "chief executive"),
    (r"\bCFO\b", "finance chief"),
    (r"\bQ1\b", "first quarter"),
    (r"\bQ2\b", "second quarter"),
    (r"\bQ3\b", "third quarter"),
    (r"\bQ4\b", "fourth quarter"),
    (r"\bannounces\b", "makes known"),
    (r"\bannounced\b", "made known"),
    (r"\bexpects\b", "anticipates"),
    (r"\bexpected\b", "anticipated"),
    (r"\brevenue\b", "turnover"),
    (r"\bsales\b", "turnover"),
    (r"\bquarterly\b", "three-month"),
    (r"\bannual\b", "yearly"),
    (r"\bamid\b", "in the midst of"),
    (r"\bafter\b(?![ -]hours)", "following"),
    (r"\bnear\b", "close to"),
    (r"\bbuy\b", "purchase"),
    (r"\bbuys\b", "purchases"),
    (r"\bplans to\b", "intends to"),
    (r"\bhits\b(?! by)", "reaches"),
    (r"\bsoars?\b", "shoots up"),
    (r"\bplunges?\b", "nosedives"),
    (r"\bmisses\b", "comes in below"),
    (r"\bbigger\b", "larger"),
    (r"\bnew\b", "fresh"),
    (r"\btoday\b", "this day"),
)
"""What is written one way, and another way to write it."""
_ALTERNATIVES = [(re.compile(pattern), other) for pattern, other in _WORDINGS]

Change = Callable[[Example, random.Random], Example]


@dataclass(frozen=True, slots=True)
class FlipResult:
    """What one change did to one task's answers."""

    change: str
    task: str
    answers: int
    """Of the texts that the change applies to."""
    flips: int
    flip_rate: Range
    accuracy_before: float
    accuracy_after: float

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary for JSON."""
        return asdict(self)


def measure_robustness(
    classifier: Classifier,
    examples: Sequence[Example],
    judgements: Sequence[Judgement | None],
    on_rows: Callable[[int], None] = lambda rows: None,
    seed: int = 7,
) -> tuple[FlipResult, ...]:
    """Count flips under each of CHANGES; `judgements` are the classifier's on the unchanged examples.

    The same seed changes the same texts in the same way, whatever the classifier. `on_rows` hears of every text once
    for each change, also where the change does not apply.
    """
    results: list[FlipResult] = []
    for name in CHANGES:
        pairs = changed(name, examples, seed)
        on_rows(len(examples) - len(pairs))
        after = judge_examples(classifier, [other for _, other in pairs], on_rows)
        results += count_flips(name, [judgements[row] for row, _ in pairs], after, [examples[row] for row, _ in pairs])
    return tuple(results)


def changed(name: str, examples: Sequence[Example], seed: int) -> list[tuple[int, Example]]:
    """Each example that the change does something to: its place, and what becomes of it. Labels stay as they are."""
    pairs = []
    for row, example in enumerate(examples):
        other = CHANGES[name](example, random.Random(f"{seed}:{name}:{row}"))
        if other.text != example.text:
            pairs.append((row, other))
    return pairs


def count_flips(
    name: str,
    before: Sequence[Judgement | None],
    after: Sequence[Judgement | None],
    examples: Sequence[Example],
) -> list[FlipResult]:
    """Compare two judgements of each example, which has the labels and as many mentions as both were asked for."""
    if not examples:
        return []
    first, second = task_results(before, examples), task_results(after, examples)
    results = []
    for task in first:
        if task in second:
            pairs = list(zip(first[task].answers, second[task].answers, strict=True))
            flips = sum(a.predicted != b.predicted for a, b in pairs)
            results.append(
                FlipResult(
                    name,
                    task,
                    len(pairs),
                    flips,
                    wilson(flips, len(pairs)),
                    first[task].metrics.accuracy,
                    second[task].metrics.accuracy,
                )
            )
    return results


def _typos(example: Example, chooser: random.Random) -> Example:
    """Two letters exchanged, one left out or one doubled, never in a name, a cashtag, a number or a link."""
    named = named_spans(example)
    words = [match.span() for match in _PLAIN_WORD.finditer(example.text) if not touches(match.span(), named)]
    text = example.text
    for start, end in sorted(chooser.sample(words, _share(len(words))), reverse=True):
        text = text[:start] + _misspelt(text[start:end], chooser) + text[end:]
    return replace(example, text=text)


def _share(words: int) -> int:
    return min(words, max(1, round(words * TYPO_SHARE)))


def _misspelt(word: str, chooser: random.Random) -> str:
    at = chooser.randrange(1, len(word) - 2)  # the first letter is hardly ever mistyped
    kind = chooser.randrange(3)
    if kind == 0 and word[at] != word[at + 1]:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + word[at + 1 :] if kind == 1 else word[:at] + word[at] + word[at:]


def _other_cashtags(example: Example, chooser: random.Random) -> Example:
    """Each cashtag becomes another, the same for the same; mentions given by symbol follow."""
    tags = list(distinct_cashtags(example.text))
    free = [symbol for symbol in _SYMBOLS if symbol not in tags]
    if not tags or len(tags) > len(free):
        return example
    names = dict(zip(tags, chooser.sample(free, len(tags)), strict=True))
    text, reached = "", 0
    for symbol, (start, end) in find_cashtags(example.text):
        text, reached = f"{text}{example.text[reached:start]}${names[symbol]}", end
    mentions = tuple((names.get(name.lstrip("$").upper(), name), label) for name, label in example.mentions)
    return replace(example, text=text + example.text[reached:], mentions=mentions)


def _reworded(example: Example, chooser: random.Random) -> Example:
    """Up to three turns of phrase exchanged for others of the same meaning, outside of names."""
    named = named_spans(example)
    found = [
        (match.span(), other)
        for pattern, other in _ALTERNATIVES
        for match in pattern.finditer(example.text)
        if not touches(match.span(), named)
    ]
    chosen: list[tuple[Span, str]] = []
    for span, other in chooser.sample(found, len(found)):
        if len(chosen) < 3 and not touches(span, [taken for taken, _ in chosen]):
            chosen.append((span, other))
    text = example.text
    for (start, end), other in sorted(chosen, reverse=True):
        text = text[:start] + other + text[end:]
    return replace(example, text=text)


def named_spans(example: Example) -> list[Span]:
    """Where the text names its mentions, and its cashtags."""
    spans = [span for name, _ in example.mentions for span in find_spans(example.text, name)]
    return spans + [span for _, span in find_cashtags(example.text)]


def touches(span: Span, others: Sequence[Span]) -> bool:
    """Whether a span shares a character with any of the others."""
    return any(span[0] < end and start < span[1] for start, end in others)


def _punctuated(example: Example, chooser: random.Random) -> Example:
    """A mark more or less at the end."""
    bare = example.text.rstrip(string.whitespace + ".!")
    ends = [end for end in ("", ".", "!", " .") if bare + end != example.text]
    return replace(example, text=bare + chooser.choice(ends)) if bare else example


CHANGES: dict[str, Change] = {
    "typos": _typos,
    "small letters": lambda example, chooser: replace(example, text=example.text.lower()),
    "capitals": lambda example, chooser: replace(example, text=example.text.upper()),
    "other cashtags": _other_cashtags,
    "reworded": _reworded,
    "framed as a report": lambda example, chooser: replace(
        example, text=chooser.choice(_FRAMES).replace("{}", example.text)
    ),
    "end mark": _punctuated,
}
"""Name of a change, and what makes it; a change that does not apply gives the example back."""
