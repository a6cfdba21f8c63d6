"""Integrated gradients: which words made the model say so, by the network's own derivatives.

Sundararajan, Taly and Yan 2017, https://arxiv.org/abs/1703.01365, as captum computes it: the gradients of the label's
probability are summed on the straight way from an empty text (every token the padding, but the model's own marks) to
the text, over the embeddings of its tokens. The parts sum to the difference of the two probabilities.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bearometer.errors import Failed
from bearometer.mention import LABELS, Label, Sentiment
from model.classifier import Passage
from model.explain import Explanation, Word, read_words
from model.extras import import_extra, import_torch
from model.folder import TOKENIZER_FILE, TORCH_FILE, ModelFolder
from model.scaling import Scaling
from model.tokenise import Tokeniser, span_weights
from model.torch import load_network

if TYPE_CHECKING:
    import torch

__all__ = ["GradientExplainer"]

STEPS = 50
"""captum's own default; the sum of the parts is checked in the tests."""
STEPS_AT_ONCE = 16
LEAST_GAP = 1e-12


class GradientExplainer:
    """A folder's network on the CPU, in float32, with its gradients; made once, for many texts."""

    def __init__(self, path: Path, max_tokens: int = 512) -> None:
        """Load the weights; raises Misconfigured without `model.safetensors`, MissingExtra without torch or captum."""
        self._torch = import_torch()
        self._captum = import_extra("captum.attr")
        folder = ModelFolder.open(path)
        weights = folder.require(TORCH_FILE, "gradients need torch's weights; --method occlusion does not")
        self._folder = folder
        self._version = folder.version(weights, "torch")
        self._tokeniser = Tokeniser.open(folder.path / TOKENIZER_FILE, min(max_tokens, folder.max_tokens))
        self._network = load_network(folder)

    @property
    def version(self) -> str:
        """Name and digest of the weights."""
        return self._version

    def explain(self, text: str, entity: str | None = None, label: Label | None = None) -> Explanation:
        """Explain the label (the likeliest when None) of the text, or of what it says of the entity.

        A word's weight is the sum of its tokens'; what lies past the last token has weight 0. Raises Failed when there
        is nothing to judge.
        """
        torch = self._torch
        text, words = read_words(text)
        (encoded,) = self._tokeniser.encode_passages([Passage(text, () if entity is None else (entity,))])
        if encoded is None:
            message = "there is nothing in the text that the model can judge"
            raise Failed(message)
        # A folder made by others has one answer for everything that a text speaks of.
        found = bool(encoded.spans) and encoded.spans[0].size > 0 and bool(self._folder.topics)
        ids = torch.from_numpy(encoded.ids).unsqueeze(0)
        spans = torch.from_numpy(span_weights([encoded], len(encoded.ids)))
        with torch.no_grad():
            probabilities = self._probabilities(ids, spans, found)[0].numpy()
        sentiment = Sentiment(*(float(part) for part in probabilities))
        label = label or sentiment.label
        weights = self._word_weights(text, words, self._token_weights(ids, spans, found, LABELS.index(label)))
        return Explanation(
            text=text,
            entity=entity,
            found=found,
            label=label,
            sentiment=sentiment,
            words=tuple(
                Word(text[start:end], start, end, weight) for (start, end), weight in zip(words, weights, strict=True)
            ),
            method="integrated gradients",
            model=self._version,
        )

    def _probabilities(self, ids: torch.Tensor, spans: torch.Tensor, found: bool) -> torch.Tensor:
        """[B, 3] in the order of LABELS: of the mention where it was found, else of the text."""
        mask = self._torch.ones_like(ids)
        if self._folder.topics:
            logits = self._network(ids, mask, spans)
            asked, head = (logits.mentions[:, 0], "mention") if found else (logits.text, "text")
        else:
            asked, head = self._network(input_ids=ids, attention_mask=mask).logits, "text"
        ordered = asked[:, list(self._folder.label_order)]
        return self._scaled(ordered.double(), self._folder.scalings[head])

    def _scaled(self, logits: torch.Tensor, scaling: Scaling) -> torch.Tensor:
        """As `Scaling.probabilities`, with gradients: that of a root is infinite at a gap of 0, which none has here."""
        gaps = (logits.amax(dim=-1, keepdim=True) - logits).clamp_min(LEAST_GAP)
        probabilities: torch.Tensor = self._torch.softmax(-(gaps**scaling.exponent) / scaling.temperature, dim=-1)
        return probabilities

    def _probability(self, ids: torch.Tensor, spans: torch.Tensor, found: bool, label: int) -> torch.Tensor:
        return self._probabilities(ids, spans, found)[:, label]

    def _token_weights(self, ids: torch.Tensor, spans: torch.Tensor, found: bool, label: int) -> list[float]:
        """One weight a token; the model's own marks have 0, for the empty text has them too."""
        torch = self._torch
        own_marks = self._tokeniser.tokenizer.encode("").ids
        keep = torch.isin(ids, torch.tensor(own_marks, dtype=ids.dtype))
        empty = torch.where(keep, ids, torch.full_like(ids, self._folder.pad_id))
        method = self._captum.LayerIntegratedGradients(self._probability, self._embeddings())
        parts = method.attribute(
            ids,
            baselines=empty,
            additional_forward_args=(spans, found, label),
            n_steps=STEPS,
            internal_batch_size=STEPS_AT_ONCE,
        )
        return [float(part) for part in parts.sum(dim=-1).squeeze(0).detach()]

    def _embeddings(self) -> Any:
        network = self._network.encoder if self._folder.topics else self._network
        return network.get_input_embeddings()

    def _word_weights(self, text: str, words: list[tuple[int, int]], tokens: list[float]) -> list[float]:
        """Each token's weight goes to the words that it overlaps, in equal parts."""
        weights = np.zeros(len(words))
        # The tokeniser cuts off far more than the model reads, which here may leave more tokens, but no others.
        for (start, end), weight in zip(self._tokeniser.tokenizer.encode(text).offsets, tokens, strict=False):
            its = [n for n, (first, last) in enumerate(words) if start < last and first < end]
            if its:
                weights[its] += weight / len(its)
        return [float(weight) for weight in weights]
