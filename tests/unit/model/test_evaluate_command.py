import json
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bearometer.commands.evaluate import register
from bearometer.errors import Failed, Misconfigured
from bearometer.mention import LABELS
from bearometer.topics import TOPICS
from model.dataset import is_development
from tests.unit.model.tiny import tiny_contrasts, tiny_examples


def run(*arguments: str | Path) -> Result:
    app = typer.Typer(rich_markup_mode=None)
    register(app)
    return CliRunner(env={"COLUMNS": "160"}).invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("labelled")
    rows: dict[str, list[dict[str, object]]] = {
        "sentiment": [{"text": each.text, "label": LABELS[each.label or 0]} for each in tiny_examples()],
        "mentions": [
            {"text": each.text, "entities": {name: LABELS[label or 0] for name, label in each.mentions}}
            for each in tiny_contrasts()
        ],
        "topic": [{"text": each.text, "label": TOPICS[each.topic or 0]} for each in tiny_examples()],
        "posts": [
            {
                "text": each.text,
                "label": LABELS[each.label or 0],
                "entities": {**{name: LABELS[label or 0] for name, label in each.mentions}, "Elsewhere": "neutral"},
            }
            for each in tiny_examples()
        ],
    }
    for task, lines in rows.items():
        (folder / f"{task}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return {task: folder / f"{task}.jsonl" for task in rows}


def options(files: dict[str, Path], *tasks: str) -> list[str | Path]:
    return [option for task in tasks for option in ("--data", files[task], "--task", task)]


def test_every_task_is_measured_on_its_own_file(tiny_run: Path, files: dict[str, Path]) -> None:
    tasks = ("sentiment", "mentions", "topic")
    result = run("--model", tiny_run, *options(files, *tasks), "--split", "development", "--json")
    assert result.exit_code == 0, result.output
    sets = json.loads(result.stdout)["sets"]
    assert [each["task"] for each in sets] == list(tasks)
    for each in sets:
        lines = files[each["task"]].read_text().splitlines()
        assert each["rows"] == sum(is_development(json.loads(line)["text"]) for line in lines)
        ((model, on_set),) = each["models"].items()
        assert model.startswith("tiny-torch@")
        assert on_set["unanswered"] == 0
        assert on_set["tasks"][each["task"]]["weighted_f1"] > 0.9
    assert json.loads(result.stdout)["bias"] == {}


def test_posts_are_measured_as_a_whole_and_by_company(tiny_run: Path, files: dict[str, Path]) -> None:
    result = run("--model", tiny_run, *options(files, "posts"), "--split", "development")
    assert result.exit_code == 0, result.output
    shown = " ".join(result.stdout.split())
    rows = sum(is_development(json.loads(line)["text"]) for line in files["posts"].read_text().splitlines())
    assert f"posts.jsonl: sentiment, {rows} labels of {rows} rows" in shown
    assert f"posts.jsonl: mentions, {2 * rows} labels of {rows} rows" in shown
    assert f"{rows} mentions were not found in their text" in shown


def test_another_model_and_a_public_tool_stand_beside_it(tiny_run: Path, files: dict[str, Path]) -> None:
    result = run(
        *("--model", tiny_run, "--data", files["sentiment"], "--split", "development"),
        *("--compare", tiny_run, "--baseline", "vader"),
    )
    assert result.exit_code == 0, result.output
    shown = " ".join(result.stdout.split())
    for words in ("sentiment.jsonl: sentiment", "vaderSentiment@", "weighted F1", "ECE", "true label (line)", "(2)"):
        assert words in shown
    assert "Robustness" not in shown


def test_the_name_of_a_file_is_shown_as_it_is(tiny_run: Path, files: dict[str, Path], tmp_path: Path) -> None:
    strange = tmp_path / "a[bold]b[red].jsonl"
    shutil.copy(files["sentiment"], strange)
    result = run("--model", tiny_run, "--data", strange, "--split", "development")
    assert result.exit_code == 0, result.output
    assert "a[bold]b[red].jsonl: sentiment" in result.stdout


def test_calibration_writes_temperatures_and_lowers_the_error_of_a_model_that_is_off(
    tiny_run: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(tiny_run, folder)
    card = json.loads((folder / "bearometer.json").read_text())
    (folder / "bearometer.json").write_text(json.dumps({**card, "temperatures": {"text": 5.0}}))
    command = ("--model", folder, "--data", files["sentiment"], "--split", "development", "--json")

    def error(*more: str) -> float:
        result = run(*command, *more)
        assert result.exit_code == 0, result.output
        (on_set,) = json.loads(result.stdout)["sets"][0]["models"].values()
        return float(on_set["tasks"]["sentiment"]["ece"])

    before, after = error(), error("--calibrate")
    assert before > 0.1 > after
    assert error() == after, "the folder keeps what was fitted"
    assert json.loads((folder / "bearometer.json").read_text())["temperatures"]["text"] < 1


def test_the_report_holds_the_checks_too(tiny_run: Path, files: dict[str, Path], tmp_path: Path) -> None:
    small = tmp_path / "small.jsonl"
    small.write_text("".join(files["mentions"].read_text().splitlines(keepends=True)[:12]))
    result = run("--model", tiny_run, "--data", small, "--task", "mentions", "--report", tmp_path / "out")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "out" / "report.html").read_text()
    for words in ("small.jsonl: mentions", "Robustness", "Bias", "Time and memory", "rows/s", "other cashtags"):
        assert words in page
    assert "report.html" in result.stdout


def test_what_cannot_be_measured_is_said_in_one_line(tiny_run: Path, files: dict[str, Path], tmp_path: Path) -> None:
    assert isinstance(run("--data", files["topic"], "--task", "texts").exception, Misconfigured)
    unequal = run("--data", files["topic"], "--data", files["topic"], "--task", "topic").exception
    assert str(unequal) == "--task is given 1 times and --data 2 times; each file needs its task"
    kept = next(each.text for each in tiny_examples() if not is_development(each.text))
    (tmp_path / "train.jsonl").write_text(json.dumps({"text": kept, "label": "neutral"}))
    missing = run("--model", tiny_run, "--data", tmp_path / "train.jsonl", "--split", "development").exception
    assert isinstance(missing, Failed)
    assert "no rows of the development split" in str(missing)


def test_a_baseline_that_knows_no_topics_leaves_the_model_its_figures(tiny_run: Path, files: dict[str, Path]) -> None:
    result = run("--model", tiny_run, "--data", files["topic"], "--task", "topic", "--baseline", "vader", "--json")
    assert result.exit_code == 0, result.output
    ours, vaders = json.loads(result.stdout)["sets"][0]["models"].values()
    assert ours["tasks"]["topic"]["accuracy"] > 0.9
    assert vaders["tasks"] == {}
