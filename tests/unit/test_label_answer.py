"""What is typed at `bearometer label`."""

from dataclasses import replace

import pytest

from bearometer.commands.label_answer import Action, Answer, WrongAnswer, find_topic, read_answer
from bearometer.mention import Mention
from bearometer.topics import TOPICS
from tests.stored_samples import BAD, CALM, GOOD, scored

POST = replace(
    scored("1", text="ACME sues Ostrava Steel, says T", sentiment=BAD),
    mentions=(Mention("ACME", GOOD), Mention("T", BAD), Mention("ZETA", CALM, in_text=False)),
)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("n", Answer(Action.ANSWER, "negative")),
        (" U \n", Answer(Action.ANSWER, "neutral")),
        ("positive", Answer(Action.ANSWER, "positive")),
        ("y", Answer(Action.ANSWER, "negative", {"ACME": "positive", "T": "negative"})),
        ("y ACME=n t=ipo", Answer(Action.ANSWER, "negative", {"ACME": "negative", "T": "negative"}, "IPO")),
        ("$acme=p", Answer(Action.ANSWER, None, {"ACME": "positive"})),
        ("3=n 1=u", Answer(Action.ANSWER, None, {"ZETA": "negative", "ACME": "neutral"})),
        ("T=n", Answer(Action.ANSWER, None, {"T": "negative"})),
        ("t=11", Answer(Action.ANSWER, topic="IPO")),
        ("Ostrava=n", Answer(Action.ANSWER, None, {"Ostrava": "negative"})),
        ("n p", Answer(Action.ANSWER, "positive")),
        ("s", Answer(Action.SKIP)),
        ("B", Answer(Action.BACK)),
        ("q", Answer(Action.QUIT)),
        ("?", Answer(Action.HELP)),
    ],
)
def test_a_line_is_understood(line: str, answer: Answer) -> None:
    assert read_answer(line, POST) == answer


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "type n, u, p"),
        ("x", "'x' is no label"),
        ("ACME=x", "'x' is no label"),
        ("ACME=", "'' is no label"),
        ("=n", "'' is neither"),
        ("4=n", "'4' is neither a mention"),
        ("QMRK=n", "'QMRK' is neither a mention of this post nor in its text"),
        ("q n", "q stands alone"),
        ("t=", "'' is no topic"),
        ("t=99", "'99' is no topic"),
        ("t=m", "'m' is no topic or more than one: M&A | Investments, Macro, Markets"),
        ("t=²", "'²' is no topic"),
        ("²=n", "'²' is neither"),
    ],
)
def test_what_means_nothing_is_told(line: str, why: str) -> None:
    with pytest.raises(WrongAnswer) as caught:
        read_answer(line, POST)
    assert why in str(caught.value)


def test_every_topic_is_found_by_its_name_and_by_its_number() -> None:
    for number, topic in enumerate(TOPICS):
        assert find_topic(topic) == find_topic(str(number)) == find_topic(topic.upper()) == topic
