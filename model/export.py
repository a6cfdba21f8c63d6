"""From a training run to the files that ONNX Runtime needs, and the proof that they give the same answers."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from bearometer.errors import Failed, MissingExtra
from bearometer.mention import LABELS
from model.classifier import Judgement
from model.dataset import Example
from model.evaluate import Evaluation, evaluate
from model.folder import (
    CARD_FILE,
    CONFIG_FILE,
    FP32_FILE,
    INT8_FILE,
    TOKENIZER_FILE,
    TORCH_FILE,
    ModelFolder,
    digest_of,
)
from model.onnx import OnnxClassifier
from model.quantise import quantise
from model.torch import TorchClassifier, import_torch, load_network

if TYPE_CHECKING:
    import onnx

__all__ = ["PROBES", "Difference", "compare_export", "export"]

PROBES = tuple(
    Example(text, LABELS.index(label))
    for text, label in (
        ("Quillmark shares plunge after a fraud probe", "negative"),
        ("Tern Aviation cuts its outlook and 900 jobs", "negative"),
        ("Downgraded to sell: Ostrava Steel misses on every line", "negative"),
        ("Quillmark beats estimates and raises its dividend", "positive"),
        ("Tern Aviation jumps 9% on a record order book", "positive"),
        ("Upgraded to buy: Ostrava Steel's margins keep growing", "positive"),
        ("Quillmark to report its third quarter on Thursday", "neutral"),
        ("Tern Aviation names a new head of its board", "neutral"),
    )
)
"""Our own sentences, for a check where no labelled file is given."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How far an exported classifier is from torch's on the same rows."""

    exported: Evaluation
    original: Evaluation

    @property
    def mean(self) -> float:
        """Mean over the rows of the largest difference of a probability."""
        gaps = list(self._gaps())
        return sum(gaps) / len(gaps)

    @property
    def largest(self) -> float:
        """The largest difference of a probability in any row."""
        return max(self._gaps())

    @property
    def changed_labels(self) -> int:
        """Rows that got another label."""
        return sum(_label(a) != _label(b) for a, b in self._pairs())

    def _pairs(self) -> Iterator[tuple[Judgement | None, Judgement | None]]:
        return zip(self.exported.judgements, self.original.judgements, strict=True)

    def _gaps(self) -> Iterator[float]:
        for a, b in self._pairs():
            if a and b:
                yield max(abs(getattr(a.sentiment, label) - getattr(b.sentiment, label)) for label in LABELS)
            else:
                yield float(a is not b)


def export(source: Path, output: Path, with_fp32: bool = True) -> ModelFolder:
    """Write int8 (and fp32) ONNX, tokenizer, configuration and description of a run folder to `output`.

    The folder is made; files of the same names are replaced. Takes about half a minute for a small encoder.
    Raises Misconfigured when the source cannot be used, MissingExtra without torch, transformers, onnx, onnxscript.
    """
    folder = ModelFolder.open(source)
    folder.require(TORCH_FILE, "export needs what `bearometer train` made")
    _require_onnx()
    import onnx  # noqa: PLC0415

    output.mkdir(parents=True, exist_ok=True)
    model = _trace(source)
    onnx.save(quantise(model), output / INT8_FILE)
    written = [INT8_FILE]
    if with_fp32:
        onnx.save(model, output / FP32_FILE)
        written.append(FP32_FILE)
    if output.resolve() != source.resolve():
        for name in (TOKENIZER_FILE, CONFIG_FILE):
            shutil.copyfile(source / name, output / name)
    card: dict[str, Any] = {}
    if (source / CARD_FILE).is_file():
        card = orjson.loads((source / CARD_FILE).read_bytes())
    files = {name: digest_of(output / name) for name in written}
    if output.resolve() == source.resolve():
        files = {**folder.digests, **files}
    card |= {"name": folder.name, "labels": LABELS, "max_tokens": folder.max_tokens, "files": files}
    card["exported_from"] = digest_of(source / TORCH_FILE)
    (output / CARD_FILE).write_bytes(orjson.dumps(card, option=orjson.OPT_INDENT_2))
    return ModelFolder.open(output)


def compare_export(
    source: Path, output: Path, examples: Sequence[Example], on_rows: Callable[[int], None] = lambda rows: None
) -> Difference:
    """Run the exported weights (int8) and torch's over the same rows; `on_rows` hears of each row twice."""
    exported = evaluate(OnnxClassifier(ModelFolder.open(output)), examples, on_rows)
    return Difference(exported, evaluate(TorchClassifier(ModelFolder.open(source)), examples, on_rows))


def _trace(source: Path) -> onnx.ModelProto:
    torch = import_torch()
    # Attention written out: the fused kernels of torch have no counterpart in ONNX.
    network = load_network(source, attn_implementation="eager").eval()

    class Logits(torch.nn.Module):  # type: ignore[name-defined,misc]
        """The network with plain tensors in and out."""

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return network(input_ids=input_ids, attention_mask=attention_mask).logits

    ids = torch.full((2, 12), 5)
    mask = torch.ones_like(ids)
    mask[1, 8:] = 0
    shape = {0: torch.export.Dim("rows"), 1: torch.export.Dim("tokens")}
    with _quiet_exporter():
        program = torch.onnx.export(
            Logits().eval(),
            (ids, mask),
            dynamo=True,
            verbose=False,
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_shapes={"input_ids": shape, "attention_mask": shape},
        )
    if program is None:
        message = f"torch could not export the model in {source}"
        raise Failed(message)
    model: onnx.ModelProto = program.model_proto
    _forget_where_it_was_made(model)
    return model


def _forget_where_it_was_made(model: onnx.ModelProto) -> None:
    """Take away the exporter's notes: each node has the lines of code that it came from, with this machine's paths."""
    for holder in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del holder.metadata_props[:]


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep the exporter's own chatter away: that torchvision is not installed, and its deprecations inside torch."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated", category=FutureWarning)
            warnings.filterwarnings("ignore", message=".*The axis name: .* will not be used", category=UserWarning)
            yield
    finally:
        logger.setLevel(level)


def _require_onnx() -> None:
    for package in ("onnx", "onnxscript"):
        try:
            __import__(package)
        except ImportError:
            raise MissingExtra(package, "train") from None


def _label(judgement: Judgement | None) -> str | None:
    return judgement.sentiment.label if judgement else None
