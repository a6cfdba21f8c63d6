"""From a training run to the files that ONNX Runtime needs."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from bearometer.errors import Misconfigured
from bearometer.mention import LABELS
from model.extras import import_extra
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
from model.quantise import quantise
from model.trace import trace

__all__ = ["export", "put_in_place", "staging", "write_export"]


def export(source: Path, output: Path, with_fp32: bool = True) -> ModelFolder:
    """Write int8 (and fp32) ONNX, tokenizer, configuration and description of a run folder to `output`, unchecked.

    Takes about half a minute for a small encoder. Raises what `write_export` and `staging` do.
    """
    with staging(output) as folder:
        write_export(source, folder, output, with_fp32)
        return put_in_place(folder, output)


@contextmanager
def staging(output: Path) -> Iterator[Path]:
    """An empty folder inside `output`, which is made: what fails in it leaves the files of `output` as they were.

    It is removed in the end. Raises Misconfigured when `output` cannot be written to.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=output, prefix=".export-")
    except OSError as error:
        message = f"nothing can be written to {output}: {error.strerror}"
        raise Misconfigured(message) from None
    with folder as path:
        yield Path(path)


def write_export(source: Path, folder: Path, output: Path, with_fp32: bool = True) -> ModelFolder:
    """Write to the empty `folder` what is to replace the files of `output`, which may be the source itself.

    The temperatures are the source's; where it has none, those that `output` was given for the same weights. Raises
    Misconfigured when the source cannot be used, MissingExtra without torch, transformers, onnx, onnxscript.
    """
    origin = ModelFolder.open(source)
    origin.require(TORCH_FILE, "export needs what `bearometer train` made")
    onnx = import_extra("onnx")
    import_extra("onnxscript")

    model = trace(origin)
    onnx.save(quantise(model), folder / INT8_FILE)
    written = [INT8_FILE]
    if with_fp32:
        onnx.save(model, folder / FP32_FILE)
        written.append(FP32_FILE)
    for name in (TOKENIZER_FILE, CONFIG_FILE):
        shutil.copyfile(source / name, folder / name)
    card = _read_card(source)
    files = {name: digest_of(folder / name) for name in written}
    if output.resolve() == source.resolve():
        files = {**{name: digest for name, digest in origin.digests.items() if name != FP32_FILE}, **files}
    exported_from = digest_of(source / TORCH_FILE)
    before = _read_card(output)
    if "temperatures" not in card and before.get("exported_from") == exported_from:
        card |= {key: before[key] for key in ("temperatures", "exponents", "calibration") if key in before}
    card |= {"name": origin.name, "labels": LABELS, "max_tokens": origin.max_tokens, "files": files}
    card["exported_from"] = exported_from
    (folder / CARD_FILE).write_bytes(orjson.dumps(card, option=orjson.OPT_INDENT_2))
    return ModelFolder.open(folder)


def put_in_place(folder: Path, output: Path) -> ModelFolder:
    """Move an export over the files of `output`, the description last; weights that it does not have are removed.

    Each file is replaced in one step. Who opens the folder between two of them is told that the weights were replaced.
    """
    for file in sorted(folder.iterdir(), key=lambda file: file.name == CARD_FILE):
        os.replace(file, output / file.name)
    if FP32_FILE not in ModelFolder.open(output).digests:
        (output / FP32_FILE).unlink(missing_ok=True)
    return ModelFolder.open(output)


def _read_card(folder: Path) -> dict[str, Any]:
    """What the folder says of itself; nothing where it says nothing that can be read."""
    try:
        card = orjson.loads((folder / CARD_FILE).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return card if isinstance(card, dict) else {}
