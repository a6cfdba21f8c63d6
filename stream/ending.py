"""How a worker comes to its end: in order when told to stop, at once and loudly when a batch cannot be finished."""

import logging
import os
import signal
import threading

import faust

__all__ = ["Ending", "run_app"]

log = logging.getLogger(__name__)

_LAST_WORDS_SECONDS = 5.0


class Ending:
    """Set when the worker should do no more; knows the error that brought it there, if any."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.error: BaseException | None = None

    def begin(self, error: BaseException | None) -> None:
        """Stop retrying; after a failure also end the process, by force if it does not end by itself."""
        self.stop.set()
        if error is None or self.error is not None:
            return
        self.error = error
        log.critical("a batch could not be finished; this worker ends", exc_info=error)
        # Faust may wait for ever for a stream that has failed. Nothing is lost by force: what was not acknowledged
        # comes again.
        last_words = threading.Timer(_LAST_WORDS_SECONDS, os._exit, args=(1,))
        last_words.daemon = True
        last_words.start()
        os.kill(os.getpid(), signal.SIGTERM)


def run_app(app: faust.App, ending: Ending) -> None:
    """Run until SIGTERM, SIGINT or a failure; leaves the consumer group in order. Raises what ended it."""
    worker = faust.Worker(app, loglevel="WARNING", redirect_stdouts=False, override_logging=False, quiet=True)
    try:
        worker.execute_from_commandline()
    except SystemExit as end:
        if end.code and ending.error is None:
            raise
    if ending.error is not None:
        raise ending.error
