"""What a classifier costs: seconds to load, rows a second, and memory, measured in a process of its own."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from bearometer.clock import SystemClock
from bearometer.errors import Failed
from bearometer.settings import ModelSettings
from model.baselines import open_baseline
from model.classifier import Classifier, Passage
from model.dataset import Example
from model.load import load_classifier

__all__ = ["Contender", "Cost", "measure_cost"]

BATCH = 256
MAX_ROWS = 2_000
MAX_SECONDS = 20.0
"""A slow model is measured on as many batches as fit in here."""
TIMEOUT_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Contender:
    """A model that can be opened here or in another process: a folder of weights, or a public tool."""

    settings: ModelSettings
    baseline: str | None = None
    """`vader`, `hf:FOLDER`, …; None for the model of the settings."""

    def open(self) -> Classifier:
        """Load it; may take seconds. Raises Misconfigured or MissingExtra as `load_classifier`, `open_baseline` do."""
        return open_baseline(self.baseline) if self.baseline else load_classifier(self.settings)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one contender took."""

    load_seconds: float
    rows: int
    rows_per_second: float
    """Tokenising and judging, after a first batch that is not counted."""
    peak_megabytes: float
    """The most memory that its process held, the Python program itself included."""

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary for JSON."""
        return asdict(self)


def measure_cost(contender: Contender, examples: Sequence[Example]) -> Cost:
    """Load the contender in a fresh process and let it judge up to 2,000 rows, or for 20 s; blocks meanwhile.

    Raises Failed when the process does not answer.
    """
    request = {
        "settings": contender.settings.model_dump(mode="json"),
        "baseline": contender.baseline,
        "passages": [[example.text, [name for name, _ in example.mentions]] for example in examples[:MAX_ROWS]],
    }
    try:
        child = subprocess.run(
            [
                sys.executable,
                "-P",
                "-m",
                "model.cost",
            ],  # -P: whatever `model` lies in the working directory is not ours
            input=orjson.dumps(request),
            capture_output=True,
            check=True,
            timeout=TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        message = f"measuring the cost of a model took more than {TIMEOUT_SECONDS} s"
        raise Failed(message) from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {error.returncode}"]
        message = f"measuring the cost of a model failed: {lines[-1]}"
        raise Failed(message) from None
    return Cost(**orjson.loads(child.stdout))


def _measure(contender: Contender, passages: Sequence[Passage]) -> Cost:
    now = SystemClock().monotonic
    started = now()
    classifier = contender.open()
    loaded = now() - started
    classifier.classify(classifier.prepare(passages[:BATCH]))  # the first batch also warms caches
    started, rows = now(), 0
    while rows < len(passages) and now() - started < MAX_SECONDS:
        batch = passages[rows : rows + BATCH]
        classifier.classify(classifier.prepare(batch))
        rows += len(batch)
    return Cost(loaded, rows, rows / (now() - started), _peak_megabytes())


def _peak_megabytes() -> float:
    """The highest resident memory of this process.

    Linux's own figure first: `ru_maxrss` of a fresh process begins with what its parent held.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    import resource  # noqa: PLC0415 - not on every system

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def _answer() -> None:
    request = orjson.loads(sys.stdin.buffer.read())
    contender = Contender(ModelSettings.model_validate(request["settings"]), request["baseline"])
    passages = [Passage(text, tuple(entities)) for text, entities in request["passages"]]
    sys.stdout.buffer.write(orjson.dumps(_measure(contender, passages).to_dict()))


if __name__ == "__main__":
    _answer()
