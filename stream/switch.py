"""Which model a worker scores with: it follows the registry between two batches, and keeps what it has when it must."""

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Protocol

from bearometer.clock import Clock
from bearometer.errors import BearometerError, Transient
from bearometer.registry import ModelChoice, ModelVersion, WorkerReport
from model.classifier import Classifier
from stream.shadow import Shadow

__all__ = ["ModelSwitch", "Registry", "name_worker"]

log = logging.getLogger(__name__)

_RETRY_SECONDS = 60.0
"""How long a version that could not be loaded is left alone; a folder may still be on its way to this machine."""
_LAST_LOOK_SECONDS = 5.0

_Content = tuple[str, Mapping[str, str]] | None


class Registry(Protocol):
    """The part of the registry of models that a worker needs."""

    def chosen(self) -> ModelChoice:
        """What is to be used now."""
        ...

    def way_back(self) -> tuple[ModelVersion | None, ...]:
        """What was active before, the latest first; None for the shipped weights."""
        ...

    def report(self, worker: WorkerReport) -> None:
        """Note what a worker says of itself."""
        ...

    def leave(self, worker_id: str) -> None:
        """Forget a worker that ends."""
        ...


def name_worker() -> str:
    """What this process is called in the registry: `host:pid`."""
    return f"{socket.gethostname()}:{os.getpid()}"


class ModelSwitch:
    """Looks every few seconds which version is active, loads it beside the one in use, and hands it over.

    A version that was registered again with other files is loaded again. One that cannot be loaded is refused with one
    line in the log and in the worker's report, and the model in use stays in use. With `pinned` the worker's own
    settings name the weights: only its shadow follows the registry.
    Nothing that goes wrong in here ends the worker.
    """

    def __init__(
        self,
        registry: Registry,
        load: Callable[[ModelVersion | None], Classifier],
        shadow: Shadow,
        clock: Clock,
        *,
        worker_id: str,
        pinned: Classifier | None = None,
    ) -> None:
        self._registry = registry
        self._load = load
        self._shadow = shadow
        self._clock = clock
        self._worker_id = worker_id
        self._pinned = pinned
        self._using: _Content = None
        """What is in use; None for the shipped weights."""
        self._shadowing: _Content = None
        self._classifier: Classifier | None = pinned
        self._wanted: ModelVersion | None = None
        self._problem: str | None = None
        self._retry_at = 0.0
        self._stop = threading.Event()

    def first(self) -> Classifier:
        """The classifier to start with: the active one, or when it cannot be loaded the one before it, and so on.

        So a worker that starts now uses what the workers that refused the version still use. Raises what is wrong with
        the active one when none of them can be loaded, and Transient when the registry cannot be read.
        """
        if self._pinned is not None:
            return self._pinned
        self._wanted = self._registry.chosen().active
        refusal: BearometerError | None = None
        for model in (self._wanted, *self._registry.way_back()):
            try:
                classifier = self._load(model)
            except BearometerError as error:
                log.error("the model %s is refused: %s", _name(model), error)
                refusal = refusal or error
                continue
            self._using, self._classifier = _content(model), classifier
            if refusal is not None:
                self._refuse(refusal)
                log.error("this worker scores with %s instead", classifier.version)
            return classifier
        assert refusal is not None
        raise refusal

    @contextmanager
    def follow(self, use: Callable[[Classifier], None], every_seconds: float) -> Iterator[None]:
        """While the block runs, look every so often, in a thread of its own, and give a new classifier to `use`."""
        watcher = threading.Thread(target=self._run, args=(use, every_seconds), name="models", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            self._stop.set()
            watcher.join(_LAST_LOOK_SECONDS)
            self._shadow.close()
            with suppress(BearometerError):
                self._registry.leave(self._worker_id)

    def look(self, use: Callable[[Classifier], None]) -> None:
        """Follow the registry once, and report; raises only what is a defect. Blocks while a model is loaded."""
        try:
            choice = self._registry.chosen()
            if self._pinned is None:
                self._follow(choice.active, use)
            if self._stop.is_set():  # while a model was loaded; by now the shadow is closed and we are forgotten
                return
            self._wanted = choice.active
            self._follow_shadow(choice.shadow)
            self._registry.report(self._describe())
        except Transient as error:
            # The stores say so themselves while the stream waits for them.
            log.debug("the registry cannot be asked: %s", error)

    def _run(self, use: Callable[[Classifier], None], every_seconds: float) -> None:
        while not self._stop.is_set():
            try:
                self.look(use)
            except Exception:
                log.exception("the registry cannot be followed; the model in use stays in use")
            self._stop.wait(every_seconds)

    def _follow(self, active: ModelVersion | None, use: Callable[[Classifier], None]) -> None:
        if _content(active) == self._using:
            self._problem = None
            return
        if self._problem is not None and active == self._wanted and self._clock.monotonic() < self._retry_at:
            return
        try:
            classifier = self._load(active)
        except Transient:
            raise
        except BearometerError as error:
            assert self._classifier is not None, "first comes first"
            if str(error) != self._problem:
                log.error(
                    "the model %s is refused, %s stays in use: %s", _name(active), self._classifier.version, error
                )
            self._refuse(error)
            return
        use(classifier)
        self._using, self._classifier, self._problem = _content(active), classifier, None
        log.info("scoring with %s from the next batch on", classifier.version)

    def _follow_shadow(self, shadow: ModelVersion | None) -> None:
        if _content(shadow) != self._shadowing:
            self._shadow.close()  # also when the version stays, and only its files are others
        self._shadow.use(_version(shadow))
        self._shadowing = _content(shadow)

    def _refuse(self, error: BearometerError) -> None:
        self._problem = str(error)
        self._retry_at = self._clock.monotonic() + _RETRY_SECONDS

    def _describe(self) -> WorkerReport:
        assert self._classifier is not None, "first comes first"
        shadow = self._shadow.status()
        return WorkerReport(
            id=self._worker_id,
            version=self._classifier.version,
            pinned=self._pinned is not None,
            wanted=_version(self._wanted),
            problem=self._problem,
            shadow=shadow.version,
            shadow_scored=shadow.scored,
            shadow_dropped=shadow.dropped,
            shadow_problem=shadow.problem,
        )


def _content(model: ModelVersion | None) -> _Content:
    """What is loaded of a model: other files, registered again under the same version, are to be loaded as well."""
    return (model.version, model.files) if model is not None else None


def _version(model: ModelVersion | None) -> str | None:
    return model.version if model is not None else None


def _name(model: ModelVersion | None) -> str:
    return _version(model) or "that ships"
