"""How many stories real posts tell, what finding them costs, and how often it is right, by pairs that were read.

    python -m benchmarks.sameness stocknet_2015q4.jsonl.gz stocknet_texts.txt.gz [--show joined]

Posts are normalised as ingest does, and each is placed in memory by the leader rule: it joins a story when it is the
same as the story's first post, within 24 hours of it. Every first post that shares a band is compared; the stores
compare 50 at most, of the eight newest of each band, so of a flood they may join fewer. Texts that lie one a line
(.txt) have no time: all are one day, and their symbols are their cashtags. Of what was decided a fixed sample is set
beside judgements in benchmarks/sameness_pairs.csv, which has digests in place of texts:

- joined: near-repeats, with another fingerprint than the story's first post;
- blocked: alike enough, but kept apart by a guard (figures, names, symbols, opposite or other words);
- below: not alike enough, resemblance 0.3 or more; the nearest candidate of a story's first post.

A judgement is `same` (the same news or claim, retold), `different`, or `template`: one advertisement or table of a
robot with other names in it, which one may see either way.

`--part tune` draws from the first half of the posts, on which the parameters were set; `final` from the second.
`--show STRATUM` prints the sample's pairs instead.
"""

import argparse
import csv
import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import process_time

from bearometer.clock import SystemClock
from bearometer.errors import Rejected
from bearometer.linking import find_cashtags
from bearometer.post import Post
from bearometer.settings import IngestSettings
from bearometer.sketch import Comparison, Sketch, is_same, make_sketch
from benchmarks.labels import digest
from benchmarks.stories_in_memory import DAY, Stories
from ingest.normalise import normalise, normalise_all
from ingest.replay import ReplaySource
from ingest.source import RawPost
from model.compare import wilson
from model.dataset import read_examples

JUDGED = Path(__file__).with_name("sameness_pairs.csv")
VERDICTS = ("same", "template", "different")
STRATA = {"joined": 100, "blocked": 50, "below": 50}
"""Pairs drawn of each file."""
NEAREST = 0.3
MOMENT = datetime(2015, 12, 1, tzinfo=UTC)
EXHAUSTIVE = 300
"""Posts that are compared to all others of their day, to know what the bands miss."""

Pair = tuple[str, str]
Read = dict[Pair, tuple[Post, Post, Comparison]]
"""Pairs to be read: the story's first post, the other one, and how alike they are."""


@dataclass
class Outcome:
    """What placing all posts of a file came to."""

    name: str
    posts: list[Post]
    sketches: list[Sketch]
    stories: Stories
    pairs: dict[str, Read]
    """By stratum and texts; each pair of texts once."""
    sketching: float
    placing: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--part", choices=("tune", "final"), default="final")
    parser.add_argument("--show", choices=(*STRATA, "all"), help="print the pairs of this stratum")
    parser.add_argument("--seed", type=int, default=20_261_128)
    arguments = parser.parse_args()
    judged = read_judgements()
    for path in arguments.files:
        outcome = place_all(path)
        drawn = draw(outcome, arguments.part, arguments.seed)
        if arguments.show:
            for stratum in STRATA if arguments.show == "all" else (arguments.show,):
                print(f"\n{path.name}, {stratum}")
                show(drawn[stratum], judged)
        else:
            print_costs(outcome)
            print_quality(outcome, drawn, judged)


def read_posts(path: Path) -> list[Post]:
    """Normalised, in the order of the file."""
    settings, clock = IngestSettings(), SystemClock()
    if ".txt" not in path.name:
        source = ReplaySource(path, settings, clock)
        return [item for item in normalise_all(source, settings, clock) if isinstance(item, Post)]
    posts = []
    for number, example in enumerate(read_examples(path, "texts")):
        tags = tuple(symbol for symbol, _ in find_cashtags(example.text))
        raw = RawPost(example.text, MOMENT, "", native_id=str(number), symbols=tags, language="en")
        try:
            posts.append(normalise(raw, "texts", settings, MOMENT))
        except Rejected:  # nothing but links
            continue
    return posts


def place_all(path: Path) -> Outcome:
    """Sketch and place every post of the file."""
    posts = read_posts(path)
    began = process_time()
    sketches = [make_sketch(post) for post in posts]
    sketching = process_time() - began
    stories = Stories()
    pairs: dict[str, Read] = {stratum: {} for stratum in STRATA}
    placing = 0.0
    for post, sketch in zip(posts, sketches, strict=True):
        began = process_time()
        joined, nearest, how = stories.place(post, sketch)
        placing += process_time() - began
        if how is None:
            continue
        number = joined if joined is not None else nearest
        assert number is not None
        stratum = "joined" if joined is not None else "blocked" if how.is_alike else "below"
        if stratum != "below" or how.resemblance >= NEAREST:
            first = stories.posts[number]
            pairs[stratum].setdefault(key_of(first.text, post.text), (first, post, how))
    return Outcome(path.name, posts, sketches, stories, pairs, sketching, placing)


def key_of(one: str, other: str) -> Pair:
    """Digests of both texts, in order of size."""
    first, second = sorted(map(digest, (one, other)))
    return first, second


def draw(outcome: Outcome, part: str, seed: int) -> dict[str, Read]:
    """The sample of each stratum, from one half of the posts: by time, or by digest where there are no times."""
    middle = outcome.posts[len(outcome.posts) // 2].published_at
    timed = outcome.posts[0].published_at != middle
    drawn = {}
    for stratum, count in STRATA.items():
        half = [
            key
            for key, (_, post, _) in outcome.pairs[stratum].items()
            if (post.published_at < middle if timed else key[1][-1] in "02468ace") == (part == "tune")
        ]
        chosen = random.Random(seed).sample(sorted(half), min(count, len(half)))
        drawn[stratum] = {key: outcome.pairs[stratum][key] for key in chosen}
    return drawn


def read_judgements() -> dict[Pair, str]:
    """Of each pair that was read: `same`, `different`, or `template`: one advertisement or table with other names."""
    if not JUDGED.exists():
        return {}
    with JUDGED.open(encoding="ascii", newline="") as file:
        return {(row["a"], row["b"]): row["verdict"] for row in csv.DictReader(file)}


def show(pairs: Read, judged: dict[Pair, str]) -> None:
    """Print the pairs, to be read."""
    for number, (key, (first, post, how)) in enumerate(pairs.items()):
        verdict = judged.get(key, "not judged")
        print(
            f"{number} {key[0]},{key[1]} {how.resemblance:.2f} {how.containment:.2f} {verdict} {'; '.join(how.blocks)}"
        )
        print(f"   {first.text}\n   {post.text}")


def print_costs(outcome: Outcome) -> None:
    """How many stories, and what they cost."""
    posts, stories = outcome.posts, outcome.stories
    count = len(posts)
    texts = len({post.fingerprint for post in posts})
    kept = [
        len(leader.to_bytes()) + sum(map(len, sketch.bands))
        for leader, sketch in zip(stories.leaders, map(make_sketch, stories.posts), strict=True)
    ]
    print(
        f"\n{outcome.name}: {count:,} posts, {texts:,} exact texts, {count_exact(outcome):,} stories by exact text, "
        f"{len(stories.leaders):,} stories"
    )
    print(
        f"  a post costs {outcome.sketching / count * 1e6:.0f} µs to sketch, {outcome.placing / count * 1e6:.0f} µs to "
        f"place in memory, with {stories.looked / count:.2f} comparisons; a story is {sum(kept) / len(kept):.0f} bytes"
    )
    found, all_pairs = measure_bands(outcome)
    print(
        f"  of {all_pairs:,} pairs of different texts that are the same, {found / max(all_pairs, 1):.1%} share a band"
    )


def count_exact(outcome: Outcome) -> int:
    """Stories if only the same text were the same."""
    began: dict[str, int] = {}
    count = 0
    for leader in (sketch.leader for sketch in outcome.sketches):
        first = began.get(leader.fingerprint)
        if first is None or abs(leader.published_at - first) > DAY:
            began[leader.fingerprint] = leader.published_at
            count += 1
    return count


def measure_bands(outcome: Outcome) -> tuple[int, int]:
    """Of every pair that is the same, one of a sample and any other: those with a band in common, and all."""
    found = total = 0
    chosen = random.Random(1).sample(range(len(outcome.posts)), min(EXHAUSTIVE, len(outcome.posts)))
    by_shingle: dict[int, list[int]] = defaultdict(list)
    distinct = {sketch.fingerprint: number for number, sketch in enumerate(outcome.sketches)}
    for number in distinct.values():
        for value in outcome.sketches[number].leader.shingles:
            by_shingle[value].append(number)
    for sketch in (outcome.sketches[number] for number in chosen):
        lists = [by_shingle[value] for value in sketch.leader.shingles]
        shared = Counter(other for others in lists if len(others) < len(distinct) / 50 for other in others)
        for other in (outcome.sketches[number] for number, times in shared.items() if times >= 3):
            near = abs(other.leader.published_at - sketch.leader.published_at) <= DAY
            if near and other.fingerprint != sketch.fingerprint and is_same(other.leader, sketch.leader):
                total += 1
                found += not set(sketch.bands).isdisjoint(other.bands)
    return found, total


def print_quality(outcome: Outcome, drawn: dict[str, Read], judged: dict[Pair, str]) -> None:
    """Precision of what was joined, what was missed, and what resemblance alone would have done."""
    missing = sum(key not in judged for pairs in drawn.values() for key in pairs)
    if missing:
        print(f"  {missing} pairs of the sample are not judged")
    sizes = {stratum: len(pairs) for stratum, pairs in outcome.pairs.items()}
    share: dict[tuple[str, str], float] = {}
    for stratum, pairs in drawn.items():
        verdicts = [judged[key] for key in pairs if key in judged]
        if not verdicts:
            return
        for verdict in VERDICTS:
            share[stratum, verdict] = verdicts.count(verdict) / len(verdicts)
        counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in VERDICTS)
        print(f"  {stratum:8} {sizes[stratum]:,}; of {len(verdicts)} read {counts}")
    joined = [judged[key] for key in drawn["joined"] if key in judged]
    right = len(joined) - joined.count("different")
    told = len(joined) - joined.count("template")
    print(f"  precision {interval(right, len(joined))}; without templates {interval(joined.count('same'), told)}")
    found, missed = (
        sum(share[stratum, "same"] * sizes[stratum] for stratum in strata)
        for strata in (("joined",), ("blocked", "below"))
    )
    print(f"  recall among candidates, without templates: {found / max(found + missed, 1):.1%}")
    apart = {verdict: share["blocked", verdict] * sizes["blocked"] for verdict in VERDICTS}
    wrong = share["joined", "different"] * sizes["joined"] + apart["different"]
    print(
        f"  without guards precision would be {1 - wrong / (sizes['joined'] + sizes['blocked']):.1%}; "
        f"without templates {1 - wrong / (wrong + found + apart['same']):.1%}"
    )


def interval(hits: int, count: int) -> str:
    """A share with its 95% interval, as text."""
    found = wilson(hits, max(count, 1))
    return f"{hits} of {count}, {hits / max(count, 1):.1%} ({found.low:.1%} to {found.high:.1%})"


if __name__ == "__main__":
    main()
