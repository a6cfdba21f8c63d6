import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bearometer.topics import TOPICS
from model.loss import Loss, class_weights, shifted
from model.network import Logits
from model.recipe import Recipe
from model.rows import Batch
from model.schooling import ClassShares

SHARES = ClassShares(np.array([0.2, 0.5, 0.3]), np.array([0.2, 0.5, 0.3]), np.full(len(TOPICS), 1 / len(TOPICS)))


def batch(labels: list[int]) -> Batch:
    """One row for each label of its text; no mentions, no topics."""
    rows = len(labels)
    ids = np.ones((rows, 4), dtype=np.int64)
    nothing = np.zeros((rows, 1), dtype=np.float32)
    return Batch(
        ids,
        ids,
        np.zeros((rows, 1, 4), dtype=np.float32),
        np.eye(3, dtype=np.float32)[labels],
        np.ones(rows, dtype=np.float32),
        np.zeros((rows, 1, 3), dtype=np.float32),
        nothing,
        np.zeros((rows, len(TOPICS)), dtype=np.float32),
        nothing[:, 0],
    )


def logits(text: torch.Tensor) -> Logits:
    return Logits(text, torch.zeros(len(text), 1, 3), torch.zeros(len(text), len(TOPICS)))


LABELS = [0, 1, 2, 1]
TEXT = torch.tensor([[2.0, 0.1, -1.0], [0.3, 0.2, 0.1], [-2.0, 0.0, 3.0], [1.0, -1.0, 0.0]])


def test_without_extras_it_is_cross_entropy() -> None:
    expected = torch.nn.functional.cross_entropy(TEXT, torch.tensor(LABELS), reduction="sum")
    for recipe in (Recipe(), Recipe(focal=0.0, class_weights=0.0)):
        torch.testing.assert_close(Loss(recipe, "cpu")(logits(TEXT), batch(LABELS)), expected)


def test_focal_loss_counts_less_what_is_sure_already() -> None:
    sure = TEXT.softmax(-1)[range(4), LABELS]
    expected = ((1 - sure) ** 2 * -sure.log()).sum()
    torch.testing.assert_close(Loss(Recipe(focal=2.0), "cpu")(logits(TEXT), batch(LABELS)), expected)


def test_focal_loss_has_a_gradient_where_a_row_is_quite_sure() -> None:
    text = torch.tensor([[80.0, 0.0, 0.0]], requires_grad=True)
    Loss(Recipe(focal=0.5), "cpu")(logits(text), batch([0])).backward()  # type: ignore[no-untyped-call]
    assert text.grad is not None and bool(text.grad.isfinite().all())


def test_a_task_counts_as_much_as_the_recipe_says() -> None:
    plain, double, none = (
        float(Loss(Recipe(text_weight=weight), "cpu")(logits(TEXT), batch(LABELS))) for weight in (1.0, 2.0, 0.0)
    )
    assert double == pytest.approx(2 * plain)
    assert none == 0


def test_a_rare_class_counts_more() -> None:
    loss = Loss(Recipe(class_weights=1.0), "cpu", SHARES)
    same = torch.zeros(1, 3)
    rare, common = (float(loss(logits(same), batch([label]))) for label in (0, 1))
    assert rare / common == pytest.approx(0.5 / 0.2)


@given(st.lists(st.floats(1e-3, 1), min_size=2, max_size=20), st.floats(0, 1))
def test_class_weights_leave_the_whole_loss_as_large_as_it_was(counts: list[float], power: float) -> None:
    shares = np.array(counts) / sum(counts)
    weights = class_weights(shares, power)
    assert float((weights * shares).sum()) == pytest.approx(1)
    assert all(w == pytest.approx(1) for w in class_weights(shares, 0.0))
    order = np.argsort(shares, kind="stable")
    assert np.all(np.diff(weights[order]) <= 1e-9)


def test_a_class_that_is_never_taught_weighs_nothing() -> None:
    assert class_weights(np.array([0.0, 1.0]), 1.0).tolist() == [0.0, 1.0]
    assert class_weights(np.zeros(3), 1.0).tolist() == [0.0, 0.0, 0.0]


def test_the_embeddings_are_moved_along_their_gradient_and_back_again() -> None:
    embeddings = torch.nn.Embedding(5, 3)
    before = embeddings.weight.detach().clone()
    (embeddings(torch.tensor([1, 2])) ** 2).sum().backward()
    with shifted(embeddings, 0.7):
        step = embeddings.weight.detach() - before
        assert float(step.norm()) == pytest.approx(0.7, rel=1e-4)
        gradient = embeddings.weight.grad
        assert gradient is not None and float((step * gradient).sum()) > 0
        assert float(step[[0, 3, 4]].abs().sum()) == 0
    assert embeddings.weight.equal(before)
