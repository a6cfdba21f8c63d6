"""An alert's chart in the thread of its Slack message: an extra, which the message never fails or is sent again for.

https://docs.slack.dev/messaging/working-with-files/#uploading_files: Slack gives an address, takes the bytes there, and
shows them where it is told to. It has no key that would spare a repeat. So a chart is shown only when all else of a
delivery has been taken, which leaves nothing to try again for; it is tried once; and what has been shown is remembered,
for the delivery that is sent again because the store was away when it was to be noted. Only a worker that dies before
that note may show a chart twice, once for each time that it sends the message.
"""

import json
import logging
import threading
from collections import deque
from typing import Any
from urllib.parse import urlsplit

from alerts.chart import render_chart
from alerts.fitting import fit
from alerts.http import Poster, check_address, is_loopback
from alerts.message import Message
from alerts.pause import EXTRA_SECONDS, Pause
from alerts.slack_api import SlackApi
from bearometer.clock import Clock
from bearometer.errors import BearometerError, Unavailable
from bearometer.settings import SlackSettings

__all__ = ["SlackChart"]

# https://docs.slack.dev/reference/methods/files.getUploadURLExternal/#errors
MAX_ALT_CHARS = 1000
REMEMBERED = 1000

_REFUSED = frozenset({"missing_scope"})

log = logging.getLogger(__name__)


class SlackChart:
    """Shows charts in threads; at most three requests per call of `show`. Safe to share between threads."""

    def __init__(self, api: SlackApi, settings: SlackSettings, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._seconds = min(settings.timeout_seconds, EXTRA_SECONDS)
        """For all the requests of one chart."""
        self._on_loopback = is_loopback(urlsplit(settings.api_url).hostname or "")
        self._pause = Pause(clock)
        self._warned = False
        self._lock = threading.Lock()
        self._shown: deque[tuple[str, str, str]] = deque(maxlen=REMEMBERED)

    def show(self, delivery_id: str, message: Message, channel: str, ts: str) -> None:
        """Answer the message at `ts` with the alert's chart, if it has one and this delivery has not shown it there.

        Raises nothing: the log says, once, what went wrong and what a person can do.
        """
        if not message.chart or not self._pause.is_over:
            return
        if not self._remember((delivery_id, channel, ts)):
            return
        try:
            self._upload(message, channel, ts)
        except _ScopeMissing as error:
            self._pause.begin_for_good()
            log.warning("Slack shows no charts: %s", error)
        except BearometerError as error:
            self._pause.begin(error)
            self._warn(str(error), is_defect=False)
        except Exception as error:
            self._pause.begin(error)
            self._warn(f"a defect: {type(error).__name__}", is_defect=True)

    def _upload(self, message: Message, channel: str, ts: str) -> None:
        chart = render_chart(message.symbol, message.chart, message.highlight)
        if chart is None:
            return
        ends_at = self._clock.monotonic() + self._seconds
        alt = fit(message.chart_alt, MAX_ALT_CHARS)
        asked = {"filename": "chart.png", "length": str(len(chart)), "alt_txt": alt}
        place = self._call("files.getUploadURLExternal", asked, ends_at)
        address, file_id = place.get("upload_url"), place.get("file_id")
        if not isinstance(address, str) or not isinstance(file_id, str):
            reason = "the answer is not Slack's: it names no address for the chart"
            raise Unavailable(reason)
        self._hand_over(chart, address, ends_at)
        files = json.dumps([{"id": file_id, "title": "Negative posts, and what was expected"}])
        shown = {"files": files, "channel_id": channel, "thread_ts": ts}
        self._call("files.completeUploadExternal", shown, ends_at)

    def _call(self, method: str, arguments: dict[str, str], ends_at: float) -> dict[str, Any]:
        answer = self._api.call_with_form(method, arguments, _REFUSED, ends_at - self._clock.monotonic())
        if answer.get("error") in _REFUSED:
            reason = "give the bot the scope files:write, install it again and restart, or set `slack.chart` to false"
            raise _ScopeMissing(reason)
        return answer

    def _hand_over(self, chart: bytes, address: str, ends_at: float) -> None:
        """Post the bytes to where Slack has said, without the token; the address itself is a secret."""
        address = check_address(address, "upload_url")
        if is_loopback(urlsplit(address).hostname or "") and not self._on_loopback:
            reason = "the answer is not Slack's: it names this machine for the chart"
            raise Unavailable(reason)
        poster = Poster("Slack", address, ends_at - self._clock.monotonic(), self._clock)
        answer = poster.post(chart, {"Content-Type": "application/octet-stream"})
        if answer.status != 200:
            raise poster.refusal(answer)

    def _remember(self, shown: tuple[str, str, str]) -> bool:
        """Whether it is new; from now on it is not, also when it fails, for a time-out may hide that it is there."""
        with self._lock:
            if shown in self._shown:
                return False
            self._shown.append(shown)
            return True

    def _warn(self, reason: str, *, is_defect: bool) -> None:
        if self._warned:
            return
        self._warned = True
        log.warning(
            "Slack shows an alert without its chart: %s; if this goes on, see that Slack's addresses for files can be"
            " reached, or set `slack.chart` to false (said once)",
            reason,
            exc_info=is_defect,
        )


class _ScopeMissing(Unavailable):
    """Raised when the bot may not upload files."""
