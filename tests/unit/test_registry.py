from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bearometer.registry import ModelAction, ModelChange, ModelState, ModelVersion, find_way_back
from tests.fakes import NOON


def change(action: str, version: str | None = None) -> ModelChange:
    return ModelChange(NOON, "ann", ModelAction(action), version, None)


def test_two_rollbacks_lead_two_promotions_back_and_then_to_the_shipped_weights() -> None:
    promotions = [change("promote", "a"), change("promote", "b"), change("promote", "c")]
    assert find_way_back(promotions) == ("b", "a", None)
    assert find_way_back([*promotions, change("rollback", "b")]) == ("a", None)
    assert find_way_back([*promotions, change("rollback", "b"), change("promote", "d")]) == ("b", "a", None)
    assert find_way_back([*promotions, *[change("rollback")] * 3]) == ()
    assert find_way_back([]) == ()


def test_shadows_are_no_part_of_the_way_back() -> None:
    assert find_way_back([change("promote", "a"), change("shadow", "b"), change("unshadow")]) == (None,)


@given(st.lists(st.sampled_from(["promote", "shadow", "unshadow"]), max_size=8), st.sampled_from("xyz"))
def test_a_rollback_takes_the_promotion_before_it_back_whatever_was_before(before: list[str], version: str) -> None:
    changes = [change(action, f"{n}") for n, action in enumerate(before)]
    after = [*changes, change("promote", version), change("rollback")]
    assert find_way_back(after) == find_way_back(changes)


def test_a_worker_with_a_gpu_reads_another_file_of_the_same_folder() -> None:
    files = {"model-int8.onnx": "11111111", "model.safetensors": "22222222"}
    model = ModelVersion("mini-int8@11111111", "mini", Path("/m"), files, ModelState.ACTIVE, NOON, "ann")
    assert model.said("mini-int8@11111111")
    assert model.said("mini-torch@22222222")
    assert not model.said("mini-int8@33333333")
