"""Public tools behind the same protocol as our own classifiers, to be measured on the same rows.

None of them tells entities apart or knows topics: every entity gets the text's sentiment.
"""

import importlib.metadata
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from bearometer.errors import Failed, Misconfigured, MissingExtra
from bearometer.linking import find_spans
from bearometer.mention import LABELS, Label, Sentiment
from model.classifier import Classifier, Judgement, Passage
from model.extras import import_extra
from model.text import clean

__all__ = ["BASELINES", "open_baseline"]

THRESHOLD = 0.05
"""From here on a compound score is positive, from its negative on negative, as VADER's authors say:
https://github.com/cjhutto/vaderSentiment#about-the-scoring"""
SENTIBIGNOMICS_SCALE = 0.1
"""What FinVADER multiplies its larger lexicon by."""

Judge = Callable[[list[str]], list[Sentiment]]


class TextTool:
    """A tool that gives one sentiment for a text, as a classifier."""

    def __init__(self, version: str, judge: Judge) -> None:
        self._version = version
        self._judge = judge

    @property
    def version(self) -> str:
        """Name and version of the tool's package."""
        return self._version

    def prepare(self, passages: Sequence[Passage]) -> list[Passage]:
        """Nothing is done yet: the tools read text."""
        return list(passages)

    def classify(self, prepared: list[Passage]) -> list[Judgement | None]:
        """One answer per passage; None where the text is empty."""
        texts = [clean(passage.text) for passage in prepared]
        readable = [place for place, text in enumerate(texts) if text.strip()]
        sentiments = self._judge([texts[place] for place in readable]) if readable else []
        answers: list[Judgement | None] = [None] * len(prepared)
        for place, sentiment in zip(readable, sentiments, strict=True):
            entities = prepared[place].entities
            found = tuple(bool(find_spans(texts[place], entity)) for entity in entities)
            answers[place] = Judgement(sentiment, (sentiment,) * len(entities), found)
        return answers


def open_baseline(name: str) -> Classifier:
    """The tool that `--baseline` names: `vader`, `finvader`, `pyfin` or `hf:FOLDER`.

    Raises Misconfigured when there is no such tool or folder, MissingExtra when its package is not installed.
    """
    if name.startswith("hf:"):
        return _transformers_folder(Path(name.removeprefix("hf:")))
    if name not in BASELINES:
        message = f"--baseline is {name!r}; it must be {', '.join(BASELINES)} or hf:FOLDER"
        raise Misconfigured(message)
    return BASELINES[name]()


def _vader() -> Classifier:
    """VADER (Hutto and Gilbert 2014): a lexicon of 7,500 words and a few rules, made for social media."""
    return TextTool(_version("vaderSentiment"), _by_compound(_analyser()))


def _finvader() -> Classifier:
    """FinVADER: VADER's rules with two lexicons of finance on top, SentiBignomics and Henry's (2008).

    Its own entry point needs NLTK 3.6.2 and fetches VADER's lexicon at import; its two lexicons need neither.
    """
    spec = importlib.util.find_spec("finvader")
    if spec is None or not spec.submodule_search_locations:
        package = "finvader"
        raise MissingExtra(package, "baselines")
    folder = Path(next(iter(spec.submodule_search_locations)))
    analyser = _analyser()
    big = _load_file(folder / "SentiBignomics.py").lexicon1()
    analyser.lexicon.update({word: value * SENTIBIGNOMICS_SCALE for word, value in big.items()})
    analyser.lexicon.update(_load_file(folder / "Henry.py").lexicon2())
    return TextTool(_version("finvader"), _by_compound(analyser))


def _pyfin() -> Classifier:
    """pyFin-sentiment (Wilksch and Abramova 2023): logistic regression trained on tweets about shares.

    Its weights are a pickle, which runs code when it is loaded: we neither ship nor fetch it. Who trusts its maker
    fetches it with the package's own `SentimentModel.download("small")`.
    """
    module = _import("pyfin_sentiment.model")
    try:
        model = module.SentimentModel("small")
    except FileNotFoundError:
        message = (
            "pyfin has no weights here; if you trust its maker's pickle, fetch it: "
            "python -c \"from pyfin_sentiment.model import SentimentModel; SentimentModel.download('small')\""
        )
        raise Misconfigured(message) from None
    except Exception as error:  # whatever unpickling another version's classes raises
        message = f"pyfin's weights cannot be loaded: {type(error).__name__}: {error}"
        raise Failed(message) from None

    def judge(texts: list[str]) -> list[Sentiment]:
        # Columns: positive, neutral, negative.
        return [Sentiment(float(row[2]), float(row[1]), float(row[0])) for row in model.predict_proba(texts)]

    return TextTool(_version("pyfin-sentiment"), judge)


def _transformers_folder(path: Path) -> Classifier:
    """A sequence classifier of transformers, such as FinBERT's folder."""
    from model.folder import ModelFolder  # noqa: PLC0415 - only what is used is loaded
    from model.torch import TorchClassifier  # noqa: PLC0415

    return TorchClassifier(ModelFolder.open(path))


def _analyser() -> Any:
    return _import("vaderSentiment.vaderSentiment").SentimentIntensityAnalyzer()


def _import(module: str) -> Any:
    try:
        return import_extra(module, "baselines")
    except MissingExtra:
        raise MissingExtra(module.partition(".")[0], "baselines") from None


def _by_compound(analyser: Any) -> Judge:
    def judge(texts: list[str]) -> list[Sentiment]:
        return [_certain(float(analyser.polarity_scores(text)["compound"])) for text in texts]

    return judge


def _certain(compound: float) -> Sentiment:
    """A word list gives a label and no probabilities: its label gets all."""
    label: Label = "positive" if compound >= THRESHOLD else "negative" if compound <= -THRESHOLD else "neutral"
    return Sentiment(**{each: float(each == label) for each in LABELS})


def _load_file(path: Path) -> ModuleType:
    """A module of a package, without running the package's own first lines."""
    spec = importlib.util.spec_from_file_location(f"_{path.stem.lower()}", path)
    if spec is None or spec.loader is None or not path.is_file():
        message = f"this version of finvader has no {path.name}"
        raise Misconfigured(message)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _version(package: str) -> str:
    return f"{package}@{importlib.metadata.version(package)}"


BASELINES: dict[str, Callable[[], Classifier]] = {"vader": _vader, "finvader": _finvader, "pyfin": _pyfin}
"""Tools by name; their packages come with the extra `baselines`."""
