"""Fine-tuning a pretrained encoder into a sentiment classifier."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from bearometer import __version__
from bearometer.clock import Clock, SystemClock
from bearometer.errors import Failed, Misconfigured
from bearometer.mention import LABELS
from model.dataset import Example
from model.folder import CARD_FILE, TOKENIZER_FILE, TORCH_FILE, digest_of
from model.metrics import Metrics, measure
from model.recipe import EpochReport, Observer, Recipe
from model.tokenise import Ids, Tokeniser, by_length, pad
from model.torch import import_torch, import_transformers, load_network

if TYPE_CHECKING:
    import torch

__all__ = ["Trainer", "TrainingRun", "bucket", "find_base", "freeze", "save_run"]


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """A trained network (its best epoch's weights) and how it got there."""

    network: Any
    tokeniser: Tokeniser
    before: Metrics
    after: Metrics
    history: tuple[EpochReport, ...]
    trained_parameters: int
    all_parameters: int


@dataclass(frozen=True, slots=True)
class _Rows:
    ids: list[Ids]
    labels: list[int]


class Trainer:
    """One fine-tuning of one base model; on a GPU where there is one, then in bfloat16 where it knows it.

    The same seed on the same machine gives the same weights.
    """

    def __init__(self, base: Path, recipe: Recipe, clock: Clock | None = None) -> None:
        """Load the base; raises Misconfigured when it cannot be used."""
        torch = import_torch()
        random.seed(recipe.seed)
        torch.manual_seed(recipe.seed)
        self._torch = torch
        self._recipe = recipe
        self._clock = clock or SystemClock()
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._mixed = self._device.type == "cuda" and torch.cuda.is_bf16_supported()
        self._tokeniser = _open_tokeniser(base, recipe.max_tokens)
        self._network = load_network(
            base,
            num_labels=len(LABELS),
            id2label=dict(enumerate(LABELS)),
            label2id={label: index for index, label in enumerate(LABELS)},
            ignore_mismatched_sizes=True,  # a head for other labels is replaced
        ).to(self._device)
        self._trained_parameters = freeze(self._network, recipe.layers)

    def run(
        self, train: Sequence[Example], development: Sequence[Example], observer: Observer | None = None
    ) -> TrainingRun:
        """Train on `train`, stop early by `development`, and give back the best epoch's weights.

        Blocks for minutes to hours. Raises Failed when there is nothing to learn from, or the loss is not finite.
        """
        recipe = self._recipe
        training_rows = self._encode(train, "training")
        development_rows = self._encode(development, "development")
        before = best = self._evaluate(development_rows)
        best_weights: dict[str, torch.Tensor] = {}
        steps = recipe.epochs * math.ceil(
            math.ceil(len(training_rows.ids) / recipe.batch_size) / recipe.accumulate,
        )
        optimizer = self._torch.optim.AdamW(
            _parameter_groups(self._network, recipe.weight_decay), lr=recipe.learning_rate
        )
        schedule = self._torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: _rate(step, steps, recipe.warmup_share)
        )
        shuffler = random.Random(recipe.seed)
        history: list[EpochReport] = []
        done = stale = 0
        for epoch in range(1, recipe.epochs + 1):
            started, loss = self._clock.monotonic(), 0.0
            for step_loss in self._epoch(training_rows, optimizer, shuffler):
                schedule.step()
                loss += step_loss
                done += 1
                if observer:
                    observer.step(done, steps)
            if not math.isfinite(loss):
                message = f"the training loss is {loss} in epoch {epoch}: lower --learning-rate"
                raise Failed(message)
            metrics = self._evaluate(development_rows)
            seconds = self._clock.monotonic() - started
            history.append(
                EpochReport(
                    epoch,
                    loss / len(training_rows.ids),
                    metrics.accuracy,
                    metrics.macro_f1,
                    metrics.weighted_f1,
                    seconds,
                )
            )
            if observer:
                observer.epoch(history[-1])
            if not best_weights or metrics.macro_f1 > best.macro_f1:
                best, stale = metrics, 0
                best_weights = {name: part.to("cpu", copy=True) for name, part in self._network.state_dict().items()}
            else:
                stale += 1
                if stale >= recipe.patience:
                    break
        self._network.load_state_dict(best_weights)
        self._network.to("cpu").eval()
        everything = sum(parameter.numel() for parameter in self._network.parameters())
        return TrainingRun(
            self._network, self._tokeniser, before, best, tuple(history), self._trained_parameters, everything
        )

    def _epoch(self, rows: _Rows, optimizer: torch.optim.Optimizer, shuffler: random.Random) -> Iterator[float]:
        """One pass over the rows; yields each step's summed loss."""
        torch, recipe = self._torch, self._recipe
        self._network.train()
        batches = bucket([len(row) for row in rows.ids], recipe.batch_size, shuffler)
        for start in range(0, len(batches), recipe.accumulate):
            group = batches[start : start + recipe.accumulate]
            step_rows = sum(len(batch) for batch in group)
            optimizer.zero_grad(set_to_none=True)
            step_loss = 0.0
            for batch in group:
                # Summed and divided by the step's rows: the gradient is that of one big batch, whatever its cut.
                loss = torch.nn.functional.cross_entropy(
                    self._forward([rows.ids[place] for place in batch]),
                    torch.tensor([rows.labels[place] for place in batch], device=self._device),
                    label_smoothing=recipe.label_smoothing,
                    reduction="sum",
                )
                (loss / step_rows).backward()
                step_loss += loss.item()
            torch.nn.utils.clip_grad_norm_(self._network.parameters(), 1.0)
            optimizer.step()
            yield step_loss

    def _forward(self, rows: Sequence[Ids]) -> torch.Tensor:
        arrays = pad(rows, self._network.config.pad_token_id or 0)
        ids, mask = (self._torch.from_numpy(array).to(self._device) for array in arrays)
        with self._torch.autocast(self._device.type, dtype=self._torch.bfloat16, enabled=self._mixed):
            logits: torch.Tensor = self._network(input_ids=ids, attention_mask=mask).logits.float()
        return logits

    def _evaluate(self, rows: _Rows) -> Metrics:
        self._network.eval()
        predicted = np.zeros(len(rows.ids), dtype=int)
        with self._torch.inference_mode():
            for places in by_length(rows.ids, 4096):
                predicted[places] = self._forward([rows.ids[place] for place in places]).argmax(-1).cpu().numpy()
        return measure(rows.labels, predicted.tolist())

    def _encode(self, examples: Sequence[Example], what: str) -> _Rows:
        encoded = self._tokeniser.encode([example.text for example in examples])
        usable = [(row, example.label) for row, example in zip(encoded, examples, strict=True) if row is not None]
        if not usable:
            message = f"the {what} split has no usable rows"
            raise Failed(message)
        return _Rows([row for row, _ in usable], [label for _, label in usable])


def find_base(base: str) -> Path:
    """A folder with a pretrained encoder: `base` itself, or the Hugging Face Hub's repository of that name.

    From the Hub only JSON, vocabularies and safetensors are fetched. Raises Misconfigured when it is neither.
    """
    if Path(base).is_dir():
        os.environ["HF_HUB_OFFLINE"] = "1"
        return Path(base)
    if base.startswith(("/", ".", "~")) or base.count("/") > 1:
        message = f"the base model's folder {base} does not exist"
        raise Misconfigured(message)
    import_torch()
    try:
        from huggingface_hub import snapshot_download  # noqa: PLC0415 - it comes with transformers

        patterns = ["*.json", "*.safetensors", "vocab.txt", "merges.txt"]
        return Path(snapshot_download(base, allow_patterns=patterns, ignore_patterns=["*/*"]))
    except Exception as error:  # the client raises a dozen kinds: no such name, no network, no access
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        message = f"the base model {base!r} is no folder and cannot be fetched from the Hub: {reason}"
        raise Misconfigured(message) from None


def freeze(network: Any, layers: str) -> int:
    """Leave only some of the network's parameters trainable, by `Recipe.layers`; gives their number.

    The head (whatever lies outside the encoder, and the pooler) is always trained. Raises Misconfigured when
    `layers` is not `all`, `head` or a number of layers that the encoder has.
    """
    torch = import_torch()
    if layers != "all":
        stacks = [module for module in network.base_model.modules() if isinstance(module, torch.nn.ModuleList)]
        stack = max(stacks, key=len, default=torch.nn.ModuleList())
        if layers != "head" and not (layers.isdecimal() and 1 <= int(layers) <= len(stack)):
            message = f"--layers is {layers!r}; it must be all, head, or a number from 1 to {len(stack)}"
            raise Misconfigured(message)
        for name, parameter in network.base_model.named_parameters():
            parameter.requires_grad = name.startswith("pooler.")
        if layers != "head":
            for layer in stack[len(stack) - int(layers) :]:
                layer.requires_grad_(True)
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def bucket(lengths: Sequence[int], batch_size: int, shuffler: random.Random) -> list[list[int]]:
    """Cut the places of all rows into batches of similar lengths, in random order; each place exactly once."""
    places = list(range(len(lengths)))
    shuffler.shuffle(places)
    pool = batch_size * 50  # sorted within a pool only, so that a batch's rows differ from epoch to epoch
    batches: list[list[int]] = []
    for start in range(0, len(places), pool):
        ordered = sorted(places[start : start + pool], key=lengths.__getitem__)
        batches += [ordered[cut : cut + batch_size] for cut in range(0, len(ordered), batch_size)]
    shuffler.shuffle(batches)
    return batches


def save_run(run: TrainingRun, folder: Path, name: str, recipe: Recipe, origin: dict[str, Any]) -> None:
    """Write weights (safetensors), tokenizer, description and metrics; the folder is made, files are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    run.network.save_pretrained(folder)
    run.tokeniser.tokenizer.save(str(folder / TOKENIZER_FILE), pretty=False)
    card = {
        "name": name,
        "labels": LABELS,
        "max_tokens": recipe.max_tokens,
        "files": {TORCH_FILE: digest_of(folder / TORCH_FILE)},
        "made_by": f"bearometer {__version__}",
        "recipe": asdict(recipe),
        **origin,
    }
    metrics = {
        "before": run.before.to_dict(),
        "after": run.after.to_dict(),
        "history": [asdict(report) for report in run.history],
        "trained_parameters": run.trained_parameters,
        "all_parameters": run.all_parameters,
    }
    (folder / CARD_FILE).write_bytes(orjson.dumps(card, option=orjson.OPT_INDENT_2))
    (folder / "metrics.json").write_bytes(orjson.dumps(metrics, option=orjson.OPT_INDENT_2))


def _open_tokeniser(base: Path, max_tokens: int) -> Tokeniser:
    if (base / TOKENIZER_FILE).is_file():
        return Tokeniser.open(base / TOKENIZER_FILE, max_tokens)
    try:
        tokenizer = import_transformers().AutoTokenizer.from_pretrained(
            base, local_files_only=True, trust_remote_code=False
        )
        return Tokeniser(tokenizer.backend_tokenizer, max_tokens)
    except (OSError, ValueError, AttributeError, ImportError) as error:
        message = f"the base model {base} has no {TOKENIZER_FILE}, and none can be made: {str(error)[:200]}"
        raise Misconfigured(message) from None


def _parameter_groups(network: Any, weight_decay: float) -> list[dict[str, Any]]:
    """Biases and norms (vectors) are not decayed, as in BERT's own training."""
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in trainable if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in trainable if parameter.ndim <= 1], "weight_decay": 0.0},
    ]


def _rate(step: int, steps: int, warmup_share: float) -> float:
    warmup = max(1, round(steps * warmup_share))
    return (step + 1) / warmup if step < warmup else max(0.0, (steps - step) / max(1, steps - warmup))
