"""`bearometer score`: judge texts, JSON lines in and out."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Annotated

import typer

from bearometer.commands.model_options import DeviceOption, ModelOption, model_settings
from bearometer.commands.model_progress import bytes_progress
from bearometer.errors import Failed, Misconfigured

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("score")(score)


def score(
    *,
    input_path: Annotated[
        Path | None, typer.Option("--input", help="JSONL to read; default: standard input.", show_default=False)
    ] = None,
    output_path: Annotated[
        Path | None, typer.Option("--output", help="JSONL to write; default: standard output.", show_default=False)
    ] = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    batch_size: Annotated[int, typer.Option(min=1, max=65_536, help="Texts read, sorted and judged at a time.")] = 512,
) -> None:
    """Judge texts: JSONL in, JSONL out, in order.

    A line in: {"id": "1", "text": "Tern soars while Ostrava sinks", "entities": ["Tern", "Ostrava"]}; `entities` may be
    missing. An entity is a symbol (`TERN`, `$TERN`) or a name.

    A line out: {"id", "sentiment": {"negative", "neutral", "positive"}, "topic": {topic: probability} or null when the
    model knows no topics, "entities": {name: {"negative", "neutral", "positive"}}, "model": version}.

    Each entity has a sentiment of its own. One that the text does not name gets the text's, and is listed in
    "not_in_text", which is there only then.

    A line that cannot be read, or whose text holds nothing to judge, gives no line out but one on standard error with
    its number; the rest goes on, and the exit code is 1 in the end. Example:

    echo '{"id": 1, "text": "Tern Aviation cuts 900 jobs", "entities": ["Tern Aviation"]}' | bearometer score
    """
    from bearometer.terminal import plain
    from model.load import load_classifier
    from model.score import score_lines

    if input_path is not None and not input_path.is_file():
        message = f"--input {input_path} does not exist"
        raise Misconfigured(message)
    if input_path and output_path and output_path.exists() and output_path.samefile(input_path):
        message = f"--output {output_path} is the input"
        raise Misconfigured(message)
    classifier = load_classifier(model_settings(model, device))
    bad = good = 0
    with ExitStack() as stack:
        source: IO[bytes] = stack.enter_context(input_path.open("rb")) if input_path else sys.stdin.buffer
        target: IO[bytes] = stack.enter_context(_writable(output_path)) if output_path else sys.stdout.buffer
        on_bytes, complain = stack.enter_context(bytes_progress(input_path))
        for answers, problems, size in score_lines(source, classifier, batch_size):
            target.writelines(answers)
            target.flush()
            good += len(answers)
            bad += len(problems)
            for problem in problems:
                complain(plain(problem))
            on_bytes(size)
    if bad:
        message = f"{bad:,} of {bad + good:,} lines were left out"
        raise Failed(message)


def _writable(path: Path) -> IO[bytes]:
    try:
        return path.open("wb")
    except OSError as error:
        message = f"--output {path} cannot be written: {error.strerror}"
        raise Misconfigured(message) from None
