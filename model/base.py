"""What a training begins with: a pretrained encoder under fresh heads, or a whole network that was trained before."""

import os
from pathlib import Path
from typing import Any

import orjson

from bearometer.errors import Misconfigured
from bearometer.topics import TOPICS
from model.extras import import_torch, import_transformers
from model.folder import CARD_FILE, TOKENIZER_FILE
from model.network import load_encoder, load_trained, make_network
from model.recipe import Recipe
from model.tokenise import Tokeniser

__all__ = ["check_max_tokens", "find_base", "freeze", "is_trained", "open_network", "open_tokeniser"]


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


def is_trained(base: Path) -> bool:
    """Whether a folder holds a network of ours, heads and all, and no bare encoder."""
    try:
        return orjson.loads((base / CARD_FILE).read_bytes()).get("topics") is not None
    except (OSError, AttributeError, orjson.JSONDecodeError):
        return False


def open_network(base: Path, recipe: Recipe) -> Any:
    """The network to train, on the CPU; raises Misconfigured when the base cannot be used.

    A run folder gives its whole network, any other folder its encoder with fresh heads of `head_seed` (or `seed`).
    Afterwards torch's random state is that of `seed`.
    """
    torch = import_torch()
    torch.manual_seed(recipe.seed if recipe.head_seed is None else recipe.head_seed)
    if is_trained(base):
        network = load_trained(base, TOPICS, recipe.dropout)
    else:
        network = make_network(load_encoder(base), len(TOPICS), recipe.dropout)
    if recipe.head_seed is not None:
        torch.manual_seed(recipe.seed)
    return network


def open_tokeniser(base: Path, max_tokens: int) -> Tokeniser:
    """The base's own tokenizer, cut to `max_tokens`; Misconfigured when there is none."""
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


def check_max_tokens(network: Any, max_tokens: int) -> None:
    """Misconfigured when the encoder has learnt fewer places of a token than `max_tokens`: the pass would fail."""
    for name, module in network.encoder.named_modules():
        if name.rpartition(".")[2] == "position_embeddings":
            # RoBERTa and MPNet begin to count after the padding's row.
            unused = 0 if module.padding_idx is None else module.padding_idx + 1
            if max_tokens > (most := module.num_embeddings - unused):
                message = f"`max_tokens` is {max_tokens}; it must be from 8 to {most}, the longest text of the base"
                raise Misconfigured(message)


def freeze(network: Any, layers: str) -> int:
    """Leave only some of the network's parameters trainable, by `Recipe.layers`; gives their number.

    The heads are always trained. Raises Misconfigured when `layers` is not `all`, `head` or a number of layers that
    the encoder has.
    """
    torch = import_torch()
    if layers != "all":
        encoder = network.encoder
        stacks = [module for module in encoder.modules() if isinstance(module, torch.nn.ModuleList)]
        stack = max(stacks, key=len, default=torch.nn.ModuleList())
        if layers != "head" and not (layers.isdecimal() and 1 <= int(layers) <= len(stack)):
            message = f"`layers` is {layers!r}; it must be all, head, or a number from 1 to {len(stack)}"
            raise Misconfigured(message)
        encoder.requires_grad_(False)
        if layers != "head":
            for layer in stack[len(stack) - int(layers) :]:
                layer.requires_grad_(True)
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
