import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.discord import escape as escape_discord
from alerts.fitting import fit, fit_fact, fit_lines, inert
from alerts.slack_blocks import length
from alerts.telegram import escape as escape_telegram
from tests.sample_alerts import hostile_text


@pytest.mark.parametrize("escape", [str, inert, escape_discord, escape_telegram])
@settings(deadline=None)
@given(text=hostile_text, limit=st.integers(2, 400))
def test_what_is_cut_fits_and_is_the_escaped_start_of_the_text(escape: type[str], text: str, limit: int) -> None:
    shown = fit(text, limit, escape)
    assert length(shown) <= max(limit, length(escape("…")))
    if length(escape(text)) <= limit:
        assert shown == escape(text)
    else:
        assert any(shown == escape(f"{text[:end].rstrip()}…") for end in range(len(text)))


@settings(deadline=None)
@given(st.lists(st.text("ab<&😀", max_size=30), min_size=1, max_size=40), st.integers(30, 300))
def test_lines_that_do_not_fit_are_counted(lines: list[str], limit: int) -> None:
    shown = fit_lines(lines, limit, escape_telegram)
    assert length(shown) <= limit
    kept = shown.split("\n")
    if kept[-1].endswith(" more"):
        assert len(kept) - 1 + int(kept[-1].split()[1]) == len(lines)
    else:
        assert kept == [escape_telegram(line) for line in lines]


@pytest.mark.parametrize(
    "text",
    [
        "@channel",
        "ask @someone",
        "<!channel>",
        "http://evil.example",
        "tg://user?id=1",
        "evil.example/path",
        "/start",
        "{{DATE(2017-02-14T06:00:00Z)}}",
    ],
)
def test_a_name_an_address_a_command_and_a_function_look_the_same_and_are_dead(text: str) -> None:
    dead = inert(text)
    assert dead != text
    assert dead.replace("\u2060", "") == text


@pytest.mark.parametrize("text", ["15.5 negative, 1 in 10^15", "BRK.B", "#earnings $AAPL", "a - b: c", "24 h"])
def test_what_links_nowhere_stays_as_it_is(text: str) -> None:
    assert inert(text) == text


@pytest.mark.parametrize("label", ["Alert", "Acknowledge", "Silence"])
def test_what_people_copy_stays_as_it_is_unless_it_calls_somebody(label: str) -> None:
    command = "bearometer alerts ack negative-spike:0700.HK:2026-03-02T14:05:00+00:00"
    assert fit_fact(label, command, 200) == command
    assert fit_fact("Sources", command, 200) == inert(command) != command
    assert fit_fact(label, "ack <!channel>", 200) == inert("ack <!channel>")
