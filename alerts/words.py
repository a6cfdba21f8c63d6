"""Which words made a post negative: asked of the classifier beside the evaluation, which goes on without an answer.

The model is loaded when the first alert fires, on ONNX Runtime and one core; torch is never loaded here.
"""

import logging
import threading
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from queue import Empty, Queue

from bearometer.errors import Transient
from bearometer.terminal import plain
from model.classifier import Classifier
from model.explain import Word, explain_by_occlusion

__all__ = ["WordFinder", "load_onnx"]

MAX_SHOWN = 5
MAX_WORD_CHARS = 40
MAX_WORDS_ASKED = 64
"""Of a longer post its beginning is explained: two questions a word, so that the work is bounded too."""
LEAST_WEIGHT = 0.02
LEAST_SHARE = 0.2
"""Of the strongest word's weight; a word with less would not be worth reading."""

log = logging.getLogger(__name__)


class WordFinder:
    """Finds a negative post's strongest words on a thread of its own. Not to be shared between threads."""

    def __init__(
        self,
        load: Callable[[Path | None], Classifier],
        seconds: float,
        choose: Callable[[], Path | None] = lambda: None,
        name_in: Callable[[str, str], str] = lambda _text, symbol: symbol,
    ) -> None:
        """`seconds` is the longest that any question takes.

        `choose` gives the folder of the model that scores now, None for the shipped one. It is asked with each
        question, and `load` is called with the first one and when the folder has changed. `name_in` says what the text
        calls the symbol.
        """
        self._load = load
        self._choose = choose
        self._seconds = seconds
        self._name_in = name_in
        self._folder: Path | None = None
        self._classifier: Classifier | None = None
        self._broken = False
        self._asking: threading.Thread | None = None

    def find(self, text: str, symbol: str) -> tuple[str, ...]:
        """The words for which the text speaks badly of the symbol, the strongest first; single lines, without repeats.

        Never raises, and returns within `seconds`. Empty when that is too short (a model is being loaded, the machine
        is busy), at once while an earlier question is still being worked on, when the model cannot be loaded (logged
        once), and when it does not find the text negative: another version may have scored it.
        """
        if self._broken or (self._asking is not None and self._asking.is_alive()):
            return ()
        answer: Queue[tuple[str, ...]] = Queue(1)
        self._asking = threading.Thread(target=self._answer, args=(text, symbol, answer), name="words", daemon=True)
        try:
            self._asking.start()
            return answer.get(timeout=self._seconds)
        except Empty:
            log.warning("the strongest words were not found in %.1f s; the alert goes without them", self._seconds)
        except RuntimeError as error:  # no thread to be had
            log.warning("the strongest words cannot be looked for: %s", error)
        return ()

    def _answer(self, text: str, symbol: str, answer: "Queue[tuple[str, ...]]") -> None:
        words: tuple[str, ...] = ()
        try:
            folder = self._choose()
            if self._classifier is None or folder != self._folder:
                self._classifier, self._folder = self._load(folder), folder
            name = self._name_in(text, symbol)
            found = explain_by_occlusion(self._classifier, text, name, max_words=MAX_WORDS_ASKED)
            if found.label == "negative":
                words = _shown(found.strongest(len(found.words), LEAST_WEIGHT))
        except Exception as error:
            # Whatever it is: an alert must not fail because of what only adorns it.
            self._broken = self._classifier is None and not isinstance(error, Transient)
            rest = "; alerts go without them" if self._broken else ""
            reason = plain(str(error), 200) or type(error).__name__
            log.warning("the strongest words cannot be found%s: %s", rest, reason)
        answer.put(words)


def load_onnx(folder: Path | None, max_tokens: int) -> Classifier:
    """The ONNX weights of a folder (the shipped ones for None); Misconfigured when there are none."""
    from model.folder import ModelFolder  # noqa: PLC0415 - the runtime takes memory that a quiet day does not need
    from model.load import SHIPPED_WEIGHTS  # noqa: PLC0415
    from model.onnx import OnnxClassifier  # noqa: PLC0415

    return OnnxClassifier(ModelFolder.open(folder or SHIPPED_WEIGHTS), threads=1, max_tokens=max_tokens)


def _shown(words: Iterable[Word]) -> tuple[str, ...]:
    """The words, strongest first, without repeats and without mere punctuation."""
    shown: dict[str, str] = {}
    least = 0.0
    for word in words:
        least = least or LEAST_SHARE * word.weight
        text = plain(word.text, MAX_WORD_CHARS)
        if word.weight >= least and any(unicodedata.category(character)[0] != "P" for character in text):
            shown.setdefault(text.casefold(), text)
    return tuple(shown.values())[:MAX_SHOWN]
