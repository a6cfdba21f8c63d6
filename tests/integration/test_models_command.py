"""`bearometer models` as a person runs it."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import typer
from sqlalchemy import Engine
from typer.testing import CliRunner

from bearometer.commands.models import register
from bearometer.errors import Failed, Misconfigured
from bearometer.mention import WHOLE
from bearometer.registry import ShadowScore, WorkerReport
from model.folder import CARD_FILE, INT8_FILE
from model.load import SHIPPED_WEIGHTS
from storage.models import ModelStore
from storage.posts import PostStore
from storage.shadow import ShadowStore
from tests.conditions import wait_until
from tests.stored_samples import BAD, GOOD, NOON, scored


def run(*arguments: str) -> str:
    """What `bearometer models …` prints; raises what it raises."""
    app = typer.Typer()
    register(app)
    result = CliRunner().invoke(app, ["models", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def store(database_url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    monkeypatch.setenv("BEAROMETER_POSTGRES__URL", database_url)
    return ModelStore(engine)


def make_folder(path: Path, name: str) -> Path:
    """The weights that ship, under another name."""
    shutil.copytree(SHIPPED_WEIGHTS, path)
    card = json.loads((path / CARD_FILE).read_text("utf-8"))
    (path / CARD_FILE).write_text(json.dumps({**card, "name": name}), "utf-8")
    return path


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    return make_folder(tmp_path / "a", "anna"), make_folder(tmp_path / "b", "berta")


def test_a_model_goes_from_its_folder_into_use_and_back(store: ModelStore, folders: tuple[Path, Path]) -> None:
    assert "nothing is promoted: stream workers use the weights that ship" in run("list")
    for folder in folders:
        assert run("register", str(folder), "--who", "ann").endswith("is registered as a candidate\n")
    assert "its folder is now" in run("register", str(folders[0]))
    assert "before it: the shipped weights" in run("promote", "anna", "--who", "ann")
    assert "before it: anna-int8@" in run("promote", "berta", "--who", "bob")
    assert run("rollback", "--who", "cid").startswith("anna-int8@")
    assert run("rollback", "--who", "cid").startswith("the model that ships is active again; anna-int8@")
    with pytest.raises(Failed, match="nothing is promoted"):
        run("rollback")
    history = json.loads(run("history", "--json"))
    assert [(line["who"], line["action"]) for line in history] == [
        ("cid", "rollback"),
        ("cid", "rollback"),
        ("bob", "promote"),
        ("ann", "promote"),
    ]
    assert "the shipped weights" in run("history")
    assert [str(model.state) for model in store.versions()] == ["retired", "retired"]


def test_a_folder_that_cannot_be_loaded_is_neither_registered_nor_promoted_nor_a_shadow(
    store: ModelStore, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(Misconfigured, match="nowhere does not exist"):
        run("register", str(tmp_path / "nowhere"))
    run("register", str(folders[0]))
    (folders[0] / INT8_FILE).write_bytes(b"garbage")
    for command in ("promote", "shadow"):
        with pytest.raises(Misconfigured, match=r"weights .* are damaged or were replaced"):
            run(command, "anna")
    assert store.chosen().active is None
    assert store.changes() == []
    assert "no stream worker" in run("promote", "anna", "--unchecked")


def test_the_list_says_which_version_scored_what_and_what_each_worker_does(
    store: ModelStore, engine: Engine, folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("register", str(folders[0]), "--who", "ann\x1b[2J")
    version = store.find("anna").version
    PostStore(engine).save([scored(str(n), model=version) for n in range(3)], [])
    PostStore(engine).save([scored("4", model="keywords@1")], [])
    store.report(WorkerReport("box:7", "old@1", wanted=version, problem="the folder /x is gone", shadow="s@1"))
    shown = run("list")
    assert "\x1b" not in shown
    lines = [line.split() for line in shown.splitlines()]
    assert lines[1][:3] == [version, "candidate", "3"]
    assert lines[2][:3] == ["keywords@1", "-", "1"]
    assert f"box:7  scores with old@1; refuses {version}: the folder /x is gone; shadow s@1: 0 scored" in shown
    found = json.loads(run("list", "--json", "--days", "1"))
    assert [model["posts"] for model in found["models"]] == [0]
    assert found["workers"][0]["id"] == "box:7"
    monkeypatch.setenv("BEAROMETER_MODEL__PATH", str(folders[1]))
    assert f"`model.path` is {folders[1]}: with these settings a worker uses it, whatever is active" in run("list")


def test_promote_waits_for_the_workers_and_fails_when_one_keeps_its_model(
    store: ModelStore, folders: tuple[Path, Path]
) -> None:
    for folder in folders:
        run("register", str(folder))
    anna, berta = (store.find(name).version for name in ("anna", "berta"))
    store.report(WorkerReport("box:1", "old@1"))
    store.report(WorkerReport("pinned:1", "own@1", pinned=True))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(run, "promote", "anna")
        wait_until(lambda: store.chosen().active, 60)
        store.report(WorkerReport("box:1", anna, wanted=anna))
        assert waiting.result(60).endswith("1 of 1 stream workers have switched\n")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(run, "promote", "berta")
        wait_until(lambda: len(store.changes()) == 2, 60)
        store.report(WorkerReport("box:1", anna, wanted=berta, problem="the folder is gone"))
        with pytest.raises(Failed, match="1 of 1 stream workers kept their model: box:1: the folder is gone"):
            waiting.result(60)
    with pytest.raises(Failed, match=r"have not looked within 0\.1 s: box:1"):
        run("rollback", "--wait", "0.1")


def test_a_shadow_is_compared_and_forgotten(store: ModelStore, engine: Engine, folders: tuple[Path, Path]) -> None:
    with pytest.raises(Failed, match="there is no shadow: name a version"):
        run("compare")
    run("register", str(folders[0]))
    version = store.find("anna").version
    assert f"{version} is the shadow" in run("shadow", "anna")
    assert "has said nothing of any stored post" in run("compare")
    PostStore(engine).save([scored("1", text="ACME fell\x1b[2J", sentiment=BAD), scored("2", sentiment=BAD)], [])
    ShadowStore(engine).save(
        version,
        [ShadowScore(f"test:{n}", NOON, symbol, GOOD) for n in (1, 2) for symbol in (WHOLE, "ACME")],
    )
    store.report(WorkerReport("box:1", "old@1", shadow=version, shadow_scored=2, shadow_dropped=7))
    shown = run("compare")
    assert "\x1b" not in shown
    lines = [line.split() for line in shown.splitlines()]
    assert ["posts", "2", "0.0%", "+1.350", "1.350", "0.700"] in lines
    assert ["negative", "0", "0", "2"] in lines
    assert "ACME fell[2J" in shown
    assert "scored 2 posts with it and dropped 7" in shown
    found = json.loads(run("compare", "anna", "--json", "--limit", "1"))
    assert found["posts"]["shifts"] == [{"label": "negative", "shadow_label": "positive", "answers": 2}]
    assert len(found["furthest"]) == 1
    assert run("unshadow", "--forget").endswith("is no longer the shadow; 4 answers removed\n")
    assert run("unshadow") == "there was no shadow\n"
