"""The body of a form with files in it, for the services that take a picture no other way."""

from collections.abc import Mapping

import httpx

__all__ = ["multipart"]


def multipart(fields: Mapping[str, str], files: Mapping[str, tuple[str, bytes, str]]) -> tuple[bytes, str]:
    """The body and its Content-Type; a file is its name, its bytes and their type, and there is at least one.

    No name of a field or a file ends its header, and no text or file ends its part: the boundary is random.
    ValueError for lone surrogates.
    """
    if not files:
        message = "a form without files has no parts"
        raise ValueError(message)
    request = httpx.Request("POST", "http://localhost", data=fields, files=files)
    return request.read(), request.headers["Content-Type"]
