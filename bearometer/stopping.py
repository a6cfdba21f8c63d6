"""How a long-running process learns that it should end."""

import signal
import threading

__all__ = ["stop_on_signals"]


def stop_on_signals() -> threading.Event:
    """An event that SIGINT and SIGTERM set from now on; to be called from the main thread."""
    stop = threading.Event()

    def end(signal_number: int, frame: object) -> None:
        del signal_number, frame
        # Not set here: the handler may have interrupted this very thread while it holds the event's lock.
        threading.Thread(target=stop.set, daemon=True).start()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    return stop
