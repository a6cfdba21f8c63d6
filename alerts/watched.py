"""One symbol under watch: what is said of it, and its detectors, moved on bin by bin.

A detector takes the counts of the bins in their order. A mention that becomes known after its bin was judged would
come too late for that, so a second copy of the detectors lags two days behind: they start from there again, with all
that is known by now. What they say so never depends on when a mention became known, nor on whether the process was
started anew in between.
"""

import heapq
import pickle
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import dropwhile

from alerts.bins import BIN, BINS_A_DAY, LOOK_BACK, Count, DistinctCounter, Said, Talk
from alerts.detector import Detector, Finding
from bearometer.alert import Alert, Measure

__all__ = ["Findings", "Seen", "Watched"]

KEPT = 2 * BINS_A_DAY
"""How long counts are kept: what was found a day ago is judged again by the day before it."""
FAR = 2**40
"""A bin after all others."""
LAG = KEPT
"""How far the second copy lags behind: a mention that is later than this makes the detectors start from nothing."""

Scales = tuple[str, ...]
Findings = Mapping[Scales, Mapping[Measure, Finding]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was said in a window."""

    negative: int
    """Distinct ones, as the detectors count them."""
    posts: int
    negative_authors: int
    negative_sources: int
    authors: int
    sources: int


class Watched:
    """All that is kept of one symbol."""

    __slots__ = (
        "_counter",
        "_counts",
        "_detectors",
        "_first",
        "_lagging",
        "_lagging_until",
        "_latest",
        "_until",
        "_upcoming",
        "_wanted",
        "alerts",
        "talk",
    )

    def __init__(self, wanted: Mapping[Scales, Collection[Measure]]) -> None:
        """`wanted` are the measures to be looked at by sets of scales, each set for itself."""
        self.talk = Talk()
        self.alerts: dict[str, Alert] = {}
        """By rule, the latest of each."""
        # How many negative ones are expected is drawn whatever is watched.
        self._wanted = {scales: {Measure.COUNT, *measures} for scales, measures in wanted.items()}
        self._upcoming: list[Said] = []
        """A heap of the mentions in bins that were not counted yet."""
        self._first = 0
        self._until = 0
        """The bins before this one are in the detectors."""
        self._detectors: tuple[Detector, ...] | None = None
        """None when they must be started again."""
        self._counter = DistinctCounter()
        self._counts: deque[Count] = deque()
        """The last ones."""
        self._latest: tuple[int, Findings] | None = None
        """The last bin with a count, and what was found at its end."""
        self._lagging: bytes | None = None
        """The copy, as bytes: it is seldom needed."""
        self._lagging_until = 0

    @property
    def latest(self) -> tuple[int, Findings] | None:
        """The last bin in which something counted, and what was found at its end; None where there was none."""
        return self._latest

    @property
    def is_running(self) -> bool:
        """Whether the detectors need not be started again at the next look."""
        return self._detectors is not None

    def add(self, said: Said, bin: int) -> bool:
        """Take a mention in that lies in this bin; whether it is the first that is known of its day."""
        if bin >= self._until:
            if self._detectors is not None:  # else they start from all that is said
                heapq.heappush(self._upcoming, said)
        else:
            self._detectors = None
            if bin < self._lagging_until:
                self._lagging = None
        return self.talk.add(said)

    def find(self, first: int, until: int) -> Findings:
        """What the detectors that watch since the bin `first` find at the end of the bin before `until`.

        `until` never goes back.
        """
        if first != self._first:
            self._first, self._detectors, self._lagging = first, None, None
        if self._detectors is None:
            self._start_again(until)
        else:
            self._feed(self._detectors, self._counter.count(self._take(until)))
        self._until = until
        while self._counts and self._counts[0].bin < until - KEPT:
            self._counts.popleft()
        if self._latest is not None and self._latest[0] == until - 1:
            return self._latest[1]
        # Closing an empty bin is the same to the detectors as skipping it: looking changes nothing.
        return self._close(self._running(), until - 1)

    def seen(self, end: int, bins: int) -> Seen:
        """What was said in the `bins` bins before the bin `end`, which lies at most a day back."""
        inside = [count for count in self._counts if end - bins <= count.bin < end]
        said = list(self.talk.between(end - bins, end))
        bad = [each for each in said if each.negative]
        return Seen(
            negative=sum(count.negative for count in inside),
            posts=sum(count.posts for count in inside),
            negative_authors=len({each.author for each in bad}),
            negative_sources=len({each.source for each in bad}),
            authors=len({each.author for each in said}),
            sources=len({each.source | 1 for each in said}),
        )

    def negatives(self, start: int, end: int) -> int:
        """Distinct negative mentions in the bins `start` <= b < `end` of the last day."""
        return sum(count.negative for count in self._counts if start <= count.bin < end)

    def expected(self, bin: int, scale: str) -> tuple[float, float]:
        """How many negative ones were to be expected up to the end of the bin, and what is seldom exceeded."""
        return self._running()[0].expected(bin, scale)

    def rest(self, bin: int) -> None:
        """Let go of what is not needed in this bin, nor later; the detectors too, when nothing was said lately."""
        self._counter.forget(bin)
        if self._latest is None or self._latest[0] < bin - BINS_A_DAY:
            self._detectors = None

    def _running(self) -> tuple[Detector, ...]:
        if self._detectors is None:
            self._start_again(self._until)
        assert self._detectors is not None
        return self._detectors

    def _take(self, until: int) -> list[Said]:
        taken: list[Said] = []
        while self._upcoming and self._upcoming[0].at < until * BIN:
            said = heapq.heappop(self._upcoming)
            if not taken or taken[-1] != said:
                taken.append(said)
        return taken

    def _start_again(self, until: int) -> None:
        self._upcoming = list(self.talk.between(until, FAR))  # sorted, and so a heap
        if self._lagging is None:
            detectors, start = self._new_detectors(), self._first
        else:
            detectors, start = pickle.loads(self._lagging), self._lagging_until  # our own bytes
        self._counter, self._latest = DistinctCounter(), None
        counts = self._counter.count(self.talk.between(start - LOOK_BACK, until))
        fresh = list(dropwhile(lambda count: count.bin < start, counts))
        lagging_until = max(start, until - LAG)
        settled = [count for count in fresh if count.bin < lagging_until]
        self._counts = deque()
        self._feed(detectors, settled)
        self._lagging, self._lagging_until = pickle.dumps(detectors, 5), lagging_until
        self._feed(detectors, fresh[len(settled) :])
        self._detectors = detectors

    def _feed(self, detectors: tuple[Detector, ...], counts: list[Count]) -> None:
        for count in counts:
            for detector in detectors:
                detector.add(count.bin, count.negative, count.posts)
            self._latest = count.bin, self._close(detectors, count.bin)
        self._counts.extend(counts)

    def _close(self, detectors: tuple[Detector, ...], bin: int) -> Findings:
        return {scales: detector.close(bin, scales) for scales, detector in zip(self._wanted, detectors, strict=True)}

    def _new_detectors(self) -> tuple[Detector, ...]:
        return tuple(Detector(self._first, measures=measures) for measures in self._wanted.values())
