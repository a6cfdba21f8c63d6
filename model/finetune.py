"""Fine-tuning a pretrained encoder for three tasks at once: a text's sentiment, its mentions', and its topic."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bearometer.clock import Clock, SystemClock
from bearometer.errors import Failed, Misconfigured
from model.base import check_max_tokens, find_base, freeze, is_trained, open_network, open_tokeniser
from model.checkpoint import Checkpoint, Checkpoints
from model.dataset import Example
from model.development import has_labels, measure_network, measure_rows
from model.extras import import_torch
from model.folder import INT8_FILE, TOKENIZER_FILE, digest_of
from model.lora import add_adapters, merge_adapters
from model.loss import Loss, shifted
from model.network import Logits
from model.recipe import EpochReport, Observer, Recipe, Scores
from model.rows import Batch, Row, collate, make_rows
from model.run_folder import TrainingRun, save_run
from model.schooling import Portion, Schooling
from model.seeds import mean_weights

__all__ = ["Portion", "Trainer", "TrainingRun", "find_base", "freeze", "save_run"]


class Trainer:
    """One fine-tuning of one base model; on a GPU where there is one, then in bfloat16 where it knows it.

    The same seed on the same machine gives the same weights, also when the training was killed and resumed.
    """

    def __init__(self, base: Path, recipe: Recipe, clock: Clock | None = None) -> None:
        """Load the base (an encoder, or a run to go on from); raises Misconfigured when it cannot be used."""
        torch = import_torch()
        self._torch = torch
        self._recipe = recipe
        self._base = base
        self._clock = clock or SystemClock()
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._mixed = self._device.type == "cuda" and torch.cuda.is_bf16_supported()
        self._tokeniser = open_tokeniser(base, recipe.max_tokens)
        self._network = open_network(base, recipe)
        check_max_tokens(self._network, recipe.max_tokens)
        self._start = self._keep_start() if recipe.base_share else {}
        self._pad_id = int(self._network.encoder.config.pad_token_id or 0)
        if recipe.lora_rank:
            add_adapters(self._network, recipe)
        self._network.to(self._device)
        self._trained_parameters = freeze(self._network, recipe.layers)
        self._embeddings = self._network.encoder.get_input_embeddings()
        if recipe.fgm and not self._embeddings.weight.requires_grad:
            message = f"`fgm` is {recipe.fgm}; it must be 0 where the word embeddings are not trained"
            raise Misconfigured(message)
        # Fused, a step of the optimizer takes a fifth of its time: on two cores a training ends a sixth sooner.
        self._optimizer = torch.optim.AdamW(
            _parameter_groups(self._network, recipe), lr=recipe.learning_rate, fused=True
        )
        self._rates = [float(group["lr"]) for group in self._optimizer.param_groups]
        self._loss = Loss(recipe, self._device)

    def run(
        self,
        train: Sequence[Portion],
        development: Sequence[Example],
        observer: Observer | None = None,
        folder: Path | None = None,
        checkpoint_seconds: float = 300.0,
    ) -> TrainingRun:
        """Train, stop early by `development`, and give back the best epoch's weights.

        With a folder, a checkpoint is kept there, from which the same call goes on after a kill. Blocks for minutes to
        hours. Raises Failed when there is nothing to learn from or to measure on, or the loss is not finite;
        Misconfigured when the folder's checkpoint is of another training.
        """
        recipe, clock = self._recipe, self._clock
        schooling = Schooling(train, self._tokeniser, recipe)
        development_rows = make_rows(development, self._tokeniser, recipe)
        if not has_labels(development_rows):
            message = "the development split has no usable rows with a label"
            raise Failed(message)
        if recipe.class_weights:
            self._loss = Loss(recipe, self._device, schooling.class_shares())
        checkpoints = Checkpoints(folder, self._identity(train, development)) if folder else None
        progress = self._resume(checkpoints)
        if progress is None:
            progress = _Progress(before=self._evaluate(development_rows))
        steps = recipe.epochs * schooling.steps_per_epoch
        saved = clock.monotonic()
        while progress.epoch < recipe.epochs and progress.stale < recipe.patience:
            started = clock.monotonic()
            groups = schooling.epoch(progress.epoch)
            for group in groups[progress.step - progress.epoch * schooling.steps_per_epoch :]:
                rate = _rate(progress.step, steps, recipe.warmup_share)
                loss, rows = self._step(group, rate)
                progress.loss += loss
                progress.rows += rows
                progress.step += 1
                if not math.isfinite(progress.loss):
                    message = f"the training loss is {loss} in epoch {progress.epoch + 1}: lower the learning rate"
                    raise Failed(message)
                if observer:
                    observer.step(progress.step, steps, loss / rows, self._rates[0] * rate)
                if checkpoints and clock.monotonic() - saved >= checkpoint_seconds:
                    progress.seconds += clock.monotonic() - started
                    started = clock.monotonic()
                    self._save(checkpoints, progress)
                    saved = clock.monotonic()
            # Rows that a change left without text make an epoch shorter; the next one begins at its own first step.
            progress.step = (progress.epoch + 1) * schooling.steps_per_epoch
            scores = self._evaluate(development_rows)
            progress.seconds += clock.monotonic() - started
            report = EpochReport(progress.epoch + 1, progress.loss / progress.rows, scores, progress.seconds)
            self._end_epoch(progress, report, checkpoints)
            if observer:
                observer.epoch(report)
        best = checkpoints.load_best() if checkpoints else progress.best_weights
        self._network.load_state_dict(best)
        self._network.to("cpu").eval()
        everything = sum(parameter.numel() for parameter in self._network.parameters())
        if recipe.lora_rank:
            merge_adapters(self._network)
        after = max(progress.history, key=lambda report: report.scores.overall).scores
        if recipe.base_share:
            after = self._mix_in_start(development)
        return TrainingRun(
            self._network,
            self._tokeniser,
            progress.before,
            after,
            tuple(progress.history),
            self._trained_parameters,
            everything,
        )

    def _keep_start(self) -> dict[str, Any]:
        if not is_trained(self._base):
            message = (
                f"`base_share` is {self._recipe.base_share}, but {self._base} was not trained: its heads know nothing"
            )
            raise Misconfigured(message)
        return {name: part.detach().clone() for name, part in self._network.state_dict().items()}

    def _mix_in_start(self, development: Sequence[Example]) -> Scores:
        """Keep a share of the weights that there were; how well the mean of both does."""
        share = self._recipe.base_share
        self._network.load_state_dict(mean_weights([self._network.state_dict(), self._start], [1 - share, share]))
        return measure_network(self._network, self._tokeniser, development, self._recipe)

    def _end_epoch(self, progress: _Progress, report: EpochReport, checkpoints: Checkpoints | None) -> None:
        best = max((each.scores.overall for each in progress.history), default=-1.0)
        if report.scores.overall > best:
            progress.stale = 0
            progress.best_weights = {
                name: part.detach().to("cpu", copy=True).contiguous()
                for name, part in self._network.state_dict().items()
            }
            if checkpoints:
                checkpoints.save_best(progress.best_weights)
                progress.best_weights = {}
        else:
            progress.stale += 1
        progress.history.append(report)
        progress.epoch += 1
        progress.loss = progress.seconds = 0.0
        progress.rows = 0
        if checkpoints:
            self._save(checkpoints, progress)

    def _step(self, group: Sequence[Sequence[Row]], rate: float) -> tuple[float, int]:
        """One step of the optimizer over the batches of a group: the summed loss, and the rows."""
        self._network.train()
        rows = sum(len(batch) for batch in group)
        batches = [collate(batch, self._pad_id) for batch in group]
        self._optimizer.zero_grad(set_to_none=True)
        total = self._add_gradients(batches, rows)
        if self._recipe.fgm:
            with shifted(self._embeddings, self._recipe.fgm):
                self._add_gradients(batches, rows)
        self._torch.nn.utils.clip_grad_norm_(self._network.parameters(), 1.0)
        for group_, full in zip(self._optimizer.param_groups, self._rates, strict=True):
            group_["lr"] = full * rate
        self._optimizer.step()
        return total, rows

    def _add_gradients(self, batches: Sequence[Batch], rows: int) -> float:
        total = 0.0
        for batch in batches:
            # Summed and divided by the step's rows: the gradient is that of one big batch, whatever its cut.
            loss = self._loss(self._forward(batch), batch)
            (loss / rows).backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        return total

    def _forward(self, batch: Batch) -> Logits:
        ids, mask, spans = (
            self._torch.from_numpy(array).to(self._device) for array in (batch.ids, batch.mask, batch.spans)
        )
        with self._torch.autocast(self._device.type, dtype=self._torch.bfloat16, enabled=self._mixed):
            logits: Logits = self._network(ids, mask, spans)
        return logits

    def _evaluate(self, rows: Sequence[Row]) -> Scores:
        self._network.eval()
        with self._torch.inference_mode():
            return measure_rows(self._forward, rows, self._pad_id)

    def _identity(self, train: Sequence[Portion], development: Sequence[Example]) -> str:
        """A digest of all that decides the outcome."""
        kinds = ("model*.safetensors", INT8_FILE, TOKENIZER_FILE)
        files = sorted(file for kind in kinds for file in self._base.glob(kind))
        digest = hashlib.sha256(orjson.dumps([asdict(self._recipe), {file.name: digest_of(file) for file in files}]))
        for portion in (*train, Portion(development)):
            digest.update(orjson.dumps([portion.passes, len(portion.examples)]))
            for example in portion.examples:
                digest.update(orjson.dumps(example))
        return digest.hexdigest()

    def _save(self, checkpoints: Checkpoints, progress: _Progress) -> None:
        tensors = {f"network.{name}": part for name, part in self._network.state_dict().items()}
        for number, moments in self._optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": part for name, part in moments.items()}
        tensors["random.cpu"] = self._torch.get_rng_state()
        if self._device.type == "cuda":
            tensors["random.cuda"] = self._torch.cuda.get_rng_state()
        checkpoints.save(
            Checkpoint(progress.to_dict(), {name: part.detach().cpu().contiguous() for name, part in tensors.items()})
        )

    def _resume(self, checkpoints: Checkpoints | None) -> _Progress | None:
        checkpoint = checkpoints.load() if checkpoints else None
        if checkpoint is None:
            return None
        parts: dict[str, dict[str, Any]] = {"network": {}, "optimizer": {}, "random": {}}
        for name, tensor in checkpoint.tensors.items():
            kind, _, rest = name.partition(".")
            parts[kind][rest] = tensor
        self._network.load_state_dict(parts["network"])
        moments: dict[int, dict[str, Any]] = {}
        for name, tensor in parts["optimizer"].items():
            number, _, moment = name.partition(".")
            moments.setdefault(int(number), {})[moment] = tensor
        self._optimizer.load_state_dict({**self._optimizer.state_dict(), "state": moments})
        self._torch.set_rng_state(parts["random"]["cpu"])
        if "cuda" in parts["random"] and self._device.type == "cuda":
            self._torch.cuda.set_rng_state(parts["random"]["cuda"])
        return _Progress.from_dict(checkpoint.state)


@dataclass(slots=True)
class _Progress:
    before: Scores
    epoch: int = 0
    """Epochs done."""
    step: int = 0
    """Steps done, over all epochs."""
    stale: int = 0
    loss: float = 0.0
    """Summed over the rows of this epoch so far."""
    rows: int = 0
    seconds: float = 0.0
    history: list[EpochReport] = field(default_factory=list)
    best_weights: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "before": asdict(self.before),
            "history": [asdict(report) for report in self.history],
            **{name: getattr(self, name) for name in ("epoch", "step", "stale", "loss", "rows", "seconds")},
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> _Progress:
        history = [EpochReport(**{**report, "scores": Scores(**report["scores"])}) for report in state["history"]]
        return cls(**{**state, "before": Scores(**state["before"]), "history": history})


def _parameter_groups(network: Any, recipe: Recipe) -> list[dict[str, Any]]:
    """The heads learn faster; biases and norms (vectors) are not decayed, as in BERT's own training."""
    groups: list[dict[str, Any]] = []
    for is_head in (False, True):
        for is_matrix in (False, True):
            chosen = [
                parameter
                for name, parameter in network.named_parameters()
                if parameter.requires_grad
                and name.startswith("encoder.") != is_head
                and (parameter.ndim > 1) == is_matrix
            ]
            if chosen:
                rate = recipe.learning_rate * (recipe.head_rate if is_head else 1.0)
                groups.append({"params": chosen, "lr": rate, "weight_decay": recipe.weight_decay if is_matrix else 0.0})
    return groups


def _rate(step: int, steps: int, warmup_share: float) -> float:
    warmup = max(1, round(steps * warmup_share))
    return (step + 1) / warmup if step < warmup else max(0.0, (steps - step) / max(1, steps - warmup))
