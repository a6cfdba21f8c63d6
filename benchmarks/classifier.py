"""Posts per second of the shipped int8 weights, beside float32 on the same texts in the same run.

    python benchmarks/classifier.py [--run runs/minilm-l6] [--threads 2] [--rounds 5]

With `--run` (a folder that `bearometer train` made) float32 is measured on ONNX Runtime and on torch too. The
variants take turns, round by round, so that a busy machine slows all of them; the median of the rounds is shown,
tokenising included. Texts are our own, with about the lengths of real posts.
"""

import argparse
import random
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bearometer.clock import SystemClock
from model.classifier import Classifier, Passage
from model.folder import INT8_FILE, ModelFolder
from model.load import SHIPPED_WEIGHTS
from model.onnx import OnnxClassifier

VOCABULARY = (
    "shares stock plunge jumps after before the a of report earnings outlook cuts raises dividend probe "
    "order record analysts price target Quillmark Tern Ostrava $QMRK $TERN $OSTR today says board market "
    "call put volume up down 5% $12.50 guidance quarter sales profit loss "
)


def make_texts(count: int, seed: int = 5) -> list[str]:
    """Texts of 5 to 45 words in a fixed random order."""
    chooser = random.Random(seed)
    words = VOCABULARY.split()
    lengths = (min(45, max(5, round(chooser.gauss(16, 6)))) for _ in range(count))
    return [" ".join(chooser.choices(words, k=length)) for length in lengths]


def classifiers(run: Path | None, threads: int, stack: ExitStack) -> Iterator[tuple[str, Classifier]]:
    """What is measured, the shipped weights first."""
    yield "ONNX Runtime int8 (shipped)", OnnxClassifier(ModelFolder.open(SHIPPED_WEIGHTS), threads)
    if run is not None:
        from model.export import export  # noqa: PLC0415 - needs torch
        from model.torch import TorchClassifier  # noqa: PLC0415

        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        export(run, folder)
        (folder / INT8_FILE).unlink()
        yield "ONNX Runtime float32", OnnxClassifier(ModelFolder.open(folder), threads)
        yield "torch float32", TorchClassifier(ModelFolder.open(run), threads=threads)


def seconds_for(classifier: Classifier, passages: list[Passage], batch: int, clock: SystemClock) -> float:
    """Wall time to judge all passages, batch by batch."""
    started = clock.monotonic()
    for start in range(0, len(passages), batch):
        classifier.classify(classifier.prepare(passages[start : start + batch]))
    return clock.monotonic() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="run folder, for the float32 variants")
    parser.add_argument("--threads", type=int, default=0, help="0: as many as there are cores")
    parser.add_argument("--texts", type=int, default=1024)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    passages = [Passage(text) for text in make_texts(options.texts)]
    clock = SystemClock()
    with ExitStack() as stack:
        measured = dict(classifiers(options.run, options.threads, stack))
        seconds: dict[str, list[float]] = {name: [] for name in measured}
        for classifier in measured.values():
            seconds_for(classifier, passages[: options.batch], options.batch, clock)  # warm-up
        for _ in range(options.rounds):
            for name, classifier in measured.items():
                seconds[name].append(seconds_for(classifier, passages, options.batch, clock))
    rates = {name: len(passages) / statistics.median(times) for name, times in seconds.items()}
    shipped = next(iter(rates.values()))
    for name, rate in rates.items():
        print(f"{name:30} {rate:7.0f} posts/s   int8 is {shipped / rate:4.2f} times as fast")


if __name__ == "__main__":
    main()
