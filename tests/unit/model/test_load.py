import subprocess
import sys
from pathlib import Path

import orjson
import pytest
import torch

from bearometer.errors import Misconfigured, MissingExtra
from bearometer.settings import ModelSettings
from model.folder import ModelFolder
from model.load import load_classifier
from model.scaling import Scaling


def make_folder(folder: Path, config: object) -> Path:
    (folder / "tokenizer.json").write_text("{}")
    (folder / "config.json").write_bytes(orjson.dumps(config))
    return folder


NAMED = {"id2label": {"0": "Positive", "1": "Negative", "2": "Neutral"}}


def test_labels_may_stand_in_any_order(tmp_path: Path) -> None:
    assert ModelFolder.open(make_folder(tmp_path, NAMED)).label_order == (1, 2, 0)


@pytest.mark.parametrize(
    "id2label",
    [
        None,
        {},
        {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"},
        {"0": "negative", "1": "positive"},
        {"0": "0", "1": "1"},
    ],
)
def test_labels_without_our_names_are_refused(tmp_path: Path, id2label: object) -> None:
    with pytest.raises(Misconfigured, match="`id2label` must name negative, neutral, positive"):
        ModelFolder.open(make_folder(tmp_path, {"id2label": id2label}))


def test_topics_and_scalings_come_from_the_card(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, NAMED)
    assert ModelFolder.open(folder).topics == ()
    assert ModelFolder.open(folder).scalings == {"text": Scaling(), "mention": Scaling(), "topic": Scaling()}
    card = {"topics": ["Earnings", "Macro"], "temperatures": {"text": 1.5, "topic": 2}, "exponents": {"text": 1.2}}
    (folder / "bearometer.json").write_bytes(orjson.dumps(card))
    assert ModelFolder.open(folder).topics == ("Earnings", "Macro")
    assert ModelFolder.open(folder).scalings == {"text": Scaling(1.5, 1.2), "mention": Scaling(), "topic": Scaling(2.0)}


@pytest.mark.parametrize(
    "card",
    [
        {"topics": []},
        {"topics": ["Macro", "Macro"]},
        {"topics": "Macro"},
        {"temperatures": [1.0]},
        {"temperatures": {"text": 0}},
        {"temperatures": {"text": "1"}},
        {"temperatures": {"sentiment": 1.0}},
        {"temperatures": {"text": True}},
        {"exponents": {"text": -1}},
    ],
)
def test_a_card_that_cannot_be_meant_is_refused(tmp_path: Path, card: dict[str, object]) -> None:
    (make_folder(tmp_path, NAMED) / "bearometer.json").write_bytes(orjson.dumps(card))
    with pytest.raises(Misconfigured, match=f"`{next(iter(card))}` must"):
        ModelFolder.open(tmp_path)


def test_a_folder_that_lacks_something_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="does not exist"):
        load_classifier(ModelSettings(path=tmp_path / "none"))
    with pytest.raises(Misconfigured, match=r"has no tokenizer\.json"):
        load_classifier(ModelSettings(path=tmp_path))
    with pytest.raises(Misconfigured, match=r"has none of model-int8\.onnx"):
        load_classifier(ModelSettings(path=make_folder(tmp_path, NAMED)))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_is_refused_where_there_is_no_gpu(tiny_run: Path) -> None:
    with pytest.raises(Misconfigured, match="cuda; torch finds no GPU here"):
        load_classifier(ModelSettings(path=tiny_run, device="cuda"))


def test_cuda_needs_torch_weights() -> None:
    with pytest.raises(Misconfigured):
        load_classifier(ModelSettings(device="cuda"))


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_what_is_not_installed_is_named_with_its_extra(
    package: str, tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    with pytest.raises(MissingExtra, match=rf"`{package}` is missing: pip install 'bearometer\[train\]'"):
        load_classifier(ModelSettings(path=tiny_run, device="cpu"))


def test_scoring_on_a_cpu_does_not_import_torch() -> None:
    script = (
        "import sys\n"
        "import bearometer.commands.score, bearometer.commands.export, model.score\n"
        "from bearometer.settings import ModelSettings\n"
        "from model.load import load_classifier\n"
        "load_classifier(ModelSettings(device='cpu'))\n"
        "found = {'torch', 'transformers', 'onnx'} & set(sys.modules)\n"
        "sys.exit(', '.join(found) or 0)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
