import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from bearometer.errors import Misconfigured, MissingExtra
from model.baselines import open_baseline
from model.classifier import Passage


def test_vader_says_what_its_words_say_and_nothing_of_an_empty_text() -> None:
    vader = open_baseline("vader")
    texts = ("This is a great success", "A terrible disaster", "The meeting is on Thursday", "  ")
    found = vader.classify(vader.prepare([Passage(text) for text in texts]))
    assert [each.sentiment.label if each else None for each in found] == ["positive", "negative", "neutral", None]
    assert vader.version.startswith("vaderSentiment@")


def test_a_tool_gives_every_entity_the_text_s_label_and_says_which_it_found() -> None:
    vader = open_baseline("vader")
    (found,) = vader.classify(vader.prepare([Passage("$TERN is a great success", ("TERN", "Quillmark"))]))
    assert found is not None
    assert found.entities == (found.sentiment, found.sentiment)
    assert found.found == (True, False)
    assert found.topics == {}


def test_finvader_adds_its_lexicons_of_finance_without_running_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "finvader"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('fetches a lexicon from the network')\n")
    (package / "SentiBignomics.py").write_text("def lexicon1():\n    return {'bearish': -20.0, 'beats': 1.0}\n")
    (package / "Henry.py").write_text("def lexicon2():\n    return {'beats': 2.0}\n")
    (tmp_path / "finvader-9.9.dist-info").mkdir()
    (tmp_path / "finvader-9.9.dist-info" / "METADATA").write_text("Name: finvader\nVersion: 9.9\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    finvader = open_baseline("finvader")
    texts = ("Quillmark beats estimates", "a bearish mood", "Thursday")
    found = finvader.classify(finvader.prepare([Passage(text) for text in texts]))
    assert [each.sentiment.label for each in found if each] == ["positive", "negative", "neutral"]
    assert finvader.version == "finvader@9.9"


class ThreeColumns:
    """As pyFin's model: positive, neutral, negative."""

    def __init__(self, name: str) -> None:
        assert name == "small"

    def predict_proba(self, texts: list[str]) -> Any:
        return np.asarray([[0.1, 0.2, 0.7] if "falls" in text else [0.6, 0.3, 0.1] for text in texts])


class NoWeights:
    def __init__(self, name: str) -> None:
        raise FileNotFoundError(name)


def install(monkeypatch: pytest.MonkeyPatch, model: type) -> None:
    module = ModuleType("pyfin_sentiment.model")
    module.SentimentModel = model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyfin_sentiment", ModuleType("pyfin_sentiment"))
    monkeypatch.setitem(sys.modules, "pyfin_sentiment.model", module)
    monkeypatch.setattr("importlib.metadata.version", lambda package: "0.1.1")


def test_pyfin_s_columns_are_put_in_our_order(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ThreeColumns)
    pyfin = open_baseline("pyfin")
    falls, rises = pyfin.classify(pyfin.prepare([Passage("Tern falls"), Passage("Tern rises")]))
    assert falls and rises
    assert (falls.sentiment.negative, falls.sentiment.positive) == (0.7, 0.1)
    assert (rises.sentiment.negative, rises.sentiment.positive) == (0.1, 0.6)


def test_pyfin_s_pickle_is_left_for_a_person_to_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, NoWeights)
    with pytest.raises(Misconfigured, match="if you trust its maker's pickle, fetch it"):
        open_baseline("pyfin")


@pytest.mark.parametrize(("name", "package"), [("vader", "vaderSentiment"), ("pyfin", "pyfin_sentiment")])
def test_a_tool_that_is_not_installed_says_how_to_install_it(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (package, f"{package}.{package}", f"{package}.model"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=rf"`{package}` is missing: pip install 'bearometer\[baselines\]'"):
        open_baseline(name)


def test_a_tool_that_nobody_knows_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(Misconfigured, match="'textblob'; it must be vader, finvader, pyfin or hf:FOLDER"):
        open_baseline("textblob")
    with pytest.raises(Misconfigured, match="does not exist"):
        open_baseline("hf:/nowhere")
