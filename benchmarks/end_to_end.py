"""How much of the bare classifier's speed is left end to end: `python -m benchmarks.end_to_end FILE`.

In one run, on the same rows: (1) the classifier alone, in one process, on every distinct text in batches as the
stream takes them; (2) `bearometer replay FILE --embedded --speed max` with one stream worker, from its first row to
its last alert, with the broker, both stores and the detector on the same machine. Rows are posts, repeats included;
end to end a repeat costs no inference.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson

from bearometer.clock import SystemClock
from bearometer.post import Post
from bearometer.settings import Settings, load_settings
from ingest.normalise import normalise_all
from ingest.replay import ReplaySource
from model.classifier import Passage
from model.load import load_classifier


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("file", type=Path)
    file: Path = options.parse_args().file
    settings = load_settings()
    passages = read_distinct(file, settings)
    bare = time_classifier(passages, settings)
    summary = replay(file)
    rows, seconds = summary["stored"], summary["seconds"]
    print(f"bare classifier   {len(passages):>7,} distinct texts  {bare:>7.1f} s  {len(passages) / bare:>6.0f} texts/s")
    print(f"end to end        {rows:>7,} posts           {seconds:>7.1f} s  {rows / seconds:>6.0f} posts/s")
    print(f"end to end takes {seconds / bare:.2f} times as long as classifying each distinct text once")


def read_distinct(file: Path, settings: Settings) -> list[Passage]:
    """The texts that the stream has to classify: one per fingerprint and symbols."""
    clock = SystemClock()
    found: dict[tuple[str, tuple[str, ...]], Passage] = {}
    for post in normalise_all(ReplaySource(file, settings.ingest, clock), settings.ingest, clock):
        if isinstance(post, Post):
            found.setdefault((post.fingerprint, post.symbols), Passage(post.text, post.symbols))
    return list(found.values())


def time_classifier(passages: list[Passage], settings: Settings) -> float:
    """Seconds for all passages in batches of the stream's size, tokenising included; the model is loaded before."""
    classifier = load_classifier(settings.model)
    size = settings.stream.batch_size
    classifier.classify(classifier.prepare(passages[:size]))
    started = time.perf_counter()
    for first in range(0, len(passages), size):
        classifier.classify(classifier.prepare(passages[first : first + size]))
    return time.perf_counter() - started


def replay(file: Path) -> dict[str, float]:
    """The summary of a replay on servers of its own."""
    with tempfile.TemporaryDirectory() as folder:
        summary = Path(folder) / "summary.json"
        command = [sys.executable, "-m", "bearometer", "replay", str(file), "--embedded", "--summary", str(summary)]
        subprocess.run(command, check=True, env=os.environ, stdout=subprocess.DEVNULL)
        loaded: dict[str, float] = orjson.loads(summary.read_bytes())
        return loaded


if __name__ == "__main__":
    main()
