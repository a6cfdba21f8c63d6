from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearometer.errors import Misconfigured
from model.plan import Plan, read_plan, write_plan
from model.recipe import Augmentation, DataSet, Recipe

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
DATA = st.builds(DataSet, TEXT, task=TEXT, passes=st.floats(0, 9), rows=st.one_of(st.none(), st.integers(1, 99_999)))
RECIPES = st.builds(
    Recipe,
    epochs=st.integers(1, 99),
    learning_rate=st.floats(0, 1),
    layers=st.sampled_from(["all", "head", "3"]),
    head_seed=st.one_of(st.none(), st.integers(0, 99)),
    focal=st.floats(0, 5),
    augmentation=st.builds(Augmentation, st.floats(0, 1), st.floats(0, 1)),
)
PLANS = st.builds(
    Plan,
    base=TEXT,
    data=st.lists(DATA, min_size=1, max_size=3).map(tuple),
    name=st.one_of(st.none(), TEXT),
    development=st.lists(DATA, max_size=2).map(tuple),
    seeds=st.lists(st.integers(0, 2**40), unique=True, max_size=3).map(tuple),
    combine=st.sampled_from(["average", "best"]),
    recipe=RECIPES,
)
SMALL = 'base = "b"\n[[data]]\npath = "a.csv"\n'


@given(PLANS)
def test_a_plan_that_is_written_reads_the_same(tmp_path_factory: pytest.TempPathFactory, plan: Plan) -> None:
    path = tmp_path_factory.mktemp("plans") / "plan.toml"
    path.write_text(write_plan(plan), encoding="utf-8")
    assert read_plan(path) == plan


def test_what_a_plan_does_not_say_is_the_default(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(SMALL)
    assert read_plan(tmp_path / "plan.toml") == Plan("b", (DataSet("a.csv"),))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            f"{SMALL}[recipe]\nlerning_rate = 1\n",
            r"`recipe\.lerning_rate` is unknown; it must be one of epochs, batch_size",
        ),
        (f"seed = 7\n{SMALL}", "`seed` is unknown; it must be one of base, data, name"),
        (f'{SMALL}tsk = "topic"\n', r"`data\.tsk` is unknown; it must be one of path, task"),
        (f"{SMALL}[recipe.augmentation]\nwords = 1\n", r"`recipe\.augmentation\.words` is unknown"),
        (f'{SMALL}[recipe]\nepochs = "4"\n', r"`recipe\.epochs` is '4'; it must be a whole number"),
        (f"{SMALL}[recipe]\nepochs = true\n", r"`recipe\.epochs` is True; it must be a whole number"),
        (f"{SMALL}[recipe]\nepochs = 0\n", "`epochs` is 0; it must be 1 or more"),
        (f"{SMALL}[recipe]\nlearning_rate = nan\n", "`learning_rate` is nan; it must be 0 or more"),
        (f"{SMALL}passes = inf\n", r"`data\.passes` is inf; it must be 0 or more and finite"),
        (f"{SMALL}[recipe.augmentation]\ncase = 2\n", r"`augmentation\.case` is 2.*from 0 to 1"),
        (f"{SMALL}[recipe]\nlayers = 2\nlora_rank = 8\n", "with LoRA it must be all"),
        (f"seeds = 7\n{SMALL}", "`seeds` is 7; it must be a list"),
        (f"seeds = [1, 1]\n{SMALL}", "each must be there once"),
        (f'combine = "vote"\n{SMALL}', "`combine` is 'vote'; it must be average or best"),
        (f"{SMALL}rows = 0\n", r"`data\.rows` is 0; it must be 1 or more"),
        ('base = "b"\n', "`data` is missing"),
        ('base = "b"\ndata = []\n', "`data` is empty"),
        ('[[data]]\npath = "a.csv"\n', "`base` is missing"),
        ("base =\n", "cannot be read"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(content)
    with pytest.raises(Misconfigured, match=said) as caught:
        read_plan(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_plan_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="does not exist"):
        read_plan(tmp_path / "none.toml")


@pytest.mark.parametrize("name", ["teacher", "student", "labels"])
def test_the_plans_that_come_with_it_can_be_read(name: str) -> None:
    plan = read_plan(Path(__file__).parents[3] / "model" / "recipes" / f"{name}.toml")
    assert {each.task for each in plan.data} >= {"sentiment", "mentions", "topic"}
    assert ("posts" in {each.task for each in plan.data}) == (name == "labels")
