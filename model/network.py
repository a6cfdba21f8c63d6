"""The network: one encoder pass, then a head for the whole text, one for each mention, and one for the topic."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bearometer.errors import Misconfigured
from bearometer.mention import LABELS
from model.extras import import_torch, import_transformers
from model.folder import INT8_FILE, TORCH_FILE
from model.thaw import thaw

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Logits", "load_encoder", "load_trained", "make_network", "save_network"]


class Logits(NamedTuple):
    """What the network says of B texts with up to E mentions each."""

    text: Tensor
    """[B, 3], in the order of LABELS."""
    mentions: Tensor
    """[B, E, 3]; of no meaning where a text has fewer mentions."""
    topics: Tensor
    """[B, number of topics]."""


def make_network(encoder: Any, topics: int, dropout: float = 0.1) -> Any:
    """Put fresh heads on an encoder: a module with forward(ids [B, T], mask [B, T], spans [B, E, T]) -> Logits.

    `spans` holds a weight for each token of each mention, which sum to 1; all zero where there is no mention. The
    sentence vector is the mean of all tokens' vectors, as in the sentence encoders that are our usual bases
    (Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084). A mention is the mean of its own tokens' vectors
    beside the sentence vector: all mentions of a text share its one pass.
    """
    torch = import_torch()

    def head(inputs: int, outputs: int) -> Any:
        return torch.nn.Sequential(
            torch.nn.Dropout(dropout),
            torch.nn.Linear(inputs, width),
            torch.nn.Tanh(),
            torch.nn.Dropout(dropout),
            torch.nn.Linear(width, outputs),
        )

    class Network(torch.nn.Module):  # type: ignore[name-defined,misc]
        """See `make_network`."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder
            self.text_head = head(width, len(LABELS))
            self.mention_head = head(2 * width, len(LABELS))
            self.topic_head = head(width, topics)

        def forward(self, ids: Tensor, mask: Tensor, spans: Tensor) -> Logits:
            hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
            weights = mask.to(hidden.dtype)
            weights = weights / weights.sum(1, keepdim=True)
            sentence = torch.matmul(weights.unsqueeze(1), hidden)  # [B, 1, H]
            named = torch.matmul(spans.to(hidden.dtype), hidden)  # [B, E, H]
            beside = torch.cat([named, sentence.expand_as(named)], dim=-1)
            whole = sentence.squeeze(1)
            return Logits(self.text_head(whole), self.mention_head(beside), self.topic_head(whole))

    width = int(encoder.config.hidden_size)
    return Network()


def load_encoder(base: Path) -> Any:
    """The bare pretrained encoder in a folder, in float32; Misconfigured when there is none, or not all of it."""
    transformers = import_transformers()
    try:
        encoder, found = transformers.AutoModel.from_pretrained(
            base,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype="float32",
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError) as error:
        message = f"the base model in {base} cannot be loaded: {_first_line(error)}"
        raise Misconfigured(message) from None
    # What is not in the file is random, and transformers only warns of it; the pooler is not used.
    missing = sorted(name for name in found["missing_keys"] if not name.startswith("pooler."))
    if missing:
        message = f"the base model in {base} lacks {len(missing)} of its weights, such as {missing[0]}"
        raise Misconfigured(message)
    return _without_pooler(encoder)


def load_trained(path: Path, topics: Sequence[str], dropout: float = 0.1, **changes: Any) -> Any:
    """The network that `save_network` wrote, ready to answer; where only its int8 export is left, that one's.

    `changes` go to the encoder's configuration (attention, for an export). Misconfigured when it cannot be loaded.
    """
    transformers = import_transformers()
    from safetensors import SafetensorError  # noqa: PLC0415 - it comes with the extra
    from safetensors.torch import load_file  # noqa: PLC0415

    try:
        config = transformers.AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
        encoder = transformers.AutoModel.from_config(config, trust_remote_code=False, dtype="float32", **changes)
        network = make_network(_without_pooler(encoder), len(topics), dropout)
        weights = load_file(path / TORCH_FILE) if (path / TORCH_FILE).is_file() else _thawed(path, network)
        network.load_state_dict(weights)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        message = f"the model in {path} cannot be loaded: {_first_line(error)}"
        raise Misconfigured(message) from None
    return network.eval()


def save_network(network: Any, folder: Path) -> None:
    """Write the weights and the encoder's configuration; the folder must exist."""
    from safetensors.torch import save_file  # noqa: PLC0415 - it comes with the extra

    config = network.encoder.config
    config.id2label = dict(enumerate(LABELS))
    config.label2id = {label: index for index, label in enumerate(LABELS)}
    config.save_pretrained(folder)
    weights = {name: part.detach().to("cpu").contiguous().clone() for name, part in network.state_dict().items()}
    save_file(weights, folder / TORCH_FILE, metadata={"format": "pt"})


def _thawed(path: Path, network: Any) -> dict[str, Tensor]:
    """What the int8 file in a folder has of the network's weights."""
    names = network.state_dict().keys()  # the file holds constants of the encoder too
    return {
        name: import_torch().from_numpy(array.copy()) for name, array in thaw(path / INT8_FILE).items() if name in names
    }


def _without_pooler(encoder: Any) -> Any:
    """A pooler's weights would be trained by nobody: the heads read the tokens."""
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
    return encoder


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
