"""`bearometer drift`, as a person runs it."""

import csv
import itertools
import json
import random
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from bearometer.commands.drift import register
from bearometer.errors import Failed, Misconfigured
from bearometer.mention import Sentiment
from model.load import SHIPPED_WEIGHTS
from storage.models import ModelStore
from storage.posts import PostStore
from tests.command_line import Run, command_on
from tests.stored_samples import scored

NAMES = (
    "Quillmark",
    "Tern Aviation",
    "Ostrava Steel",
    "Lumen Foods",
    "Harbour Bank",
    "Pelican Energy",
    "$QMRK",
    "$TERN",
)
NEWS = ("beats every estimate", "cuts its outlook again", "wins a record order", "will report on Thursday")
DAYS = ("today", "on Monday", "this week", "in London", "as expected", "says its board", "- analysts", "after a review")
TEXTS = [" ".join(parts) for parts in itertools.product(NAMES, NEWS, DAYS)]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """The weights that ship, in a folder of our own, without a profile."""
    return Path(shutil.copytree(SHIPPED_WEIGHTS, tmp_path / "weights", ignore=shutil.ignore_patterns("profile.json")))


@pytest.fixture
def run(database_url: str) -> Run:
    return command_on(database_url, register, "drift")


def store(engine: Engine, texts: Sequence[str], sentiments: Sequence[Sentiment], model: str = "test-1") -> None:
    posts = [
        replace(scored(str(n), sentiment=sentiment, fingerprint=f"f{n}", text=content, model=model), topics={})
        for n, (content, sentiment) in enumerate(zip(texts, sentiments, strict=True))
    ]
    PostStore(engine).save(posts, [])


def make_profile(run: Run, weights: Path, folder: Path) -> str:
    file = folder / "texts.csv"
    with file.open("w", newline="") as lines:
        csv.writer(lines).writerows([("text", "label"), *((text, "0") for text in TEXTS), (TEXTS[0], "1")])
    output = run("--model", weights, "--profile-of", file).output
    assert f"profile.json: {len(TEXTS)} texts counted, {len(TEXTS)} of them scored" in " ".join(output.split())
    return output


def scores_like(weights: Path) -> list[Sentiment]:
    """Sentiments whose scores are spread as the profile's are."""
    counts = json.loads((weights / "profile.json").read_text())["scores"]
    middles = [place / 5 - 0.9 for place, count in enumerate(counts) for _ in range(count)]
    random.Random(1).shuffle(middles)
    return [Sentiment(max(0.0, -middle), 1 - abs(middle), max(0.0, middle)) for middle in middles]


def test_posts_like_the_training_data_are_steady_and_others_are_told(
    run: Run, engine: Engine, weights: Path, tmp_path: Path
) -> None:
    make_profile(run, weights, tmp_path)
    version = json.loads((weights / "profile.json").read_text())["model"]
    store(engine, TEXTS, scores_like(weights), model=version)

    steady = run("--model", weights)
    assert steady.exit_code == 0, steady.output
    assert [line.split()[0] for line in steady.output.splitlines()[1:]] == ["steady"] * 4
    assert f"{len(TEXTS)} distinct texts of the last 7 days beside {len(TEXTS)} of the training data" in steady.output

    gloom = [Sentiment(0.9, 0.08, 0.02)] * 250
    store_again = [f"{text} \x1b[31mbankruptcy looms, bankruptcy feared {n}" for n, text in enumerate(TEXTS[:250])]
    PostStore(engine).save(
        [
            replace(scored(f"x{n}", sentiment=one, fingerprint=f"x{n}", text=text, model=version), topics={})
            for n, (text, one) in enumerate(zip(store_again, gloom, strict=True))
        ],
        [],
    )
    drifted = run("--model", weights)
    assert drifted.exit_code == 3
    assert "drift: score, length, vocabulary" in drifted.output
    assert "bankruptcy" in drifted.output
    assert "\x1b" not in drifted.output

    found = json.loads(run("--model", weights, "--json").output)
    assert found["texts"] == len(TEXTS) + 250
    assert found["models"] == {version: len(TEXTS) + 250}
    assert (found["judged"], found["left_out"]) == (len(TEXTS) + 250, [])
    assert found["drifted"][:3] == ["score", "length", "vocabulary"]
    assert {"name", "measure", "value", "chance", "limits", "level", "words"} == {*found["shifts"][0]}


def test_the_active_version_of_the_registry_brings_its_profile(
    run: Run, engine: Engine, weights: Path, tmp_path: Path
) -> None:
    make_profile(run, weights, tmp_path)
    version = json.loads((weights / "profile.json").read_text())["model"]
    store(engine, TEXTS, scores_like(weights), model=version)
    models = ModelStore(engine)
    models.register(version, "mine", weights, {}, {}, "ann")
    models.promote(version, "ann")

    output = run().output
    assert "distinct texts" in output
    assert "score and topics" not in output


def test_what_another_model_said_is_no_drift(run: Run, engine: Engine, weights: Path, tmp_path: Path) -> None:
    make_profile(run, weights, tmp_path)
    version = json.loads((weights / "profile.json").read_text())["model"]
    before = 130
    store(engine, TEXTS, [Sentiment(0.9, 0.08, 0.02)] * before + scores_like(weights)[before:], model=version)
    by_another = text("UPDATE posts SET model = 'old@1' WHERE split_part(id, ':', 2)::int < :first")

    assert run("--model", weights).exit_code == 3
    with engine.begin() as connection:
        connection.execute(by_another, {"first": before})

    mixed = run("--model", weights)
    assert mixed.exit_code == 0, mixed.output
    assert f"score and topics are those of the {len(TEXTS) - before} texts that the model of" in mixed.output
    assert json.loads(run("--model", weights, "--json").output)["judged"] == len(TEXTS) - before

    with engine.begin() as connection:
        connection.execute(by_another, {"first": len(TEXTS) - 99})
    left = run("--model", weights, "--json")
    found = json.loads(left.output)
    assert found["judged"] == 99
    assert (left.exit_code, found["left_out"], found["drifted"]) == (0, ["score", "topics"], [])
    assert [shift["name"] for shift in found["shifts"]] == ["length", "vocabulary", "rare words"]
    assert "score and topics are not compared: 99 of the texts" in run("--model", weights).output


def test_the_same_version_on_a_gpu_is_the_same_model(run: Run, engine: Engine, weights: Path, tmp_path: Path) -> None:
    make_profile(run, weights, tmp_path)
    version = json.loads((weights / "profile.json").read_text())["model"]
    store(engine, TEXTS, scores_like(weights), model="mine-torch@0123abcd")
    assert "score and topics are not compared: 0 of the texts" in run("--model", weights).output

    files = {"model-int8.onnx": version.rpartition("@")[2], "model.safetensors": "0123abcd"}
    models = ModelStore(engine)
    models.register("other@1", "other", weights, {"model.safetensors": "0123abcd"}, {}, "ann")
    assert json.loads(run("--model", weights, "--json").output)["judged"] == 0
    models.register(version, "mine", weights, files, {}, "ann")
    assert json.loads(run("--model", weights, "--json").output)["judged"] == len(TEXTS)


def test_too_few_texts_and_a_missing_profile_are_told_in_one_line(
    run: Run, engine: Engine, weights: Path, tmp_path: Path
) -> None:
    with pytest.raises(Misconfigured, match=r"no profile of the training data at .*profile\.json"):
        run("--model", weights)
    make_profile(run, weights, tmp_path)
    store(engine, TEXTS[:99], scores_like(weights)[:99])
    with pytest.raises(Failed, match="99 distinct texts were stored in the last 2 days; 100 are needed"):
        run("--model", weights, "--days", "2")
