import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bearometer.commands import export, score
from bearometer.errors import Failed, Misconfigured
from bearometer.mention import LABELS
from bearometer.topics import TOPICS
from model.dataset import is_development
from tests.unit.model.tiny import tiny_contrasts, tiny_examples


def run(*arguments: str | Path, given: str | None = None) -> Result:
    app = typer.Typer(rich_markup_mode=None)
    score.register(app)
    export.register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=given)


def write_rows(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def exported(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("exported")
    sentiments = write_rows(
        folder / "sentiments.jsonl",
        [{"text": each.text, "label": LABELS[each.label]} for each in tiny_examples() if each.label is not None],
    )
    mentions = write_rows(
        folder / "mentions.jsonl",
        [
            {"text": each.text, "entities": {name: LABELS[label] for name, label in each.mentions if label is not None}}
            for each in tiny_contrasts()
        ],
    )
    output = folder / "output"
    result = run(
        *("export", tiny_run, "--output", output, "--no-fp32"),
        *("--data", sentiments, "--task", "sentiment", "--data", mentions, "--task", "mentions"),
    )
    assert result.exit_code == 0, result.output
    return output, result


def test_export_prints_the_difference_of_int8_and_torch(exported: tuple[Path, Result]) -> None:
    printed = " ".join(exported[1].stdout.split())
    rows = sum(is_development(each.text) for each in [*tiny_examples(), *tiny_contrasts()])
    assert f"{rows} rows" in printed
    assert "difference of a probability: mean" in printed
    assert "answers changed" in printed
    assert "text weighted F1" in printed and "mention accuracy" in printed
    assert "MB model-int8.onnx" in printed and "fp32" not in printed


def test_export_refuses_files_without_their_tasks(tiny_run: Path, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [{"text": "x", "label": "neutral"}])
    result = run("export", tiny_run, "--output", tmp_path / "out", "--data", rows, "--data", rows, "--task", "topic")
    assert isinstance(result.exception, Misconfigured)
    assert str(result.exception) == "--task is given 1 times and --data 2 times; each file needs its task"
    assert not (tmp_path / "out").exists()


def test_score_tells_the_companies_of_one_text_apart(exported: tuple[Path, Result]) -> None:
    question = {
        "id": "a",
        "text": "$QMRK beats every estimate while Tern Aviation cuts its outlook again",
        "entities": ["QMRK", "Tern Aviation", "Nobody"],
    }
    result = run("score", "--model", exported[0], given=json.dumps(question))
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["entities"]["QMRK"]["positive"] > 0.5
    assert answer["entities"]["Tern Aviation"]["negative"] > 0.5
    assert answer["entities"]["Nobody"] == answer["sentiment"]
    assert answer["not_in_text"] == ["Nobody"]
    assert set(answer["topic"]) == set(TOPICS)
    assert sum(answer["topic"].values()) == pytest.approx(1)


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
        assert answer["model"].startswith("tiny-int8@")
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
    assert "not_in_text" not in answer
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
