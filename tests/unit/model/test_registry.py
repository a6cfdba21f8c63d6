"""Folders on their way into use, and those that are turned away."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bearometer.errors import Misconfigured
from bearometer.registry import ModelState, ModelVersion
from bearometer.settings import ModelSettings
from model import registry
from model.folder import CARD_FILE, CONFIG_FILE, INT8_FILE, TOKENIZER_FILE, ModelFolder
from model.load import SHIPPED_WEIGHTS
from model.registry import FolderContent, inspect_folder, load_version
from tests.fakes import NOON

SETTINGS = ModelSettings(threads=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The weights that ship, in a folder of their own."""
    return Path(shutil.copytree(SHIPPED_WEIGHTS, tmp_path / "mini"))


def version_of(content: FolderContent) -> ModelVersion:
    return ModelVersion(content.version, content.name, content.path, content.files, ModelState.ACTIVE, NOON, "ann")


def complaint(model: ModelVersion) -> str:
    with pytest.raises(Misconfigured) as caught:
        load_version(model, SETTINGS)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_is_known_by_its_version_its_files_and_its_card(folder: Path) -> None:
    content = inspect_folder(folder, SETTINGS)
    assert content.version.startswith(f"{content.name}-int8@")
    assert content.files[INT8_FILE] == content.version.rpartition("@")[2]
    assert content.card["name"] == content.name
    assert content.path.is_absolute()
    assert load_version(version_of(content), SETTINGS).version == content.version


def test_without_a_version_the_weights_that_ship_are_loaded(folder: Path) -> None:
    assert load_version(None, SETTINGS).version == inspect_folder(folder, SETTINGS).version


def test_settings_that_name_another_folder_do_not_matter(folder: Path, tmp_path: Path) -> None:
    version = version_of(inspect_folder(folder, SETTINGS))
    elsewhere = ModelSettings(threads=1, path=tmp_path / "other")
    assert load_version(version, elsewhere).version == version.version


def test_a_folder_that_is_gone_or_damaged_is_refused_in_one_line(folder: Path) -> None:
    version = version_of(inspect_folder(folder, SETTINGS))
    weights = folder / INT8_FILE
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    assert str(weights) in complaint(version)
    weights.unlink()
    assert str(folder) in complaint(version)
    shutil.rmtree(folder)
    assert complaint(version) == f"the model folder {folder} does not exist"


def test_a_folder_whose_weights_were_exchanged_is_refused_though_its_card_was_too(folder: Path) -> None:
    version = version_of(inspect_folder(folder, SETTINGS))
    registered = ModelVersion(
        "mini-int8@00000000", "mini", folder, {INT8_FILE: "00000000"}, ModelState.ACTIVE, NOON, "ann"
    )
    assert complaint(registered) == f"the model folder {folder} holds {version.version} now, not mini-int8@00000000"


def change_json(file: Path, **changes: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **changes}), "utf-8")


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        (CARD_FILE, {"temperatures": {"text": 3.5}}),
        (CARD_FILE, {"max_tokens": 17}),
        (CONFIG_FILE, {"hidden_dropout_prob": 0.25}),
        (TOKENIZER_FILE, {"version": "1.0", "truncation": None}),
    ],
)
def test_a_folder_that_answers_otherwise_than_when_it_was_registered_must_be_registered_again(
    folder: Path, name: str, changes: dict[str, object]
) -> None:
    version = version_of(inspect_folder(folder, SETTINGS))
    change_json(folder / name, **changes)
    problem = f"{folder} has another {name} than {version.version} was registered with: register it again"
    assert complaint(version) == problem
    again = version_of(inspect_folder(folder, SETTINGS))
    assert again.version == version.version
    assert again.files != version.files
    assert load_version(again, SETTINGS).version == version.version


def test_the_topics_of_a_card_belong_to_what_was_registered(folder: Path) -> None:
    described = replace(ModelFolder.open(folder), topics=("Law", "Sales"))
    turned = replace(described, topics=("Sales", "Law"))
    before, after = registry._digest_description(described), registry._digest_description(turned)
    assert [name for name in before if before[name] != after[name]] == [CARD_FILE]


def test_notes_in_a_card_change_nothing(folder: Path) -> None:
    version = version_of(inspect_folder(folder, SETTINGS))
    change_json(folder / CARD_FILE, calibration={"text": {"rows": 12}}, about="ours")
    assert load_version(version, SETTINGS).version == version.version
    assert inspect_folder(folder, SETTINGS).files == version.files


def test_what_breaks_a_library_is_a_line_of_ours(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = version_of(inspect_folder(folder, SETTINGS))

    def explode(_: ModelSettings) -> None:
        message = "bad node\nat line 3"
        raise RuntimeError(message)

    monkeypatch.setattr("model.registry.load_classifier", explode)
    assert complaint(version) == f"the model in {folder} cannot be used: RuntimeError: bad node"
