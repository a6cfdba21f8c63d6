"""Delivery as the alert worker runs it, in threads of the test."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from alerts.deliver import run_delivery
from alerts.route import build_notifiers
from bearometer.clock import SystemClock
from bearometer.settings import Settings
from storage.alerts import AlertStore

__all__ = ["delivering"]


@contextmanager
def delivering(store: AlertStore, settings: Settings, workers: int = 1) -> Iterator[None]:
    notifiers = {notifier.name: notifier for notifier in build_notifiers(settings)}
    stop = threading.Event()
    with ThreadPoolExecutor(workers) as threads:
        loops = [
            threads.submit(run_delivery, store, notifiers, settings.alerts, SystemClock(), stop) for _ in range(workers)
        ]
        try:
            yield
        finally:
            stop.set()
            for loop in loops:
                loop.result(timeout=20)
