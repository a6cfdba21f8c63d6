from pathlib import Path

import pytest

from bearometer.errors import Misconfigured
from bearometer.settings import ModelSettings
from model.classifier import Passage
from model.dataset import split_examples
from model.export import compare_export, export
from model.folder import FP32_FILE, INT8_FILE, ModelFolder
from model.load import load_classifier
from model.onnx import OnnxClassifier
from model.torch import TorchClassifier
from tests.unit.model.tiny import tiny_examples

DEVELOPMENT = split_examples(tiny_examples())[1]


@pytest.fixture(scope="module")
def exported(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tiny_run, tmp_path_factory.mktemp("exported")).path


def test_int8_gives_what_torch_gives(tiny_run: Path, exported: Path) -> None:
    difference = compare_export(tiny_run, exported, DEVELOPMENT)
    assert difference.mean < 0.02
    assert difference.largest < 0.1
    assert difference.changed_labels == 0


def test_fp32_gives_what_torch_gives_exactly(tiny_run: Path, exported: Path, tmp_path: Path) -> None:
    for file in exported.iterdir():
        if file.name != INT8_FILE:
            (tmp_path / file.name).write_bytes(file.read_bytes())
    classifier = OnnxClassifier(ModelFolder.open(tmp_path))
    original = TorchClassifier(ModelFolder.open(tiny_run))
    passages = [Passage(example.text) for example in DEVELOPMENT]
    ours = classifier.classify(classifier.prepare(passages))
    for judgement, expected in zip(ours, original.classify(original.prepare(passages)), strict=True):
        assert judgement is not None and expected is not None
        assert judgement.sentiment.negative == pytest.approx(expected.sentiment.negative, abs=1e-5)
    assert classifier.version.startswith("tiny-fp32@")


def test_an_int8_answer_is_the_same_in_any_company(exported: Path) -> None:
    classifier = OnnxClassifier(ModelFolder.open(exported))
    texts = [example.text for example in DEVELOPMENT]
    alone = [classifier.classify(classifier.prepare([Passage(text)]))[0] for text in texts]
    together = classifier.classify(classifier.prepare([Passage(text) for text in [*texts, "x !" * 200]]))
    for one, other in zip(alone, together[:-1], strict=True):
        assert one is not None and other is not None
        assert one.sentiment.negative == pytest.approx(other.sentiment.negative, abs=1e-4)
        assert one.sentiment.positive == pytest.approx(other.sentiment.positive, abs=1e-4)


def test_what_was_exported_holds_no_path_of_the_machine_that_made_it(exported: Path) -> None:
    for name in (INT8_FILE, FP32_FILE):
        content = (exported / name).read_bytes()
        assert b'File "' not in content
        assert b".py" not in content


def test_what_was_exported_says_what_it_came_from(tiny_run: Path, exported: Path) -> None:
    folder = ModelFolder.open(exported)
    assert folder.name == "tiny"
    assert folder.max_tokens == 32
    assert set(folder.digests) == {INT8_FILE, FP32_FILE}
    assert (exported / INT8_FILE).stat().st_size < (exported / FP32_FILE).stat().st_size


def test_a_run_folder_may_be_exported_in_place(tiny_run: Path, tmp_path: Path) -> None:
    for file in tiny_run.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    export(tmp_path, tmp_path, with_fp32=False)
    assert OnnxClassifier(ModelFolder.open(tmp_path)).version.startswith("tiny-int8@")
    assert TorchClassifier(ModelFolder.open(tmp_path)).version.startswith("tiny-torch@")


def test_an_export_cannot_be_exported(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="export needs what `bearometer train` made"):
        export(exported, tmp_path)


def test_the_folder_decides_what_the_cpu_runs(tiny_run: Path, exported: Path) -> None:
    assert isinstance(load_classifier(ModelSettings(path=exported, device="cpu")), OnnxClassifier)
    assert isinstance(load_classifier(ModelSettings(path=tiny_run, device="cpu")), TorchClassifier)


def test_damaged_weights_are_refused(exported: Path, tmp_path: Path) -> None:
    for file in exported.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    whole = (tmp_path / INT8_FILE).read_bytes()
    (tmp_path / INT8_FILE).write_bytes(whole[:-100])
    with pytest.raises(Misconfigured, match="damaged or were replaced"):
        load_classifier(ModelSettings(path=tmp_path))


def test_a_file_that_is_no_model_is_named(exported: Path, tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((exported / name).read_bytes())
    (tmp_path / INT8_FILE).write_bytes(b"not a model")
    with pytest.raises(Misconfigured, match="cannot be loaded"):
        load_classifier(ModelSettings(path=tmp_path))
