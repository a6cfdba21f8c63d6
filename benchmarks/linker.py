"""Posts per second of the linker alone, of cashtags alone, and of normalising with and without names; on one core.

    python -m benchmarks.linker [--posts 20000] [--data stocknet_texts.txt.gz] [--rounds 5]

All read the same posts, links taken out as ingest does before it links, and take turns, round by round; the best round
is shown, in processor time, so that a busy machine weighs little. Without --data the posts are our own: one in three
names a company. Reading the names once is shown apart.
"""

import argparse
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import process_time

from bearometer.gazetteer.read import read_gazetteer
from bearometer.linker import Linker, open_linker
from bearometer.linking import find_cashtags
from bearometer.settings import IngestSettings
from ingest.normalise import normalise
from ingest.source import RawPost
from ingest.text import clean_text, find_links
from model.dataset import read_examples

VOCABULARY = (
    "shares stock plunge jumps after before the a of report earnings outlook cuts raises dividend probe order record "
    "analysts price target today says board market call put volume up down 5% $12.50 guidance quarter sales profit loss"
)
NAMED = "Walmart Apple $AAPL TSLA Wal-Mart's Boeing JPMorgan apple gap Target iPhone Facebook AT&T Nestlé $QMRK"
NOW = datetime(2026, 3, 18, tzinfo=UTC)

Work = Callable[[str], object]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=20_000)
    parser.add_argument("--data", type=Path, help="texts to read instead of our own: CSV, JSONL, or one a line (.txt)")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    raw = _read(arguments.data, arguments.posts) if arguments.data else make_texts(arguments.posts)
    began = process_time()
    Linker(read_gazetteer())
    print(f"the names are read in {process_time() - began:.2f} s")
    linked = [" ".join(find_links(clean_text(text))[0].split()) for text in raw]
    works: dict[str, tuple[list[str], Work]] = {
        "linker: cashtags, tickers and names": (linked, open_linker().find),
        "cashtags alone": (linked, lambda text: list(find_cashtags(text))),
        "normalise with names": (raw, _normaliser(link_names=True)),
        "normalise with cashtags alone": (raw, _normaliser(link_names=False)),
    }
    best = dict.fromkeys(works, float("inf"))
    for _ in range(arguments.rounds):
        for name, (texts, work) in works.items():
            best[name] = min(best[name], _seconds(texts, work))
    named = sum(bool(open_linker().find(text)) for text in linked)
    print(f"{len(raw):,} posts, {named:,} of which name a company; one core, best of {arguments.rounds} rounds")
    for name, seconds in best.items():
        print(f"{name:38} {len(raw) / seconds:10,.0f} posts/s  {seconds / len(raw) * 1e6:6.1f} µs a post")


def make_texts(count: int, seed: int = 5) -> list[str]:
    """Texts of 5 to 30 words in a fixed random order."""
    chooser = random.Random(seed)
    words, named = VOCABULARY.split(), NAMED.split()
    texts = []
    for _ in range(count):
        text = chooser.choices(words, k=min(30, max(5, round(chooser.gauss(16, 6)))))
        if chooser.random() < 1 / 3:
            text[chooser.randrange(len(text))] = chooser.choice(named)
        texts.append(" ".join(text))
    return texts


def _read(path: Path, count: int) -> list[str]:
    texts = [example.text for example in read_examples(path, "texts")]
    texts = [text for text in texts if find_links(clean_text(text))[0].strip()]  # what ingest would not reject
    random.Random(5).shuffle(texts)
    return [texts[number % len(texts)] for number in range(count)]


def _normaliser(*, link_names: bool) -> Work:
    settings = IngestSettings(link_names=link_names)

    def work(text: str) -> object:
        return normalise(RawPost(text=text, published_at=NOW, position="", language="en"), "x", settings, NOW)

    return work


def _seconds(texts: list[str], work: Work) -> float:
    began = process_time()
    for text in texts:
        work(text)
    return process_time() - began


if __name__ == "__main__":
    main()
