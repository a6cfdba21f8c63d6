from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from alerts.evidence import gather
from bearometer.alert import ChartPoint, Measure, TopPost
from bearometer.errors import Transient, Unavailable
from bearometer.post import MARKET
from storage.evidence import Said
from tests.sample_alerts import START, make_alert

BARS = (ChartPoint(START - timedelta(hours=1), 3, 0.1, 1.5),)
PAST = tuple(f"Harbor Mills sells flour in {word}" for word in ("spring", "summer", "autumn", "winter"))


def first(text: str, minute: int, times: int = 1) -> TopPost:
    return TopPost(f"test:{minute}", text, START - timedelta(minutes=minute), 0.8, times - 1, "ann", 5)


SAID = Said(
    mentions=43,
    stories=5,
    sources=(("reddit", 40), ("rss", 3)),
    authors=tuple((f"author {n}", 9 - n) for n in range(9)),
    topics=(("Legal", 43),),
    models=("m1",),
    firsts=(
        first("an old grumble about the flour", 90),
        first("recall of the flour in all shops", 60),
        first("recall of the bread in all shops", 50),
        first("a recall at last, says the mill", 40),
        first("win a phone, follow this link now", 30, times=39),
    ),
    spam=37,
    spam_reasons=tuple((f"code-{n}", 9 - n) for n in range(9)),
    past=PAST,
    elsewhere=tuple(f"the market is quiet on day {chr(97 + number)}" for number in range(26)),
)


@dataclass
class Store:
    """Says what it was given, and remembers what it was asked."""

    said: Said | Exception = SAID
    asked: list[tuple[str, datetime, datetime, bool]] = field(default_factory=list)

    def evidence(self, key: str, start: datetime, end: datetime, *, every_label: bool = False) -> Said:
        self.asked.append((key, start, end, every_label))
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


class Watching:
    """Knows one bar."""

    def chart(self, symbol: str, end: datetime) -> tuple[ChartPoint, ...]:
        assert end == START
        return BARS


def test_the_evidence_holds_what_the_alert_is_to_be_believed_by() -> None:
    evidence = gather(Store(), Watching(), make_alert(), None)
    assert [(post.id, post.roles) for post in evidence.top_posts] == [
        ("test:60", ("first",)),
        ("test:30", ("most shared",)),
        ("test:90", ("most negative",)),
        ("test:50", ()),
        ("test:40", ()),
    ]
    assert evidence.top_posts[1].repeats == 38
    assert [(new.term, new.seen) for new in evidence.new_terms] == [("recall", 3)]
    assert (evidence.chart, evidence.models, evidence.mentions) == (BARS, ("m1",), 43)
    assert (evidence.sources, evidence.topics) == (SAID.sources, SAID.topics)
    assert evidence.authors == SAID.authors[:5]
    assert (evidence.stories, evidence.spam, evidence.spam_reasons) == (5, 37, SAID.spam_reasons[:5])


def test_a_window_is_closed_at_the_left_and_open_at_the_right_as_the_stores_are() -> None:
    store = Store()
    gather(store, Watching(), make_alert(), None)
    assert store.asked == [("HBRM", START - timedelta(hours=24), START, False)]


def test_a_volume_is_made_of_posts_of_every_label() -> None:
    store, alert = Store(), make_alert()
    gather(store, Watching(), replace(alert, peak=replace(alert.peak, measure=Measure.VOLUME)), None)
    assert store.asked[0][3]


@pytest.mark.parametrize(("symbol", "asked"), [("HBRM", "HBRM"), (MARKET, "*"), ("#Legal", "*")])
def test_the_words_are_asked_of_the_top_post_alone(symbol: str, asked: str) -> None:
    questions: list[tuple[str, str]] = []

    def find_words(text: str, entity: str) -> tuple[str, ...]:
        questions.append((text, entity))
        return ("recall",)

    evidence = gather(Store(), Watching(), make_alert(symbol), find_words)
    assert questions == [(evidence.top_posts[0].text, asked)]
    assert [post.words for post in evidence.top_posts] == [("recall",), (), (), (), ()]


def test_nothing_said_is_evidence_of_nothing() -> None:
    nothing = Said(0, 0, (), (), (), (), (), 0, (), (), ())
    evidence = gather(Store(nothing), Watching(), make_alert(), lambda _text, _symbol: ("never",))
    assert (evidence.top_posts, evidence.new_terms, evidence.mentions, evidence.chart) == ((), (), 0, BARS)


def test_an_alert_goes_without_posts_that_take_too_long() -> None:
    evidence = gather(Store(Transient("statement timeout, to be tried again")), Watching(), make_alert(), None)
    assert (evidence.top_posts, evidence.chart, evidence.mentions) == ((), BARS, None)


def test_a_lost_lease_is_not_passed_over() -> None:
    with pytest.raises(Unavailable):
        gather(Store(Unavailable("the server is away")), Watching(), make_alert(), None)
