"""How well a network does on the development rows, while it is trained."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from bearometer.mention import LABELS
from bearometer.topics import TOPICS
from model.dataset import Example
from model.extras import import_torch
from model.metrics import measure
from model.network import Logits
from model.recipe import Recipe, Scores
from model.rows import Batch, Row, collate, make_rows
from model.tokenise import Tokeniser, by_length

__all__ = ["has_labels", "measure_network", "measure_rows"]


def has_labels(rows: Iterable[Row]) -> bool:
    """Whether there is anything to measure: a label that somebody gave."""
    return any(target and target.is_label for row in rows for target in (row.text, row.topic, *row.mentions))


def measure_network(network: Any, tokeniser: Tokeniser, examples: Sequence[Example], recipe: Recipe) -> Scores:
    """How often a network on the CPU hits the examples' labels."""
    torch = import_torch()

    def forward(batch: Batch) -> Logits:
        logits: Logits = network(*(torch.from_numpy(array) for array in (batch.ids, batch.mask, batch.spans)))
        return logits

    network.eval()
    with torch.inference_mode():
        pad_id = int(network.encoder.config.pad_token_id or 0)
        return measure_rows(forward, make_rows(examples, tokeniser, recipe), pad_id)


def measure_rows(forward: Callable[[Batch], Logits], rows: Sequence[Row], pad_id: int) -> Scores:
    """How often the labels are hit; what is only implied measures nothing."""
    pairs: dict[str, tuple[list[int], list[int]]] = {"text": ([], []), "mention": ([], []), "topic": ([], [])}
    for places in by_length([row.encoded.ids for row in rows], 4096):
        some = [rows[place] for place in places]
        logits = forward(collate(some, pad_id))
        text, mentions, topics = (part.float().argmax(-1).cpu().numpy() for part in logits)
        for number, row in enumerate(some):
            for name, target, answer in (
                ("text", row.text, text[number]),
                ("topic", row.topic, topics[number]),
                *(("mention", target, mentions[number, at]) for at, target in enumerate(row.mentions)),
            ):
                if target and target.is_label:
                    pairs[name][0].append(int(np.argmax(target.probabilities)))
                    pairs[name][1].append(int(answer))
    text_, mention_, topic_ = (
        measure(*pairs[name], labels) if pairs[name][0] else None
        for name, labels in (("text", LABELS), ("mention", LABELS), ("topic", TOPICS))
    )
    return Scores(
        text_accuracy=text_.accuracy if text_ else None,
        text_macro_f1=text_.macro_f1 if text_ else None,
        text_weighted_f1=text_.weighted_f1 if text_ else None,
        mention_accuracy=mention_.accuracy if mention_ else None,
        mention_macro_f1=mention_.macro_f1 if mention_ else None,
        topic_accuracy=topic_.accuracy if topic_ else None,
        topic_macro_f1=topic_.macro_f1 if topic_ else None,
    )
