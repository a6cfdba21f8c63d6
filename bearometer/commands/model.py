"""Commands about the classifier: train, evaluate, export, score."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from bearometer.commands.model_progress import bytes_progress, rows_progress, training_progress
from bearometer.errors import Failed, Misconfigured

if TYPE_CHECKING:
    from bearometer.settings import ModelSettings
    from model.dataset import Example

__all__ = ["register"]


class Device(StrEnum):
    """Where the classifier runs."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Split(StrEnum):
    """Which rows of a labelled file are used."""

    ALL = "all"
    DEVELOPMENT = "development"


ModelOption = Annotated[
    Path | None, typer.Option("--model", help="Folder of weights; default: `model.path`, or the shipped weights.")
]
DeviceOption = Annotated[
    Device | None, typer.Option(help="auto: the GPU if torch finds one and the folder has torch's weights; else CPU.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("train")(train)
    app.command("evaluate")(evaluate)
    app.command("export")(export)
    app.command("score")(score)


def train(
    *,
    base: Annotated[
        str, typer.Option(help="Pretrained encoder: a folder, or a name on the Hugging Face Hub. Safetensors only.")
    ],
    data: Annotated[Path, typer.Option(help="Labelled texts: CSV `text,label` or JSONL with the same names.")],
    output: Annotated[Path, typer.Option(help="Run folder to make: weights, tokenizer, configuration, metrics.")],
    development: Annotated[
        Path | None,
        typer.Option(
            help="Labelled texts to measure on; default: the rows of --data whose SHA-256 starts with 0 or 1."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name in the model's version; default: the output folder's.")] = None,
    layers: Annotated[str, typer.Option(help="What is trained: all, head, or a number of last layers.")] = "all",
    epochs: Annotated[int, typer.Option(min=1)] = 4,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    accumulate: Annotated[int, typer.Option(min=1, help="Batches that make one step, for small memories.")] = 1,
    learning_rate: Annotated[float, typer.Option(min=0)] = 1e-4,
    warmup_share: Annotated[float, typer.Option(min=0, max=1, help="Share of the steps that warm up.")] = 0.06,
    weight_decay: Annotated[float, typer.Option(min=0)] = 0.01,
    label_smoothing: Annotated[float, typer.Option(min=0, max=0.99)] = 0.05,
    max_tokens: Annotated[int, typer.Option(min=16, max=512)] = 128,
    patience: Annotated[int, typer.Option(min=1, help="Epochs without a better macro F1 before it stops.")] = 2,
    seed: Annotated[int, typer.Option()] = 7,
) -> None:
    """Fine-tune a pretrained encoder into a sentiment classifier.

    Labels are negative, neutral, positive, or 0 (negative), 1 (positive), 2 (neutral). The development rows are never
    trained on: they choose the best epoch, stop early, and give the table of before and after. Uses a GPU if there is
    one. Example:

    bearometer train --base all-MiniLM-L6-v2/ --data tfns_train.csv --output runs/minilm-l6
    """
    from rich.console import Console

    from model.dataset import read_examples, split_examples
    from model.finetune import Trainer, find_base, save_run
    from model.folder import digest_of
    from model.metrics import comparison_table
    from model.recipe import Recipe

    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        message = f"--output {output} is there already; name a new folder, or remove it"
        raise Misconfigured(message)
    recipe = Recipe(
        epochs=epochs,
        batch_size=batch_size,
        accumulate=accumulate,
        learning_rate=learning_rate,
        warmup_share=warmup_share,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        max_tokens=max_tokens,
        layers=layers,
        patience=patience,
        seed=seed,
    )
    training_rows, development_rows = split_examples(read_examples(data))
    if development is not None:
        training_rows, development_rows = training_rows + development_rows, read_examples(development)
    console = Console()
    console.print(f"{len(training_rows):,} rows to train on, {len(development_rows):,} to measure on")
    trainer = Trainer(find_base(base), recipe)
    with training_progress() as observer:
        run = trainer.run(training_rows, development_rows, observer)
    origin = {
        "base": Path(base).name if Path(base).is_dir() else base,
        "data": {data.name: digest_of(data)},
        "development_rows": len(development_rows),
        "training_rows": len(training_rows),
    }
    save_run(run, output, name or output.resolve().name, recipe, origin)
    console.print(f"{run.trained_parameters:,} of {run.all_parameters:,} parameters trained")
    console.print(comparison_table("development rows", {"before": run.before, "after": run.after}))
    console.print(f"the best epoch's weights are in {output}", soft_wrap=True)


def evaluate(
    *,
    data: Annotated[Path, typer.Option(help="Labelled texts: CSV `text,label` or JSONL with the same names.")],
    model: ModelOption = None,
    device: DeviceOption = None,
    split: Annotated[
        Split, typer.Option(help="development: only the rows that `train` keeps apart (SHA-256 starts with 0 or 1).")
    ] = Split.ALL,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Measure a model: accuracy, macro and weighted F1, each label, and the confusion matrix.

    Example, on the rows that training left out: bearometer evaluate --data tfns_train.csv --split development
    """
    import orjson
    from rich.console import Console

    from model.evaluate import evaluate as run_evaluation
    from model.load import load_classifier
    from model.metrics import comparison_table, confusion_table

    examples = _read_split(data, split)
    classifier = load_classifier(_model_settings(model, device))
    with rows_progress("evaluating", len(examples)) as on_rows:
        evaluation = run_evaluation(classifier, examples, on_rows)
    if as_json:
        typer.echo(orjson.dumps(evaluation.to_dict(), option=orjson.OPT_INDENT_2).decode())
        return
    console = Console()
    title = f"{evaluation.metrics.rows:,} rows of {data.name} ({split})"
    console.print(comparison_table(title, {evaluation.model: evaluation.metrics}))
    console.print(confusion_table(evaluation.metrics))
    if evaluation.unanswered:
        console.print(f"{evaluation.unanswered} rows had no usable answer and count as neutral")


def export(
    *,
    run: Annotated[Path, typer.Argument(help="Run folder that `bearometer train` made.")],
    output: Annotated[Path, typer.Option(help="Folder to write to; it is made, files of the same names are replaced.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Labelled file whose development rows check the export; default: a few built-in sentences."),
    ] = None,
    fp32: Annotated[bool, typer.Option("--fp32/--no-fp32", help="Write the float32 weights beside int8.")] = True,
    max_difference: Annotated[
        float, typer.Option(min=0, max=1, help="Fail when the probabilities differ by more than this on average.")
    ] = 0.02,
) -> None:
    """Write a trained model as ONNX, int8 and float32, and check int8 against torch.

    The folder then runs without torch: `--model`, or `model.path` in the settings. Example:

    bearometer export runs/minilm-l6 --output weights/ --data tfns_train.csv
    """
    from rich.console import Console

    from model.export import PROBES, compare_export
    from model.export import export as run_export
    from model.metrics import comparison_table

    examples = _read_split(data, Split.DEVELOPMENT) if data else list(PROBES)
    run_export(run, output, fp32)
    with rows_progress("checking", 2 * len(examples)) as on_rows:
        difference = compare_export(run, output, examples, on_rows)
    console = Console()
    original, exported = difference.original, difference.exported
    columns = {original.model: original.metrics, exported.model: exported.metrics}
    console.print(comparison_table(f"{len(examples):,} rows", columns))
    console.print(
        f"difference of a probability: mean {difference.mean:.4f}, largest {difference.largest:.4f}; "
        f"{difference.changed_labels} of {len(examples):,} labels changed; weighted F1 "
        f"{100 * (exported.metrics.weighted_f1 - original.metrics.weighted_f1):+.2f} points",
        soft_wrap=True,
    )
    for file in sorted(output.iterdir()):
        console.print(f"{file.stat().st_size / 1e6:8.2f} MB  {file.name}", soft_wrap=True)
    if difference.mean > max_difference:
        message = f"int8 differs from torch by {difference.mean:.4f} on average; --max-difference is {max_difference}"
        raise Failed(message)


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

    A line in: {"id": "1", "text": "Tern Aviation cuts 900 jobs", "entities": ["TERN"]}; `entities` may be missing.

    A line out: {"id", "sentiment": {"negative", "neutral", "positive"}, "topic": {…} or null, "entities": {name:
    {"negative", "neutral", "positive"}}, "model": version}. Until the model tells entities apart, each gets the
    text's sentiment.

    A line that cannot be read, or whose text holds nothing to judge, gives no line out but one on standard error with
    its number; the rest goes on, and the exit code is 1 in the end. Example:

    echo '{"id": 1, "text": "Tern Aviation cuts 900 jobs"}' | bearometer score
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
    classifier = load_classifier(_model_settings(model, device))
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


def _model_settings(path: Path | None, device: Device | None) -> ModelSettings:
    from bearometer.settings import load_settings

    settings = load_settings().model
    changes: dict[str, object] = {}
    if path is not None:
        changes["path"] = path
    if device is not None:
        changes["device"] = device.value
    return settings.model_copy(update=changes)


def _read_split(path: Path, split: Split) -> list[Example]:
    from model.dataset import read_examples, split_examples

    examples = read_examples(path)
    if split is Split.DEVELOPMENT:
        examples = split_examples(examples)[1]
        if not examples:
            message = f"{path} has no rows of the development split; use --split all"
            raise Failed(message)
    return examples


def _writable(path: Path) -> IO[bytes]:
    try:
        return path.open("wb")
    except OSError as error:
        message = f"--output {path} cannot be written: {error.strerror}"
        raise Misconfigured(message) from None
