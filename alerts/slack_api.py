"""Slack's Web API as the bot calls it: one request, and its answer's fate by the code that Slack gives.

Not slack_sdk's client: that one follows redirects, and takes the token with it to wherever they lead.
"""

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlencode

from alerts.http import Answer, Poster, check_address, encode, retry_after
from bearometer.clock import Clock
from bearometer.errors import Failed, Misconfigured, Transient, Unavailable
from bearometer.settings import SlackSettings
from bearometer.terminal import plain

__all__ = ["FINAL", "PASSING", "SlackApi"]

MAX_ANSWER_BYTES = 1_000_000
"""Slack sends the whole message back, and may write each character of it in twelve bytes."""

# https://docs.slack.dev/reference/methods/chat.postMessage/#errors and …/chat.update/#errors
PASSING = frozenset(
    {
        *("ratelimited", "rate_limited", "message_limit_exceeded"),
        *("fatal_error", "internal_error", "service_unavailable", "request_timeout", "update_failed"),
        *("team_added_to_org", "org_login_required", "external_channel_migrating", "streaming_state_conflict"),
    }
)
"""Slack is busy or has trouble of its own: the same request may be taken later."""

FINAL = frozenset(
    {
        *("msg_too_long", "msg_blocks_too_long", "no_text", "too_many_attachments", "invalid_attachments"),
        *("invalid_blocks", "invalid_blocks_format", "block_mismatch", "markdown_text_conflict"),
        *("invalid_arguments", "invalid_arg_name", "invalid_array_arg", "invalid_form_data", "invalid_charset"),
        *("invalid_json", "json_not_object", "invalid_post_type", "missing_post_type"),
    }
)
"""Slack refuses this message as such, and will again.

Every other code is about the token, the channel or the workspace, which a person can mend while we try again: also one
that Slack has yet to invent, since a refused message has never been shown and may be sent once more.
"""

HINTS = {
    "account_inactive": "the bot was removed: install it again, and set `slack.bot_token`",
    "channel_not_found": "`slack.channel` must be the ID of a channel that the bot was invited to",
    "file_uploads_disabled": "the workspace takes no files: set `slack.chart` to false",
    "invalid_auth": "`slack.bot_token` is wrong",
    "is_archived": "`slack.channel` is archived",
    "missing_scope": "give the bot the scope chat:write",
    "not_allowed_token_type": "`slack.bot_token` must be a bot's (xoxb-…)",
    "not_in_channel": "invite the bot to `slack.channel`",
    "token_expired": "`slack.bot_token` has expired",
    "token_revoked": "`slack.bot_token` was revoked: make another",
}
"""What a person can do about it."""


class SlackApi:
    """Calls methods of the Web API with the bot's token; no redirect is followed, nothing is retried here."""

    def __init__(self, settings: SlackSettings, clock: Clock) -> None:
        self._token = _token(settings)
        self._bearer = f"Bearer {self._token}"
        self._base = check_address(settings.api_url, "slack.api_url").rstrip("/")
        self._settings = settings
        self._clock = clock
        self._posters: dict[str, Poster] = {}

    def call(self, method: str, arguments: dict[str, Any], expected: Collection[str] = ()) -> dict[str, Any]:
        """Slack's answer, which says `ok`, or names in `error` one of the `expected` codes.

        Raises Failed for a code in FINAL; Transient for one in PASSING, for 429 and for 5xx, with Slack's own wait;
        Unavailable for any other code and when Slack cannot be reached. None of their texts holds the token.
        """
        poster = self._poster(method)
        return self._fields(poster, poster.post(encode(arguments), {"Authorization": self._bearer}), expected)

    def call_with_form(
        self, method: str, arguments: Mapping[str, str], expected: Collection[str], within_seconds: float
    ) -> dict[str, Any]:
        """As `call`, for the methods for files: their arguments are a form, which all versions of Slack's docs allow.

        The answer must come within so many seconds, and within the timeout.
        """
        poster = self._poster(method)
        headers = {"Authorization": self._bearer, "Content-Type": "application/x-www-form-urlencoded"}
        return self._fields(poster, poster.post(urlencode(arguments).encode(), headers, within_seconds), expected)

    def _poster(self, method: str) -> Poster:
        if method not in self._posters:
            self._posters[method] = Poster(
                "Slack",
                f"{self._base}/{method}",
                self._settings.timeout_seconds,
                self._clock,
                [self._token],
                max_answer_bytes=MAX_ANSWER_BYTES,
            )
        return self._posters[method]

    def _fields(self, poster: Poster, answer: Answer, expected: Collection[str]) -> dict[str, Any]:
        fields = answer.fields()
        if answer.status == 200 and fields.get("ok") is True:
            return fields
        code = fields.get("error")
        if fields.get("ok") is not False or not isinstance(code, str):
            raise poster.refusal(answer)
        if code in expected:
            return fields
        raise self._refusal(answer, poster.hide(code))

    def _refusal(self, answer: Answer, code: str) -> Failed | Transient:
        message = f"Slack answered {plain(code, 100)!r}" + (f": {HINTS[code]}" if code in HINTS else "")
        if code in PASSING or answer.status == 429 or answer.status >= 500:
            return Transient(message, retry_after(answer.retry_after, self._clock))
        return Failed(message) if code in FINAL else Unavailable(message)


def _token(settings: SlackSettings) -> str:
    token = settings.bot_token.get_secret_value().strip() if settings.bot_token else ""
    if not token or any(not "!" <= character <= "~" for character in token):
        message = "`slack.bot_token` is no token; it must be the bot's (xoxb-…), as Slack shows it"
        raise Misconfigured(message)
    return token
