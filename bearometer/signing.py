"""Signatures of pushed requests, for who sends them and who checks them: Standard Webhooks.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#signature-scheme
"""

import base64
import binascii
import hmac

from bearometer.errors import Misconfigured

__all__ = ["read_signing_key", "sign"]

LEAST_KEY_BYTES = 24
_MARK = "whsec_"


def read_signing_key(secret: str, setting: str) -> bytes:
    """The key of a secret: `whsec_` and base64. Misconfigured, naming the setting, for anything else."""
    text = secret.strip()
    try:
        key = base64.b64decode(text.removeprefix(_MARK), validate=True) if text.startswith(_MARK) else b""
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < LEAST_KEY_BYTES:
        message = (
            f"`{setting}` is not a signing secret; it must be whsec_ and {LEAST_KEY_BYTES} bytes or more in base64:"
            ' echo "whsec_$(openssl rand -base64 32)"'
        )
        raise Misconfigured(message)
    return key


def sign(key: bytes, identity: str, seconds: int, body: bytes) -> str:
    """The signature's text, `v1,` and the HMAC-SHA256 in base64 of the id, the time and the body with dots between."""
    signed = f"{identity}.{seconds}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}"
