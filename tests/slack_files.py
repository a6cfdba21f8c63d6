"""The part of the stand-in for Slack that takes files: an address for the bytes, the bytes, and where to show them.

https://docs.slack.dev/reference/methods/files.getUploadURLExternal/ and …/files.completeUploadExternal/
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

__all__ = ["FILE_METHODS", "UPLOAD_PATH", "SlackFile", "SlackFiles"]

FILE_METHODS = ("files.getUploadURLExternal", "files.completeUploadExternal")
UPLOAD_PATH = "/upload/v1/"


@dataclass
class SlackFile:
    """A file, from when its address was asked for; shown once it has a channel."""

    id: str
    name: str
    length: int
    alt: str
    content: bytes | None = None
    title: str = ""
    channel: str | None = None
    thread_ts: str | None = None


@dataclass
class SlackFiles:
    """The files of a workspace; `is_parent` says whether a message is there, and is no answer itself."""

    is_parent: Callable[[str, str], bool]
    files: list[SlackFile] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def shown(self) -> list[SlackFile]:
        return [each for each in self.files if each.channel is not None]

    def call(self, method: str, headers: dict[str, str], body: bytes, origin: str) -> dict[str, Any]:
        """What the method answers to a form."""
        if headers.get("Content-Type") != "application/x-www-form-urlencoded":
            return self._refuse("invalid_post_type")
        try:
            pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
        except ValueError:
            return self._refuse("invalid_form_data")
        arguments = dict(pairs)
        if len(arguments) < len(pairs):
            return self._refuse("invalid_form_data")
        return self._place(arguments, origin) if method == FILE_METHODS[0] else self._show(arguments)

    def upload(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        """The status and the text that the bytes are answered with."""
        file = next((each for each in self.files if path == f"{UPLOAD_PATH}SECRET{each.id}"), None)
        if file is None:
            return 404, "no such address"
        if "Authorization" in headers:
            self.problems.append("the token came with the bytes")
        if file.content is not None or len(body) != file.length:
            self.problems.append("came twice, or is not as long as was said")
            return 400, "no"
        file.content = body
        return 200, f"OK - {len(body)}"

    def _place(self, arguments: dict[str, str], origin: str) -> dict[str, Any]:
        if not arguments.keys() <= {"filename", "length", "alt_txt", "snippet_type"}:
            return self._refuse("invalid_arg_name")
        length = arguments.get("length", "")
        if not arguments.get("filename") or not re.fullmatch("[1-9][0-9]*", length):
            return self._refuse("missing_argument")
        if len(arguments.get("alt_txt", "")) > 1000:
            return self._refuse("alt_txt_too_large")
        file = SlackFile(f"F0{len(self.files)}", arguments["filename"], int(length), arguments.get("alt_txt", ""))
        self.files.append(file)
        return {"ok": True, "upload_url": f"{origin}{UPLOAD_PATH}SECRET{file.id}", "file_id": file.id}

    def _show(self, arguments: dict[str, str]) -> dict[str, Any]:
        if not arguments.keys() <= {"files", "channel_id", "thread_ts", "channels", "initial_comment", "blocks"}:
            return self._refuse("invalid_arg_name")
        try:
            (given,) = json.loads(arguments["files"])
        except (KeyError, ValueError, TypeError):
            return self._refuse("invalid_arguments")
        channel, thread_ts = arguments.get("channel_id", ""), arguments.get("thread_ts")
        if not given.keys() <= {"id", "title", "highlight_type"} or not re.fullmatch("[CGDZ][A-Z0-9]+", channel):
            return self._refuse("invalid_arguments")
        file = next((each for each in self.files if each.id == given["id"]), None)
        if file is None or file.content is None or file.channel is not None:  # "can only be called once"
            return self._refuse("file_not_found")
        if thread_ts is not None and not self.is_parent(channel, thread_ts):
            return self._refuse("thread_not_found")
        file.channel, file.thread_ts, file.title = channel, thread_ts, given.get("title", file.name)
        return {"ok": True, "files": [{"id": file.id, "title": file.title}]}

    def _refuse(self, code: str) -> dict[str, Any]:
        self.problems.append(code)
        return {"ok": False, "error": code}
