"""Slack by a bot's token: one message per alert that always shows how things stand, and a thread of what happened.

An alert's first message is posted and its place, `channel:ts`, is the receipt. Later ones edit it (chat.update), which
nobody is notified of, and, but for an acknowledgement, answer in its thread: that it is much worse, or still going on,
is shown in the channel too; that it is over is not. A message that tells of several alerts is never edited, since that
would hide the others: what happens to its alert is told in its thread. The chart is shown there too, at first and when
things are much worse: as an image block it would stand in the message itself, which then had to wait for the picture
and would be refused with it.

A message may be sent twice, when we die before Slack's answer was noted. Editing twice is harmless, and each post
carries a `client_msg_id` that follows from the delivery: Slack answers a repeat with the first one's place. Slack
mentions that argument only among its errors and promises no time for which it holds, so it spares most repeats and is
relied on for nothing.
"""

import re
import uuid
from typing import Any, NamedTuple

from alerts.message import Message, compose
from alerts.slack_api import SlackApi
from alerts.slack_blocks import render_slack, render_slack_reply
from alerts.slack_chart import SlackChart
from bearometer.alert import Delivery, NotificationReason
from bearometer.clock import Clock, SystemClock
from bearometer.errors import Misconfigured
from bearometer.settings import AlertSettings, SlackSettings
from bearometer.terminal import plain

__all__ = ["SlackBotNotifier", "check_bot"]

# https://docs.slack.dev/reference/methods/chat.update/#errors
GONE = frozenset({"message_not_found", "cant_update_message"})
"""The first message was deleted, or belongs to a bot that we no longer are: the story goes on in a new one."""
UNEDITABLE = frozenset({"edit_window_closed"})
"""The workspace allows no more edits of it: its thread is still there."""
# https://docs.slack.dev/reference/methods/chat.postMessage/#errors
UNANSWERABLE = frozenset(
    {
        *("message_not_found", "thread_not_found", "cannot_reply_to_message"),
        *("restricted_action_thread_locked", "restricted_action_non_threadable_channel"),
    }
)
"""There is no thread to answer in: what has happened is told in a new message."""
REPEATED = frozenset({"duplicate_message_not_found", "duplicate_channel_not_found"})
"""The `client_msg_id` was used for what has since been deleted."""

SHOWN_IN_CHANNEL = frozenset({NotificationReason.ESCALATED, NotificationReason.REPEATED})
"""Answers that are worth somebody's attention now: an edit alone would not get it."""

_NAMESPACE = uuid.UUID("6f0e9d0c-3d0b-5c55-9d5e-0b6a1f6b7c11")
_CHANNEL = re.compile(r"#?[\w.-]{1,80}")
_PLACE = re.compile(r"(?P<channel>[A-Z0-9]{1,40}):(?P<ts>[0-9]{1,20}\.[0-9]{1,20})(?P<shared>\+?)")


class _Place(NamedTuple):
    """Where a message is: a channel's ID, and what Slack numbers the message by there."""

    channel: str
    ts: str
    shared: bool
    """Whether it tells of several alerts."""


class SlackBotNotifier:
    """Posts alerts to one channel and edits its own messages; one to three requests per call of `send`.

    And up to three more for a chart, within a few seconds.
    """

    name = "slack"

    def __init__(self, settings: SlackSettings, alerts: AlertSettings, clock: Clock) -> None:
        self._channel = _channel(settings)
        self._api = SlackApi(settings, clock)
        self._chart = SlackChart(self._api, settings, clock) if settings.chart else None
        self._alerts = alerts

    def send(self, delivery: Delivery) -> str | None:
        """Post the alert's first message, or edit it and answer in its thread; returns the message's place.

        When the first message is gone, a new one is posted. Raises what `SlackApi.call` raises.
        """
        message = compose(delivery, self._alerts)
        place = _place(delivery.thread)
        if place is None:
            return self._post(delivery, message, "first")
        # The beginning, when it is told late, must not overwrite what has happened since.
        edits = delivery.reason is not NotificationReason.FIRING and not place.shared
        answers = delivery.reason is not NotificationReason.ACKNOWLEDGED or place.shared
        if (edits and not self._edit(place, message)) or (answers and not self._answer(place, delivery, message)):
            return self._post(delivery, message, "anew")
        if delivery.reason is NotificationReason.ESCALATED:
            self._show_chart(delivery, message, place)
        return delivery.thread

    def _post(self, delivery: Delivery, message: Message, part: str) -> str | None:
        body = {**render_slack(message), "channel": self._channel, "parse": "none"}
        answer = self._post_once(body, delivery, part)
        receipt = f"{answer.get('channel')}:{answer.get('ts')}{'+' if delivery.others else ''}"
        place = _place(receipt)
        if place is None:
            return None
        self._show_chart(delivery, message, place)
        return receipt

    def _show_chart(self, delivery: Delivery, message: Message, place: _Place) -> None:
        if self._chart is not None:
            self._chart.show(delivery.id, message, place.channel, place.ts)

    def _edit(self, place: _Place, message: Message) -> bool:
        """Show in the alert's message how things stand; False when it is not there to be edited."""
        shown = render_slack(message)
        # Left out, `parse` would be `client` in an edit, which makes links of what looks like one.
        body = {
            "channel": place.channel,
            "ts": place.ts,
            "text": shown["text"],
            "blocks": shown["blocks"],
            "parse": "none",
        }
        answer = self._api.call("chat.update", body, GONE | UNEDITABLE)
        return answer.get("error") not in GONE

    def _answer(self, place: _Place, delivery: Delivery, message: Message) -> bool:
        """Tell in the thread of the alert's message what has happened; False when that has none."""
        body = {
            **render_slack_reply(message),
            "channel": place.channel,
            "thread_ts": place.ts,
            "parse": "none",
            "reply_broadcast": delivery.reason in SHOWN_IN_CHANNEL,
        }
        answer = self._post_once(body, delivery, "answer")
        return answer.get("error") not in UNANSWERABLE

    def _post_once(self, body: dict[str, Any], delivery: Delivery, part: str) -> dict[str, Any]:
        expected = UNANSWERABLE if "thread_ts" in body else frozenset[str]()
        once = {**body, "client_msg_id": _message_id(delivery, part)}
        answer = self._api.call("chat.postMessage", once, expected | REPEATED)
        if answer.get("error") in REPEATED:
            # Deleted by a person, or a mistake of Slack's: rather twice than never.
            answer = self._api.call("chat.postMessage", body, expected)
        return answer


def check_bot(settings: SlackSettings) -> str:
    """Ask Slack whose token it is, without posting anything; the bot and its workspace, in one line.

    Raises Misconfigured for a wrong setting, Unavailable or Transient when Slack refuses the token or is away.
    """
    _channel(settings)
    answer = SlackApi(settings, SystemClock()).call("auth.test", {})
    return f"{plain(str(answer.get('user', '')), 80)} of {plain(str(answer.get('team', '')), 80)}"


def _channel(settings: SlackSettings) -> str:
    channel = (settings.channel or "").strip()
    if not _CHANNEL.fullmatch(channel):
        found = f"is {plain(channel, 80)!r}" if channel else "is missing"
        message = f"`slack.channel` {found}; it must be the channel's ID (C…), or its name"
        raise Misconfigured(message)
    return channel


def _place(receipt: str | None) -> _Place | None:
    found = _PLACE.fullmatch(receipt or "")
    return _Place(found["channel"], found["ts"], bool(found["shared"])) if found else None


def _message_id(delivery: Delivery, part: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{part}:{delivery.id}".encode("utf-8", "backslashreplace").decode()))
