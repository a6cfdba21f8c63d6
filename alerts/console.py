"""Alerts for those who have neither Slack nor mail: printed, or written into a folder as each medium shows them."""

import base64
import hashlib
import json
import os
import re
import sys
import tempfile
from email.headerregistry import Address
from pathlib import Path
from typing import TextIO

from alerts.chart import render_chart
from alerts.email import compose_mail
from alerts.html import render_html
from alerts.message import compose, render_text
from alerts.slack_blocks import render_slack
from bearometer.alert import Delivery
from bearometer.clock import Clock
from bearometer.errors import Transient
from bearometer.settings import AlertSettings
from bearometer.terminal import plain

__all__ = ["ConsoleNotifier", "DirectoryNotifier", "file_stem"]

_SHOWN_SENDER = Address("Bearometer", "bearometer", "localhost")
_SHOWN_RECIPIENT = Address("", "you", "localhost")


class ConsoleNotifier:
    """Prints alerts to a stream, standard output unless another is given."""

    name = "console"

    def __init__(self, alerts: AlertSettings, stream: TextIO | None = None) -> None:
        self._alerts = alerts
        self._stream = stream

    def send(self, delivery: Delivery) -> None:
        """Print the message and flush; Transient when the stream cannot be written to."""
        stream = self._stream or sys.stdout
        text = render_text(compose(delivery, self._alerts))
        encoding = getattr(stream, "encoding", None) or "utf-8"
        try:
            stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
            stream.flush()
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            message = f"the console cannot be written to: {_reason(error)}"
            raise Transient(message) from None


class DirectoryNotifier:
    """Writes each message into a folder: .txt, .html with the chart inside, .png, .eml, and .slack.json.

    The names follow from the delivery, so writing one twice changes nothing; each file appears whole or not at all.
    """

    name = "directory"

    def __init__(self, directory: Path, alerts: AlertSettings, clock: Clock) -> None:
        self._directory = directory
        self._alerts = alerts
        self._clock = clock

    def send(self, delivery: Delivery) -> None:
        """Write the files; Transient when the folder cannot be written to (a full disk may be cleared)."""
        message = compose(delivery, self._alerts)
        chart = render_chart(message.symbol, message.chart, message.highlight)
        picture = f"data:image/png;base64,{base64.b64encode(chart).decode('ascii')}" if chart else None
        mail = compose_mail(delivery, message, _SHOWN_SENDER, _SHOWN_RECIPIENT, self._clock.now())
        files = {
            ".txt": render_text(message).encode(),
            ".html": render_html(message, picture).encode(),
            ".eml": mail.as_bytes(),
            ".slack.json": json.dumps(render_slack(message), ensure_ascii=False, indent=2).encode(),
        }
        if chart:
            files[".png"] = chart
        stem = file_stem(delivery)
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            for suffix, content in files.items():
                _write_whole(self._directory / f"{stem}{suffix}", content)
        except OSError as error:
            problem = f"the folder {self._directory} cannot be written to: {_reason(error)}"
            raise Transient(problem) from None


def file_stem(delivery: Delivery) -> str:
    """A name for the delivery's files that is safe on every file system: `WMT-20151014T1405Z-firing-1a2b3c4d`."""
    symbol = re.sub(r"[^A-Za-z0-9]+", "_", delivery.alert.symbol)[:20].strip("_") or "symbol"
    digest = hashlib.sha256(delivery.id.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{symbol}-{delivery.alert.started_at:%Y%m%dT%H%MZ}-{delivery.reason}-{digest}"


def _write_whole(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or plain(str(error), 200) or type(error).__name__
