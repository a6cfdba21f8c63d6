"""`bearometer calibrate`, as a person runs it."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from alerts.simulate import Stream
from bearometer.commands.calibrate import register
from bearometer.errors import Failed, Misconfigured
from storage.posts import PostStore
from tests.command_line import Run, command_on
from tests.stored_samples import BAD, CALM, scored

START = datetime(2024, 3, 1, tzinfo=UTC)
PERIOD = ("--from", "2024-03-01", "--to", "2024-03-21")
SYMBOLS = ("ACME", "BOLT", "CORE", "DUNE", "ELSE", "FERN")
FIELDS = 8
"""Of a line: promised, expected, found, the interval's low, "to" and high, within 2x, by the whole rule."""


@pytest.fixture
def run(database_url: str) -> Run:
    return command_on(database_url, register, "calibrate")


@pytest.fixture
def history(engine: Engine) -> None:
    """Twenty days of a few posts on six symbols, and a crash of one of them."""
    source = random.Random(1)
    told = [(START + timedelta(days=20) * source.random(), symbol) for symbol in SYMBOLS for _ in range(40)]
    told += [(START + timedelta(days=12, minutes=n), "ACME") for n in range(30)]
    PostStore(engine).save(
        [
            scored(
                f"{n}",
                symbols=[symbol],
                sentiment=CALM if n < 240 and n % 4 else BAD,
                published_at=at,
                author=f"a{n}",
                fingerprint=f"f{n}",
            )
            for n, (at, symbol) in enumerate(told)
        ],
        [],
    )


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("keep", ["hours", "days"])
def test_it_sets_the_alerts_on_shuffled_history_beside_the_promise(run: Run, keep: str) -> None:
    result = run(*PERIOD, "--shuffles", 2, "--keep", keep)
    lines = result.stdout.splitlines()
    assert lines[0] == "negative-spike (count): 6 watched, 0.6 symbol-years"
    rows = [line.split() for line in lines[2:]]
    assert [row[0] for row in rows] == ["0.2", "0.6", "2", "6", "20"]
    assert {len(row) for row in rows} == {FIELDS}
    assert [row[6] for row in rows] == ["yes"] * 5
    assert run(*PERIOD, "--shuffles", 2, "--keep", keep).stdout == result.stdout


@pytest.mark.usefixtures("history")
def test_a_rules_file_is_calibrated_rule_by_rule(run: Run, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(
        '[[rule]]\nname = "all"\nmarket = true\nmeasure = "volume"\n\n[[rule]]\nname = "some"\nsymbols = "ELSE"\n'
        '\n[[rule]]\nname = "plain"\nat_least = 7\n',
        "utf-8",
    )
    output = run(*PERIOD, "--rules", rules, "--shuffles", 1).stdout
    assert "all (volume): 1 watched" in output
    assert "some (count): 1 watched" in output
    assert "plain" not in output
    rules.write_text('[[rule]]\nname = "plain"\nat_least = 7\n', "utf-8")
    with pytest.raises(Failed, match="nothing is promised"):
        run(*PERIOD, "--rules", rules)


def test_streams_are_simulated_without_a_store(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    # The busy ones take a minute.
    monkeypatch.setattr("alerts.simulate.STREAMS", (Stream(2.0), Stream(5.0, 0.3)))
    output = run("--simulated", "--years", "0.2", "--measure", "volume").stdout.splitlines()
    assert output[0].split()[-6:] == ["promised", "52", "promised", "12", "promised", "2"]
    assert [line.split()[:2] for line in output[1:]] == [["2", "Poisson"], ["5", "0.3"]]


def test_what_cannot_be_run_is_said_in_a_line(run: Run) -> None:
    with pytest.raises(Misconfigured, match="--from and --to are needed, or --simulated"):
        run("--from", "2024-03-01")
    with pytest.raises(Misconfigured, match="--to must be 6 days after --from at least"):
        run("--from", "2024-03-01", "--to", "2024-03-06")
    with pytest.raises(Failed, match="no post is stored from 2024-03-01"):
        run(*PERIOD)
    assert run("--simulated", "--measure", "mood").exit_code == 2
