"""How many posts the spam rules mark, how many of those are spam by the judgements in spam_labels.csv, and the speed.

    python -m benchmarks.spam --timed stocknet_2015q4.jsonl.gz --texts stocknet_texts.txt.gz [--seed F] [--show]
        [--news tfns_train.csv …] [--day WMT 2015-10-14]

Every timed post gets its placement as the stories would give it, by exact fingerprint. Of what each rule marks in both
files, at most 50 distinct texts are drawn by the seed; and 200 of the timed ones that no rule marks. Those that have a
judgement count: the intervals are Wilson's, at 95%. `--show` prints the drawn posts that have none, to be read and
judged: a judgement is a line `digest,verdict` in spam_labels.csv, with verdict `spam` or `no`; what is spam is defined
in docs/spam.md.
`--news` counts what is marked in files of news, CSV with a column `text` (nearly all of it would be wrong); `--show`
prints it. `--day WMT 2015-10-14` counts what is marked of one symbol's posts on a day, by hour.
"""

import argparse
import csv
import gzip
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import process_time

from bearometer.errors import Rejected
from bearometer.post import Post
from bearometer.settings import IngestSettings
from bearometer.spam_settings import SpamSettings
from bearometer.story import Placement, story_id
from benchmarks.labels import digest
from ingest.normalise import normalise
from ingest.rows import FIELDS, parse_row
from ingest.source import RawPost
from model.compare import wilson
from stream.spam import CODES, find_spam

LABELS = Path(__file__).with_name("spam_labels.csv")
NOW = datetime(2016, 6, 1, tzinfo=UTC)
PER_RULE, UNMARKED = 50, 200
REDRAWN = {"many-symbols": "E"}
"""This rule was changed after draw D had been read, so it is judged by another one."""

Placed = tuple[Post, Placement | None]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timed", type=Path, required=True, help="JSONL.gz of timed posts")
    parser.add_argument("--texts", type=Path, help="one text a line, gzipped")
    parser.add_argument("--seed", help="for a new draw; the judged one when missing")
    parser.add_argument("--show", action="store_true", help="print the drawn posts that have no judgement yet")
    parser.add_argument("--news", type=Path, nargs="*", default=[], help="CSV files with a column `text`")
    parser.add_argument("--day", nargs=2, action="append", default=[], metavar=("SYMBOL", "DATE"))
    arguments = parser.parse_args()
    timed = list(place(sorted(read_timed(arguments.timed), key=lambda post: post.published_at)))
    texts: list[Placed] = [(post, None) for post in read_texts(arguments.texts)] if arguments.texts else []
    settings = SpamSettings()
    for path in arguments.news:
        _print_news(path, settings, show=arguments.show)
    for symbol, date in arguments.day:
        _print_day(symbol, date, timed, settings)
    labels = dict(csv.reader(LABELS.open(encoding="utf-8"))) if LABELS.is_file() else {}
    marked: dict[str, dict[str, str]] = defaultdict(dict)
    counts: Counter[tuple[str, bool]] = Counter()
    unmarked = []
    for is_timed, posts in ((True, timed), (False, texts)):
        for post, placement in posts:
            reasons = find_spam(post, placement, settings)
            counts["any rule", is_timed] += bool(reasons)
            for reason in reasons:
                code = reason.split(":")[0]
                counts[code, is_timed] += 1
                marked[code][digest(post.text)] = f"{reason} | {post.text}"
            if not reasons and is_timed:
                unmarked.append(post)
    print(
        f"{len(timed):,} timed posts and {len(texts):,} texts; best of 5 rounds: {speed(timed, settings):.1f} µs a post"
    )
    print(f"{'rule':14}{'timed':>7}{'texts':>7}  judged to be spam")
    for code in (*CODES, "any rule"):
        drawn = draw(marked[code], arguments.seed or REDRAWN.get(code, "D"))
        shown = f"{code:14}{counts[code, True]:7,}{counts[code, False]:7,}"
        print(f"{shown}  {judged(drawn[:PER_RULE], labels)}" if code in CODES else shown)
        if arguments.show:
            _show(drawn[:PER_RULE], marked[code], labels)
    texts_left = {digest(post.text): post.text for post in unmarked}
    left = draw(texts_left, arguments.seed or "D")[:UNMARKED]
    print(f"{'no rule':14}{len(unmarked):7,}{'':7}  {judged(left, labels)}")
    if arguments.show:
        _show(left, texts_left, labels)


def read_news(path: Path) -> Iterator[str]:
    """The column `text`."""
    with path.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            yield row["text"]


def read_timed(path: Path) -> Iterator[Post]:
    """Posts of a JSONL file, as ingest makes them; what it would reject is left out."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            try:
                raw = parse_row(json.loads(line), {name: name for name in FIELDS}, "")
                yield normalise(raw, "stocknet", IngestSettings(), NOW)
            except Rejected:
                continue


def read_texts(path: Path) -> Iterator[Post]:
    """The same of a file with one text a line."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from as_posts(lines)


def as_posts(texts: Iterable[str]) -> Iterator[Post]:
    """Texts as ingest makes posts of them; what it would reject is left out."""
    for number, text in enumerate(texts):
        raw = RawPost(text=text, published_at=NOW, position="", native_id=str(number), language="en")
        try:
            # Links and words decide here, not companies: finding their names takes most of the time.
            yield normalise(raw, "texts", IngestSettings(link_names=False), NOW)
        except Rejected:
            continue


def place(posts: Iterable[Post]) -> Iterator[Placed]:
    """Each post with its placement, stories being told apart by fingerprint alone."""
    first: dict[str, str] = {}
    authors: dict[str, set[str]] = defaultdict(set)
    hours: Counter[tuple[str, str, str]] = Counter()
    for post in posts:
        key = post.fingerprint
        is_first = first.setdefault(key, post.id) == post.id
        in_hour = 0
        if post.author:
            authors[key].add(post.author)
            hour = post.source, post.author, f"{post.published_at:%Y-%m-%dT%H}"
            hours[hour] += 1
            in_hour = hours[hour]
        yield post, Placement(story_id(first[key]), is_first, len(authors[key]), in_hour)


def draw(digests: Iterable[str], seed: str) -> list[str]:
    """All of them in an order by lot, in which a change of the rules moves none but those that it concerns."""
    return sorted(digests, key=lambda key: hashlib.blake2b(f"{seed} {key}".encode()).digest())


def judged(digests: Iterable[str], labels: dict[str, str]) -> str:
    """How many of the judged are spam, and between what shares the truth lies."""
    verdicts = [labels[digest] for digest in digests if digest in labels]
    if not verdicts:
        return "none judged"
    spam, of = verdicts.count("spam"), len(verdicts)
    share = wilson(spam, of)
    return f"{spam} of {of}: {share.value:.0%} ({share.low:.0%} to {share.high:.0%})"


def speed(posts: list[Placed], settings: SpamSettings, rounds: int = 5) -> float:
    """Microseconds of processor time for one post, in the best round."""
    best = float("inf")
    for _ in range(rounds):
        began = process_time()
        for post, placement in posts:
            find_spam(post, placement, settings)
        best = min(best, process_time() - began)
    return best / len(posts) * 1e6


def _show(digests: Iterable[str], texts: dict[str, str], labels: dict[str, str]) -> None:
    for key in digests:
        if key not in labels:
            print(f"  {key} {texts[key]}")


def _print_news(path: Path, settings: SpamSettings, *, show: bool) -> None:
    posts = list(as_posts(read_news(path)))
    marked = [(post, reasons) for post in posts if (reasons := find_spam(post, None, settings))]
    print(f"{path.name}: {len(marked)} of {len(posts):,} marked")
    for post, reasons in marked if show else []:
        print(f"  {'; '.join(reasons)} | {post.text}")


def _print_day(symbol: str, date: str, timed: list[Placed], settings: SpamSettings) -> None:
    hours: Counter[str] = Counter()
    why: Counter[str] = Counter()
    spam: Counter[str] = Counter()
    for post, placement in timed:
        if symbol in post.symbols and f"{post.published_at:%Y-%m-%d}" == date:
            reasons = find_spam(post, placement, settings)
            hour = f"{post.published_at:%H}"
            hours[hour] += 1
            spam[hour] += bool(reasons)
            why.update(reason.split(":")[0] for reason in reasons)
    print(f"{symbol} {date}: {spam.total()} of {hours.total()} posts marked ({dict(why)})")
    print("  marked of all by hour: " + ", ".join(f"{hour} h {spam[hour]}/{hours[hour]}" for hour in sorted(hours)))


if __name__ == "__main__":
    main()
