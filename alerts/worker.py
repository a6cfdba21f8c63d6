"""The process behind `bearometer alerts`: one thread finds spikes, another delivers what they say."""

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from alerts.deliver import run_delivery
from alerts.route import build_notifiers
from alerts.rule_file import load_rules
from alerts.watch import run_watch
from alerts.words import WordFinder, load_onnx
from bearometer.clock import Clock
from bearometer.errors import Failed
from bearometer.linker import open_linker
from bearometer.settings import Settings
from bearometer.terminal import plain
from storage.alerts import AlertStore
from storage.database import open_database
from storage.models import ModelStore

__all__ = ["run_alerts", "run_together"]

STOP_SECONDS = 8.0
"""How long a message that is being sent may hold up the end; `docker stop` kills after 10."""

log = logging.getLogger(__name__)


def run_alerts(settings: Settings, clock: Clock, stop: threading.Event) -> None:
    """Watch and deliver until `stop` is set, or until one of the two fails, whose error is then raised.

    Raises Unavailable or Misconfigured at once when the database or the settings are not ready.
    """
    rules = load_rules(settings.alerts)
    engine = open_database(settings.postgres)
    store = AlertStore(engine)
    notifiers = {notifier.name: notifier for notifier in build_notifiers(settings, clock)}
    if not notifiers:
        log.warning(
            "no notifier is configured: alerts are recorded and nobody is told (`bearometer doctor` names the channels)"
        )
    log.info("alerts go to: %s", ", ".join(notifiers) or "nobody")
    strangers = {name: count for name, count in store.waiting_by_notifier().items() if name not in notifiers}
    if strangers:
        waiting = ", ".join(f"{plain(name, 80)} ({count})" for name, count in strangers.items())
        log.warning("messages wait for notifiers that are not configured here, until they are: %s", waiting)
    models, seconds = ModelStore(engine), settings.alerts.explain_seconds
    finder = WordFinder(
        lambda folder: load_onnx(folder, settings.model.max_tokens),
        seconds,
        lambda: settings.model.path or _active_folder(models),
        open_linker(settings.ingest.gazetteer).name_in,
    )
    try:
        run_together(
            {
                "watch": lambda: run_watch(
                    store,
                    settings.alerts,
                    tuple(notifiers),
                    clock,
                    stop,
                    find_words=finder.find if seconds > 0 else None,
                    rules=rules,
                ),
                "delivery": lambda: run_delivery(store, notifiers, settings.alerts, clock, stop),
            },
            stop,
        )
    finally:
        engine.dispose()


def _active_folder(models: ModelStore) -> Path | None:
    active = models.chosen().active
    return active.folder if active else None


def run_together(loops: Mapping[str, Callable[[], None]], stop: threading.Event) -> None:
    """Run each loop in a thread until `stop` is set; then wait for them for a bounded time.

    The first error of any of them sets `stop` and is raised here. A loop that ends unasked is an error too.
    """
    errors: list[BaseException] = []

    def run(name: str, loop: Callable[[], None]) -> None:
        try:
            loop()
            if not stop.is_set():
                message = f"the {name} loop ended although nobody asked it to"
                raise Failed(message)
        except BaseException as error:
            log.error("the %s loop failed: %s", name, type(error).__name__)
            errors.append(error)
        finally:
            stop.set()

    threads = [threading.Thread(target=run, args=item, name=item[0], daemon=True) for item in loops.items()]
    for thread in threads:
        thread.start()
    stop.wait()
    deadline = STOP_SECONDS
    for thread in threads:
        thread.join(deadline)
        if thread.is_alive():
            log.warning(
                "the %s loop did not end in %.0f s and is left; what it was sending may come twice",
                thread.name,
                deadline,
            )
            deadline = 0.1
    if errors:
        raise errors[0]
