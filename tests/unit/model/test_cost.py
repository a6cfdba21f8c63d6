import pytest

from bearometer.errors import Failed
from bearometer.settings import ModelSettings
from model.cost import Contender, measure_cost
from model.dataset import Example


def test_a_tool_is_measured_in_a_process_of_its_own() -> None:
    ours = bytearray(b"x") * 400_000_000  # a fresh process must not be charged for what its parent holds
    cost = measure_cost(Contender(ModelSettings(), "vader"), [Example("Tern rises, a great success")] * 300)
    assert cost.rows == 300
    assert cost.rows_per_second > 0
    assert cost.load_seconds > 0
    assert 10 < cost.peak_megabytes < 400
    assert len(ours) == 400_000_000


def test_what_the_process_died_of_is_said_in_one_line() -> None:
    with pytest.raises(Failed, match=r"measuring the cost of a model failed: .*'nothing'; it must be vader"):
        measure_cost(Contender(ModelSettings(), "nothing"), [Example("a")])
