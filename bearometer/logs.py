"""How a long-running process logs: one line an event, on standard error, in UTC."""

import logging
import time

__all__ = ["start_logging"]


def start_logging(level: str) -> None:
    """Send the log of this process to standard error at `level`; libraries only when they warn."""
    handler = logging.StreamHandler()
    formatter = logging.Formatter("%(asctime)sZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for package in ("alerts", "bearometer", "ingest", "model", "storage", "stream"):
        logging.getLogger(package).setLevel(level.upper())
