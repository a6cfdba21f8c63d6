"""The rules of X's filtered stream, made to be those of the settings.

https://docs.x.com/x-api/posts/filtered-stream/introduction. An application has one set of rules for all its users:
ours have a tag with the source's name, and others are left alone.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from bearometer.clock import Clock
from bearometer.errors import BearometerError, Misconfigured, Transient
from bearometer.settings import IngestSettings
from bearometer.stream_source_settings import XSettings
from bearometer.terminal import plain
from ingest.http_stream import Answer, ask, refusal
from ingest.polled import read_json

__all__ = ["find_rules", "synchronise_rules", "x_refusal"]

_LEAST_WAIT_SECONDS = 60.0
"""https://docs.x.com/x-api/fundamentals/handling-disconnections: after 429 a minute at least."""
_AT_ONCE = 100
_DUPLICATE = "DuplicateRule"


def synchronise_rules(
    settings: XSettings, headers: Mapping[str, str], ingest: IngestSettings, clock: Clock, setting: str
) -> frozenset[str]:
    """Delete our rules that are not wanted any more, add those that are missing; the ids of all that are wanted.

    A wanted rule that somebody else has is not added again, which X would refuse. Misconfigured when X does not
    understand one.
    """
    tag, wanted = f"bearometer:{settings.name}", settings.rules
    rules = _Rules(settings, headers, ingest, clock, setting)
    found = rules.list()
    unwanted = [str(rule["id"]) for rule in found if rule.get("tag") == tag and rule.get("value") not in wanted]
    for start in range(0, len(unwanted), _AT_ONCE):
        rules.change({"delete": {"ids": unwanted[start : start + _AT_ONCE]}})
    present = {rule.get("value") for rule in found}
    missing = [value for value in dict.fromkeys(wanted) if value not in present]
    for start in range(0, len(missing), _AT_ONCE):
        rules.change({"add": [{"value": value, "tag": tag} for value in missing[start : start + _AT_ONCE]]})
    if missing:
        found = rules.list()
    return _ids(found, settings)


def find_rules(
    settings: XSettings, headers: Mapping[str, str], ingest: IngestSettings, clock: Clock, setting: str
) -> frozenset[str]:
    """The ids of those that are wanted and are there; changes nothing."""
    return _ids(_Rules(settings, headers, ingest, clock, setting).list(), settings)


def _ids(found: list[dict[str, Any]], settings: XSettings) -> frozenset[str]:
    return frozenset(str(rule["id"]) for rule in found if rule.get("value") in settings.rules)


def x_refusal(url: str, status: int, headers: Mapping[str, str], now: datetime, setting: str) -> BearometerError:
    """What `refusal` says, with the wait that X asks for in headers of its own."""
    error = refusal(url, status, headers, now, setting)
    if status == 429 and isinstance(error, Transient):
        reset = headers.get("x-rate-limit-reset", "")
        wait = int(reset) - now.timestamp() if reset.isascii() and reset.isdigit() and len(reset) < 13 else 0.0
        error.retry_after_seconds = min(max(wait, error.retry_after_seconds or 0.0, _LEAST_WAIT_SECONDS), 86_400.0)
    return error


class _Rules:
    def __init__(
        self, settings: XSettings, headers: Mapping[str, str], ingest: IngestSettings, clock: Clock, setting: str
    ) -> None:
        self._url = f"{settings.api_url}/2/tweets/search/stream/rules"
        self._headers = headers
        self._ingest = ingest
        self._clock = clock
        self._setting = setting

    def list(self) -> list[dict[str, Any]]:
        answer = self._ask("GET", b"")
        found = read_json(answer.body, self._url)
        rules = found.get("data", []) if isinstance(found, dict) else []
        return [rule for rule in rules if isinstance(rule, dict) and "id" in rule] if isinstance(rules, list) else []

    def change(self, what: dict[str, Any]) -> None:
        answer = self._ask("POST", orjson.dumps(what))
        said = read_json(answer.body, self._url)
        errors = said.get("errors", []) if isinstance(said, dict) else []
        for error in errors if isinstance(errors, list) else []:
            if isinstance(error, dict) and error.get("title") != _DUPLICATE:
                detail = error.get("details") or error.get("detail") or error.get("title")
                message = f"X does not take the rule {error.get('value')!r:.200}: {plain(str(detail), 300)}"
                raise Misconfigured(message)

    def _ask(self, method: str, body: bytes) -> Answer:
        headers = {**self._headers, **({"Content-Type": "application/json"} if body else {})}
        answer = ask(self._url, self._ingest, self._clock, headers=headers, method=method, body=body)
        # 400 and 422 say in their body which rule is wrong.
        if answer.status not in {200, 201} and not (method == "POST" and answer.status in {400, 422}):
            raise x_refusal(self._url, answer.status, answer.headers, self._clock.now(), self._setting)
        return answer
