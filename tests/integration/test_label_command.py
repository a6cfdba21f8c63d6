"""`bearometer label`, as a person uses it."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from sqlalchemy import Engine, text
from typer.testing import CliRunner, Result

from bearometer.commands.label import register
from bearometer.correction import Correction
from bearometer.errors import Failed, Misconfigured
from bearometer.mention import WHOLE, Mention, Sentiment
from storage.feedback import FeedbackStore
from storage.posts import PostStore
from tests.stored_samples import BAD, GOOD, scored

Run = Callable[..., Result]


@pytest.fixture
def run(database_url: str, engine: Engine) -> Run:
    """Three posts, the first of them the most doubtful: even, then torn, then sure."""
    doubts = {
        "even": Sentiment(0.34, 0.33, 0.33),
        "torn": Sentiment(0.5, 0.1, 0.4),
        "sure": Sentiment(0.02, 0.96, 0.02),
    }
    posts = [
        replace(
            scored(name, sentiment=sentiment, fingerprint=name, text=f"{name} ACME \x1b[31mand ZETA\u202e"),
            mentions=(Mention("ACME", BAD), Mention("ZETA", GOOD)),
        )
        for name, sentiment in doubts.items()
    ]
    PostStore(engine).save(posts, [])
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)

    def run(*arguments: object, stdin: str | bytes = "") -> Result:
        result = CliRunner(env={"BEAROMETER_POSTGRES__URL": database_url, "USER": "ann", "LOGNAME": "ann"}).invoke(
            app, ["label", *map(str, arguments)], input=stdin
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def kept(engine: Engine) -> dict[tuple[str, str], tuple[str | None, str | None, str]]:
    query = "SELECT post_id, symbol, label, topic, who FROM labels"
    with engine.connect() as connection:
        return {
            (row.post_id.removeprefix("test:"), row.symbol): (row.label, row.topic, row.who)
            for row in connection.execute(text(query))
        }


def test_answers_are_stored_with_who_gave_them_and_what_the_model_had_said(run: Run, engine: Engine) -> None:
    output = run("--by", "margin", stdin="n ZETA=p t=ipo\ny\ns\n").output

    assert "2 labelled, 1 skipped" in output
    assert kept(engine) == {
        ("even", WHOLE): ("negative", "IPO", "ann"),
        ("even", "ZETA"): ("positive", None, "ann"),
        ("torn", WHOLE): ("negative", None, "ann"),
        ("torn", "ACME"): ("negative", None, "ann"),
        ("torn", "ZETA"): ("positive", None, "ann"),
        ("sure", WHOLE): (None, None, "ann"),
    }
    corrections = FeedbackStore(engine).corrections()
    assert {one.model for one in corrections} == {"test-1"}
    assert [one.model_label for one in corrections if one.symbol == "ZETA"] == ["positive", "positive"]


def test_a_post_is_shown_with_why_and_without_what_could_move_the_terminal(run: Run) -> None:
    output = run("--by", "margin", stdin="q\n").output

    assert "1 of 3: the model is torn about the text (0.99)" in output
    assert "even ACME [31mand ZETA\n" in output
    assert "text: negative (n 0.34, u 0.33, p 0.33); topic sales" in output
    assert "2 ZETA: positive (n 0.05, u 0.15, p 0.80)" in output
    assert not {"\x1b", "\u202e"} & {*output}


def test_it_goes_on_where_it_was_left(run: Run, engine: Engine) -> None:
    run("--by", "margin", stdin="n\ns\n")  # the input ends, as a closed terminal does
    assert set(kept(engine)) == {("even", WHOLE), ("torn", WHOLE)}

    output = run("--by", "margin", stdin="p\n").output
    assert "1 of 1" in output
    assert "sure ACME" in output
    assert "nothing to ask ann" in run().output
    assert "1 of 3" in run("--who", "bob", "--by", "margin", stdin="q\n").output


def test_back_forgets_the_answer_before_and_asks_again(run: Run, engine: Engine) -> None:
    output = run("--by", "margin", stdin="b\nn ACME=n\nb\np\nq\n").output

    assert "this is the first one" in output
    assert output.count("1 of 3") == 3
    assert kept(engine) == {("even", WHOLE): ("positive", None, "ann")}
    assert "1 labelled, 0 skipped" in output


def test_what_means_nothing_is_told_and_asked_again(run: Run, engine: Engine) -> None:
    output = run("--by", "margin", "--limit", "1", stdin="\x1b[2Jmaybe\n?\nu\n").output

    assert "is no label; it must be n (negative), u (neutral) or p (positive)" in output
    assert "11 IPO" in output
    assert "\x1b" not in output
    assert kept(engine) == {("even", WHOLE): ("neutral", None, "ann")}


def test_bytes_that_are_no_text_are_told_like_any_other_nonsense(run: Run, engine: Engine) -> None:
    output = run("--by", "margin", "--limit", "1", stdin=b"\xff\xfe\nn\n").output

    assert "is no label" in output
    assert kept(engine) == {("even", WHOLE): ("negative", None, "ann")}


def test_a_csv_goes_in_its_bad_lines_are_told_and_again_it_changes_nothing(
    run: Run, engine: Engine, tmp_path: Path
) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(
        "post_id,symbol,label,topic\ntest:even,,p,IPO\nnowhere,,p,\ntest:torn,ACME,\x1b[31mbad,\ntest:torn,ACME,u,\n"
    )

    for _ in range(2):
        with pytest.raises(Failed, match="2 of 4 lines were left out"):
            run("--csv", file, "--who", "carol")
    assert kept(engine) == {("even", WHOLE): ("positive", "IPO", "carol"), ("torn", "ACME"): ("neutral", None, "carol")}

    file.write_text("post_id,symbol,label\ntest:torn,ACME,u\ntest:torn,,n\n")
    assert "taken from the file: 2; new or changed: 1" in run("--csv", file, "--who", "carol").output


def test_a_csv_line_with_nul_is_told_and_the_rest_goes_in(run: Run, engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_bytes(b"post_id,label\ntest\x001,p\ntest:even,n\n")

    with pytest.raises(Failed, match="1 of 2 lines were left out"):
        run("--csv", file)
    assert kept(engine) == {("even", WHOLE): ("negative", None, "ann")}


def test_formulas_are_exported_as_they_are_unless_it_is_for_a_spreadsheet(
    run: Run, engine: Engine, tmp_path: Path
) -> None:
    formula = '=HYPERLINK("https://evil.example")'
    FeedbackStore(engine).save([Correction("text:f", WHOLE, "ann", "negative", formula, "f")])
    file = tmp_path / "out.csv"

    def exported(*options: str) -> list[str]:
        run("--export", file, *options)
        with file.open(newline="") as lines:
            return [row["text"] for row in csv.DictReader(lines)]

    assert exported() == [formula]
    assert exported("--spreadsheet") == [f"'{formula}"]
    assert list(tmp_path.iterdir()) == [file]


def test_what_is_exported_can_be_taken_in_again(run: Run, engine: Engine, tmp_path: Path) -> None:
    run("--by", "margin", stdin="n ZETA=p t=ipo\ny\ns\n")
    before = kept(engine)
    file = tmp_path / "out.csv"
    run("--export", file)
    with file.open(newline="") as lines:
        assert [row["label"] for row in csv.DictReader(lines) if row["topic"]] == ["negative"]
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM labels"))

    assert "taken from the file: 5; new or changed: 5" in run("--csv", file, "--who", "bob").output
    assert kept(engine) == {key: value for key, value in before.items() if value[0]}


def test_the_list_shows_the_latest_labels(run: Run) -> None:
    run("--by", "margin", stdin="n\nq\n")

    (header, row) = run("--list").output.splitlines()
    assert header.split() == [
        "post_id",
        "symbol",
        "label",
        "topic",
        "who",
        "labelled_at",
        "model_label",
        "model",
        "text",
    ]
    assert row.split()[:4] == ["test:even", "*", "negative", "ann"]


def test_wrong_options_are_told_in_one_line(run: Run, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="give one"):
        run("--list", "--csv", tmp_path / "a.csv")
    with pytest.raises(Misconfigured, match=r"it must be one of \.csv, .*\.parquet"):
        run("--export", tmp_path / "a.xlsx")
    with pytest.raises(Misconfigured, match="cannot be written: No such file"):
        run("--export", tmp_path / "none" / "a.csv")
    with pytest.raises(Misconfigured, match="--who"):
        run("--who", " ")
    with pytest.raises(Misconfigured, match="--spreadsheet"):
        run("--list", "--spreadsheet")
