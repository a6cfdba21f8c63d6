from pathlib import Path

import numpy as np
import onnx
import orjson
import pytest
import torch
import typer
from transformers import BertConfig, BertForSequenceClassification
from typer.testing import CliRunner

from bearometer.commands.export import register
from bearometer.errors import Failed, Misconfigured
from bearometer.settings import ModelSettings
from bearometer.topics import TOPICS
from model.classifier import Classifier, Judgement, Passage
from model.dataset import split_examples
from model.export import export, staging, write_export
from model.fidelity import PROBES, Difference, compare_export, difference_table
from model.folder import FP32_FILE, INT8_FILE, ModelFolder
from model.load import load_classifier
from model.onnx import OnnxClassifier
from model.torch import TorchClassifier
from tests.unit.model.tiny import tiny_contrasts, tiny_examples

DEVELOPMENT = split_examples([*tiny_examples(), *tiny_contrasts()])[1]
PASSAGES = [Passage(example.text, tuple(name for name, _ in example.mentions)) for example in DEVELOPMENT]


@pytest.fixture(scope="module")
def exported(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tiny_run, tmp_path_factory.mktemp("exported")).path


def judge(classifier: Classifier, passages: list[Passage]) -> list[Judgement]:
    judgements = [judgement for judgement in classifier.classify(classifier.prepare(passages)) if judgement]
    assert len(judgements) == len(passages)
    return judgements


def numbers(judgement: Judgement) -> np.typing.NDArray[np.float64]:
    sentiments = [judgement.sentiment, *judgement.entities]
    return np.array(
        [part for each in sentiments for part in (each.negative, each.positive)] + [*judgement.topics.values()]
    )


def copy(source: Path, target: Path, *without: str) -> Path:
    for file in source.iterdir():
        if file.name not in without:
            (target / file.name).write_bytes(file.read_bytes())
    return target


def test_int8_gives_what_torch_gives(tiny_run: Path, exported: Path) -> None:
    difference = compare_export(tiny_run, exported, DEVELOPMENT)
    assert difference.mean < 0.02
    assert difference.largest < 0.1
    assert difference.changed <= 0.01 * difference.answers
    scores = difference.scores()
    assert scores["int8"].mention_accuracy == pytest.approx(scores["torch"].mention_accuracy, abs=0.01)
    assert scores["int8"].text_accuracy is not None and scores["int8"].topic_accuracy is not None


def test_a_difference_counts_what_came_out_otherwise(exported: Path) -> None:
    judgements = judge(OnnxClassifier(ModelFolder.open(exported)), [Passage(PROBES[0].text, ("Quillmark",))] * 2)
    same = Difference(PROBES[:2], judgements, judgements)
    assert (same.mean, same.changed, same.answers) == (0.0, 0, 6)
    missing = Difference(PROBES[:2], [judgements[0], None], judgements)
    assert (missing.mean, missing.changed, missing.answers) == (0.5, 3, 6)
    measures = [str(cell) for cell in difference_table(same).columns[0].cells]
    assert {"text weighted F1", "mention accuracy", "topic accuracy"} <= set(measures)


def test_fp32_gives_what_torch_gives_exactly(tiny_run: Path, exported: Path, tmp_path: Path) -> None:
    classifier = OnnxClassifier(ModelFolder.open(copy(exported, tmp_path, INT8_FILE)))
    original = TorchClassifier(ModelFolder.open(tiny_run))
    for ours, expected in zip(judge(classifier, PASSAGES), judge(original, PASSAGES), strict=True):
        assert numbers(ours) == pytest.approx(numbers(expected), abs=1e-4)
        assert ours.found == expected.found
    assert classifier.version.startswith("tiny-fp32@")


def test_an_int8_answer_is_the_same_in_any_company(exported: Path) -> None:
    classifier = OnnxClassifier(ModelFolder.open(exported))
    alone = [judge(classifier, [passage])[0] for passage in PASSAGES]
    together = judge(classifier, [*PASSAGES, Passage("x !" * 200, ("x", "y", "!"))])
    for one, other in zip(alone, together[:-1], strict=True):
        assert numbers(one) == pytest.approx(numbers(other), abs=1e-4)


def test_the_temperatures_of_the_card_are_applied_and_carried_along(tiny_run: Path, tmp_path: Path) -> None:
    source = copy(tiny_run, tmp_path)
    plain = judge(TorchClassifier(ModelFolder.open(source)), PASSAGES)
    card = orjson.loads((source / "bearometer.json").read_bytes())
    card["temperatures"] = {"text": 3.0, "mention": 5.0, "topic": 7.0}
    (source / "bearometer.json").write_bytes(orjson.dumps(card))
    folder = export(source, source)
    assert {head: scaling.temperature for head, scaling in folder.scalings.items()} == card["temperatures"]
    for classifier in (TorchClassifier(folder), OnnxClassifier(folder)):
        for before, after in zip(plain, judge(classifier, PASSAGES), strict=True):
            assert max(after.topics.values()) < max(before.topics.values())
            for one, other in zip(
                (before.sentiment, *before.entities), (after.sentiment, *after.entities), strict=True
            ):
                assert max(other.negative, other.neutral, other.positive) < max(one.negative, one.neutral, one.positive)


def test_a_model_made_by_others_is_exported_with_the_one_output_that_it_has(tiny_base: Path, tmp_path: Path) -> None:
    torch.manual_seed(2)
    vocabulary = len(orjson.loads((tiny_base / "tokenizer.json").read_bytes())["model"]["vocab"])
    config = BertConfig(vocab_size=vocabulary, hidden_size=32, num_hidden_layers=1, num_attention_heads=2)
    config.intermediate_size = 64
    config.id2label = {0: "Positive", 1: "Negative", 2: "Neutral"}
    BertForSequenceClassification(config).save_pretrained(tmp_path)  # type: ignore[no-untyped-call]
    (tmp_path / "tokenizer.json").write_bytes((tiny_base / "tokenizer.json").read_bytes())
    original = TorchClassifier(ModelFolder.open(tmp_path))
    folder = export(tmp_path, tmp_path / "exported")
    (tmp_path / "exported" / INT8_FILE).unlink()
    for ours, expected in zip(judge(OnnxClassifier(folder), PASSAGES), judge(original, PASSAGES), strict=True):
        assert numbers(ours) == pytest.approx(numbers(expected), abs=1e-4)
        assert ours.topics == {}
        assert set(ours.found) == {False}
        assert set(ours.entities) == {ours.sentiment}


def test_weights_that_do_not_fit_their_description_are_refused(exported: Path, tmp_path: Path) -> None:
    copy(exported, tmp_path)
    card = orjson.loads((tmp_path / "bearometer.json").read_bytes())
    for topics in (None, list(TOPICS[:5])):
        (tmp_path / "bearometer.json").write_bytes(orjson.dumps({**card, "topics": topics}))
        with pytest.raises(Misconfigured, match="which is not what"):
            OnnxClassifier(ModelFolder.open(tmp_path))


def test_the_heads_stay_in_float_and_the_encoder_does_not(exported: Path) -> None:
    graph = onnx.load(exported / INT8_FILE).graph
    kinds = {
        tensor.name: tensor.data_type for tensor in graph.initializer if len(tensor.dims) == 2 and min(tensor.dims) > 1
    }
    assert {kinds[name] for name in kinds if "_head" in name} == {onnx.TensorProto.FLOAT}
    assert len([name for name, kind in kinds.items() if kind == onnx.TensorProto.INT8]) == 2 * 6


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
    export(copy(tiny_run, tmp_path), tmp_path, with_fp32=False)
    assert OnnxClassifier(ModelFolder.open(tmp_path)).version.startswith("tiny-int8@")
    assert TorchClassifier(ModelFolder.open(tmp_path)).version.startswith("tiny-torch@")


def names_in(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_without_fp32_none_is_left_of_an_earlier_export(tiny_run: Path, exported: Path, tmp_path: Path) -> None:
    folder = export(tiny_run, copy(exported, tmp_path), with_fp32=False)
    assert FP32_FILE not in folder.digests
    assert names_in(tmp_path) == names_in(exported) - {FP32_FILE}


def test_temperatures_that_an_export_was_given_stay_until_other_weights_come(
    tiny_run: Path, exported: Path, tmp_path: Path
) -> None:
    copy(exported, tmp_path)
    card = orjson.loads((tmp_path / "bearometer.json").read_bytes())
    assert "temperatures" not in card, "else this proves nothing"
    for digest, expected in ((card["exported_from"], 3.0), ("00000000", 1.0)):
        content = {**card, "temperatures": {"text": 3.0}, "exported_from": digest}
        (tmp_path / "bearometer.json").write_bytes(orjson.dumps(content))
        with staging(tmp_path) as folder:
            written = write_export(tiny_run, folder, tmp_path, with_fp32=False)
            assert written.scalings["text"].temperature == expected


def test_an_export_that_fails_its_check_leaves_the_files_that_were_there(
    tiny_run: Path, exported: Path, tmp_path: Path
) -> None:
    copy(exported, tmp_path)
    (tmp_path / INT8_FILE).write_bytes(b"a good one")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    app = typer.Typer(rich_markup_mode=None)
    register(app)
    command = [str(tiny_run), "--output", str(tmp_path), "--no-fp32", "--max-difference", "0"]
    failed = CliRunner().invoke(app, command)
    assert isinstance(failed.exception, Failed), failed.output
    assert "is left as it was" in str(failed.exception)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    done = CliRunner().invoke(app, [*command[:-1], "1"])
    assert done.exit_code == 0, done.output
    assert names_in(tmp_path) == names_in(exported) - {FP32_FILE}
    assert OnnxClassifier(ModelFolder.open(tmp_path)).version.startswith("tiny-int8@")


def test_a_folder_that_cannot_be_made_is_named(tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="nothing can be written to"):
        export(tiny_run, tmp_path / "file" / "out")


def test_an_export_cannot_be_exported(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="export needs what `bearometer train` made"):
        export(exported, tmp_path)


def test_the_folder_decides_what_the_cpu_runs(tiny_run: Path, exported: Path) -> None:
    assert isinstance(load_classifier(ModelSettings(path=exported, device="cpu")), OnnxClassifier)
    assert isinstance(load_classifier(ModelSettings(path=tiny_run, device="cpu")), TorchClassifier)


def test_damaged_weights_are_refused(exported: Path, tmp_path: Path) -> None:
    copy(exported, tmp_path)
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
