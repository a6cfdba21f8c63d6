"""Learning from what people said, without forgetting what was learnt before."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import orjson

from bearometer.correction import Correction
from bearometer.errors import Failed, Misconfigured
from bearometer.mention import LABELS, WHOLE
from bearometer.topics import TOPICS
from model.base import is_trained
from model.dataset import Example, is_development, seen_text
from model.development import measure_network
from model.folder import INT8_FILE, TORCH_FILE, ModelFolder
from model.network import load_trained
from model.plan import Plan
from model.recipe import Recipe, Scores
from model.run_folder import TrainingRun
from model.schooling import Portion
from model.training_data import TrainingData, teaches

__all__ = [
    "MIN_REPLAY",
    "Lesson",
    "SetReport",
    "feedback_examples",
    "gently",
    "measure_lesson",
    "plan_lesson",
]

REPLAY_PER_ROW = 4
"""Old rows that an epoch sees beside each row of feedback. Even an equal share keeps most of what was learnt (Rolnick
et al. 2019, Experience Replay for Continual Learning, https://arxiv.org/abs/1811.11682); rows are cheap here."""
MIN_REPLAY = 1024
"""Old rows that an epoch sees at least: a few labels alone would be learnt by heart."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is learnt from and measured on; the rows held back are never trained on."""

    data: TrainingData
    """Feedback and replay, as an epoch sees them, and all rows that are held back."""
    learnt: tuple[Example, ...]
    """The feedback that is trained on."""
    held_back: tuple[Example, ...]
    """The feedback that is not."""
    old: tuple[Example, ...]
    """The old data's development rows."""


@dataclass(frozen=True, slots=True)
class SetReport:
    """One set of rows before and after."""

    name: str
    rows: int
    before: Scores
    after: Scores

    @property
    def lost(self) -> float:
        """By how much the overall score has fallen; negative when it has risen."""
        return self.before.overall - self.after.overall


def feedback_examples(corrections: Iterable[Correction]) -> list[Example]:
    """One example per text, in the order in which the texts were first spoken of; `corrections` are oldest first.

    Of several people's words the one given most often counts, of equals the latest.
    """
    labels: dict[str, dict[str, list[int]]] = {}
    topics: dict[str, list[int]] = {}
    for one in corrections:
        named = labels.setdefault(one.text, {})
        if one.label is not None:
            named.setdefault(one.symbol, []).append(LABELS.index(one.label))
        if one.topic in TOPICS:
            topics.setdefault(one.text, []).append(TOPICS.index(one.topic))
    examples = [
        Example(
            text,
            label=_verdict(named.get(WHOLE, [])),
            mentions=tuple((symbol, _verdict(given)) for symbol, given in named.items() if symbol != WHOLE),
            topic=_verdict(topics.get(text, [])),
        )
        for text, named in labels.items()
    ]
    return [one for one in examples if one.label is not None or one.mentions or one.topic is not None]


def gently(plan: Plan, base: Path) -> Plan:
    """The plan for a network that has been trained already, heads and all: small steps, few, and texts cut as it knows.

    The base is a run folder, or what was exported from one: of int8 weights, those are gone on from. Raises
    Misconfigured when it has none.
    """
    if not is_trained(base) or not any((base / name).is_file() for name in (TORCH_FILE, INT8_FILE)):
        message = f"--base {base} holds no weights of `bearometer train` or `bearometer export` to go on from"
        raise Misconfigured(message)
    recipe = replace(
        plan.recipe,
        epochs=3,
        learning_rate=1e-5,
        head_rate=1.0,
        warmup_share=0.1,
        patience=3,
        base_share=0.0,
        max_tokens=ModelFolder.open(base).max_tokens,
    )
    return replace(plan, base=str(base), recipe=recipe, seeds=())


def plan_lesson(feedback: Sequence[Example], old: TrainingData) -> Lesson:
    """Hold feedback back as other rows are held back, and mix the rest with old rows.

    `old` is what the model was trained on, with the passes of that training: the replay keeps the balance between its
    sets. Nothing that is held back, feedback or old, is replayed, and sets without labels are left out. Raises Failed
    when there is no feedback to train on, or no old data to replay.
    """
    measured = (*old.development, *(example for example in feedback if is_development(example.text)))
    apart = {seen_text(example.text) for example in measured}
    learnt = [example for example in feedback if seen_text(example.text) not in apart]
    held_back = [example for example in feedback if seen_text(example.text) in apart]
    if not learnt:
        message = f"{len(feedback)} texts have labels, none of them to train on: label more with `bearometer label`"
        raise Failed(message)
    portions = [
        Portion([example for example in portion.examples if seen_text(example.text) not in apart], portion.passes)
        for portion in old.portions
        if teaches(portion)
    ]
    there = sum(len(portion.examples) * portion.passes for portion in portions)
    if not there:
        message = "without the old data the model would forget it: name the sets that it was trained on"
        raise Failed(message)
    share = min(1.0, max(MIN_REPLAY, REPLAY_PER_ROW * len(learnt)) / there)
    replay = (Portion(portion.examples, portion.passes * share) for portion in portions)
    digest = hashlib.sha256(orjson.dumps([asdict(example) for example in feedback])).hexdigest()[:8]
    return Lesson(
        TrainingData(
            portions=(Portion(learnt), *replay),
            development=(*old.development, *held_back),
            digests={**old.digests, "feedback": digest},
        ),
        tuple(learnt),
        tuple(held_back),
        old.development,
    )


def measure_lesson(base: Path, run: TrainingRun, lesson: Lesson, recipe: Recipe) -> list[SetReport]:
    """The network of the base beside the one that was trained from it, on what is old and on what is new."""
    before = load_trained(base, TOPICS)
    sets: Mapping[str, Sequence[Example]] = {
        "old data, held back": lesson.old,
        "feedback, held back": lesson.held_back,
        "feedback, trained on": lesson.learnt,
    }
    return [
        SetReport(
            name,
            len(rows),
            before=measure_network(before, run.tokeniser, rows, recipe),
            after=measure_network(run.network, run.tokeniser, rows, recipe),
        )
        for name, rows in sets.items()
        if rows
    ]


def _verdict(given: Sequence[int]) -> int | None:
    """The label given most often; of equals the latest."""
    counts = Counter(given)
    return max(reversed(given), key=counts.__getitem__, default=None)
