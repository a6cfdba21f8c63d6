"""How often each way of deciding a post's language is wrong, and what it costs.

    python -m benchmarks.language [--posts stocknet_2015q4.jsonl.gz] [--texts stocknet_texts.txt.gz]

Five ways: what the source states alone; the stated one, or else a guess by the classifier (what Bearometer did until
November 2026); `decide_language` with what the source states, and without. What matters is between English and not:
"lost" are English posts (or posts of no language, such as lists of cashtags) that are called another language, and so
not scored; "missed" are posts in another language that are scored. Our own sentences are always measured. For the data,
benchmarks/language_labels.csv has what a reader called each text that is stated, or was ever called, another language
than English, by digest of the text; the others are taken for English.
"""

import argparse
import csv
import gzip
import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

from benchmarks.labels import digest
from ingest.language import ENGLISH_TAG, UNDETERMINED, clean_language, decide_language
from ingest.text import clean_text, find_links

CASES = Path("tests/data/language_cases.jsonl")
LABELS = Path(__file__).with_name("language_labels.csv")
SCORED = frozenset({ENGLISH_TAG, UNDETERMINED})

Decide = Callable[[str | None, str], str]


class Case(NamedTuple):
    """One text, what its source states, and what it is."""

    text: str
    stated: str | None
    language: str


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=Path, help="JSONL, perhaps gzipped, with `text` and `lang`")
    parser.add_argument("--texts", type=Path, help="one text a line, perhaps gzipped")
    arguments = parser.parse_args()
    show("our own sentences", list(read_cases(CASES)))
    labels = read_labels()
    if arguments.posts:
        rows = (json.loads(line) for line in _lines(arguments.posts))
        show(arguments.posts.name, list(_label(((row["text"], row["lang"]) for row in rows), labels)))
    if arguments.texts:
        show(arguments.texts.name, list(_label(((line, None) for line in _lines(arguments.texts)), labels)))


def show(name: str, cases: list[Case]) -> None:
    """One line for each way."""
    foreign = sum(case.language not in SCORED for case in cases)
    print(f"{name}: {len(cases):,} texts, {foreign:,} of them in another language than English")
    print(f"{'':26}{'lost':>8}{'per 1,000':>11}{'missed':>8}{'caught':>8}{'right tag':>11}{'µs a post':>11}")
    for way, decide in WAYS.items():
        decide(None, "una frase para que se lea el modelo")
        began = process_time()
        decided = [decide(case.stated, case.text) for case in cases]
        microseconds = (process_time() - began) / len(cases) * 1e6
        pairs = list(zip(cases, decided, strict=True))
        lost = sum(case.language in SCORED and language not in SCORED for case, language in pairs)
        caught = [case.language == language for case, language in pairs if {case.language, language}.isdisjoint(SCORED)]
        print(
            f"  {way:24}{lost:8,}{lost / (len(cases) - foreign) * 1_000:11.2f}{foreign - len(caught):8,}"
            f"{len(caught) / max(foreign, 1):8.1%}{sum(caught) / max(len(caught), 1):11.1%}{microseconds:11.1f}"
        )


def read_cases(path: Path) -> Iterator[Case]:
    """The sentences of a file of cases."""
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield Case(row["text"], row.get("stated"), row["language"])


def read_labels() -> dict[str, str]:
    """The reader's language of each digest."""
    with LABELS.open(encoding="utf-8", newline="") as file:
        return {row["digest"]: row["language"] for row in csv.DictReader(file)}


def without_links(text: str) -> str:
    """As ingest/normalise.py has it when it asks for the language."""
    return " ".join(find_links(clean_text(text))[0].split())


def stated_or_guessed(stated: str | None, text: str) -> str:
    """As it was."""
    return clean_language(stated) if stated else guess(text)


def guess(text: str) -> str:
    """As it was: the classifier's opinion when it is sure of it and there are 20 letters."""
    words = re.sub(r"[$@#]\w+", " ", text[:1_000])
    if sum(map(str.isalpha, words)) < 20:
        return UNDETERMINED
    language, probability = _classifier().classify(words)
    return str(language) if probability >= 0.8 else UNDETERMINED


WAYS: dict[str, Decide] = {
    "stated alone": lambda stated, _: clean_language(stated) if stated else UNDETERMINED,
    "stated, else a guess": stated_or_guessed,
    "a guess": lambda _, text: guess(text),
    "decide_language": decide_language,
    "the same, nothing stated": lambda _, text: decide_language(None, text),
}


def _label(rows: Iterable[tuple[str, str | None]], labels: dict[str, str]) -> Iterator[Case]:
    for raw, stated in rows:
        text = without_links(raw)
        yield Case(text, stated, labels.get(digest(text), ENGLISH_TAG))


def _lines(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        yield from file


@cache
def _classifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 # as in ingest/language.py

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


if __name__ == "__main__":
    main()
