import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bearometer.commands.model import register
from bearometer.errors import Failed, Misconfigured
from bearometer.mention import LABELS
from tests.unit.model.tiny import tiny_examples


def run(*arguments: str | Path, given: str | None = None) -> Result:
    app = typer.Typer(rich_markup_mode=None)
    register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=given)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labelled") / "rows.jsonl"
    rows = ({"text": example.text, "label": LABELS[example.label]} for example in tiny_examples())
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def trained(tiny_base: Path, labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    output = tmp_path_factory.mktemp("trained") / "run"
    result = run(
        *("train", "--base", tiny_base, "--data", labelled, "--output", output, "--name", "little"),
        *(
            "--epochs",
            "8",
            "--patience",
            "8",
            "--batch-size",
            "4",
            "--accumulate",
            "2",
            "--learning-rate",
            "0.003",
            "--max-tokens",
            "32",
        ),
    )
    assert result.exit_code == 0, result.output
    return output, result


@pytest.fixture(scope="module")
def exported(trained: tuple[Path, Result], labelled: Path) -> tuple[Path, Result]:
    output = trained[0].parent / "exported"
    result = run("export", trained[0], "--output", output, "--data", labelled)
    assert result.exit_code == 0, result.output
    return output, result


def test_train_shows_before_and_after_and_leaves_a_run_folder(trained: tuple[Path, Result]) -> None:
    folder, result = trained
    assert "before" in result.stdout and "after" in " ".join(result.stdout.split())
    assert {"config.json", "model.safetensors", "tokenizer.json", "metrics.json", "bearometer.json"} <= {
        file.name for file in folder.iterdir()
    }
    card = json.loads((folder / "bearometer.json").read_text())
    assert (card["name"], card["recipe"]["accumulate"], card["labels"]) == ("little", 2, list(LABELS))
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["after"]["macro_f1"] > metrics["before"]["macro_f1"]


def test_train_does_not_write_over_an_older_run(trained: tuple[Path, Result], tiny_base: Path, labelled: Path) -> None:
    result = run("train", "--base", tiny_base, "--data", labelled, "--output", trained[0])
    assert isinstance(result.exception, Misconfigured)
    assert "is there already" in str(result.exception)


def test_export_prints_the_difference_of_int8_and_torch(exported: tuple[Path, Result]) -> None:
    assert "difference of a probability: mean" in exported[1].stdout
    assert "labels changed" in exported[1].stdout


@pytest.mark.parametrize("which", ["trained", "exported"])
def test_evaluate_measures_any_folder(which: str, labelled: Path, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(which)[0]
    result = run("evaluate", "--data", labelled, "--model", folder, "--split", "development", "--json")
    assert result.exit_code == 0, result.output
    measured = json.loads(result.stdout)
    assert measured["model"].startswith("little-")
    assert measured["unanswered"] == 0
    assert measured["weighted_f1"] > 0.95
    assert sum(map(sum, measured["confusion"])) == measured["rows"] < len(tiny_examples())


def test_evaluate_prints_tables(exported: tuple[Path, Result], labelled: Path) -> None:
    result = run("evaluate", "--data", labelled, "--model", exported[0])
    assert "weighted F1" in " ".join(result.stdout.split())
    assert "true label (line) against label given (column)" in " ".join(result.stdout.split())


def test_score_answers_in_order_and_fails_in_the_end_if_a_line_was_bad(exported: tuple[Path, Result]) -> None:
    lines = [
        json.dumps({"id": number, "text": example.text, "entities": ["QMRK"]})
        for number, example in enumerate(tiny_examples()[:20])
    ]
    lines[7] = "{\x1b[31mbroken"
    result = run("score", "--model", exported[0], "--batch-size", "6", given="\n".join(lines))
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == [number for number in range(20) if number != 7]
    for answer in answers:
        assert answer["entities"] == {"QMRK": answer["sentiment"]}
        assert answer["topic"] is None
        assert answer["model"].startswith("little-int8@")
    assert "line 8: not JSON" in result.stderr
    assert "\x1b" not in result.stderr
    assert isinstance(result.exception, Failed)
    assert str(result.exception) == "1 of 20 lines were left out"


def test_score_reads_and_writes_files(exported: tuple[Path, Result], tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"id": "a", "text": "Quillmark beats every estimate"}\n')
    result = run("score", "--model", exported[0], "--input", source, "--output", target)
    assert result.exit_code == 0, result.output
    (answer,) = (json.loads(line) for line in target.read_text().splitlines())
    assert answer["id"] == "a"
    assert result.stdout == ""
    assert result.stderr == ""


def test_score_refuses_files_that_cannot_work(exported: tuple[Path, Result], tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    missing = run("score", "--model", exported[0], "--input", source)
    assert isinstance(missing.exception, Misconfigured)
    source.write_text("{}\n")
    same = run("score", "--model", exported[0], "--input", source, "--output", source)
    assert isinstance(same.exception, Misconfigured)
    assert source.read_text() == "{}\n"
    nowhere = run("score", "--model", exported[0], "--input", source, "--output", tmp_path / "no" / "out.jsonl")
    assert isinstance(nowhere.exception, Misconfigured)
