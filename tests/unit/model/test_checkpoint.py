from pathlib import Path

import pytest
import torch

from bearometer.errors import Misconfigured
from model.checkpoint import Checkpoint, Checkpoints, clear_checkpoint, has_checkpoint

CHECKPOINT = Checkpoint({"epoch": 1, "loss": 0.1 + 0.2}, {"network.a": torch.tensor([1.5, -2.0])})


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "new" / "run", "me")
    assert checkpoints.load() is None
    checkpoints.save(CHECKPOINT)
    loaded = Checkpoints(tmp_path / "new" / "run", "me").load()
    assert loaded is not None and loaded.state == CHECKPOINT.state
    assert loaded.tensors["network.a"].equal(CHECKPOINT.tensors["network.a"])


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    Checkpoints(tmp_path, "me").save(CHECKPOINT)
    with pytest.raises(Misconfigured, match=r"a checkpoint of another training .* start over with --fresh"):
        Checkpoints(tmp_path, "somebody else").load()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_damaged_checkpoint_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "checkpoint.safetensors").write_bytes(content)
    with pytest.raises(Misconfigured, match="cannot be read") as caught:
        Checkpoints(tmp_path, "me").load()
    assert "\n" not in str(caught.value)


def test_a_file_that_was_cut_short_while_it_was_written_is_not_looked_at(tmp_path: Path) -> None:
    Checkpoints(tmp_path, "me").save(CHECKPOINT)
    (tmp_path / "checkpoint.new").write_bytes(b"half")
    loaded = Checkpoints(tmp_path, "me").load()
    assert loaded is not None and loaded.state == CHECKPOINT.state


def test_the_best_weights_are_kept_beside_it_and_both_are_cleared(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "me")
    checkpoints.save(CHECKPOINT)
    checkpoints.save_best(CHECKPOINT.tensors)
    assert checkpoints.load_best()["network.a"].tolist() == [1.5, -2.0]
    assert has_checkpoint(tmp_path)
    clear_checkpoint(tmp_path)
    assert not has_checkpoint(tmp_path) and not list(tmp_path.iterdir())
