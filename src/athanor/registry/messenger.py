"""Signed messages to an address that somebody gave, in the form of Standard Webhooks.

The headers are `webhook-id`, `webhook-timestamp` (seconds) and, where there is a secret,
`webhook-signature: v1,<base64 of HMAC-SHA256 of id.timestamp.body>`. Source: standardwebhooks.com.
"""

import base64
import binascii
import hashlib
import hmac
import time

from athanor.registry.logic.webhooks import read_url
from athanor.registry.secrets import Locker
from athanor.registry.sending import addresses_of, post
from athanor.registry.webhooks import Reach

_PREFIX = "whsec_"


class Messenger:
    """Sends to where messages may go, and nowhere else."""

    def __init__(self, reach: Reach, locker: Locker) -> None:
        self._reach = reach
        self._locker = locker

    def check(self, url: str) -> None:
        """Return if messages may go there.

        Raises: BadWebhook.
        """
        parsed = read_url(url, self._reach)
        try:
            addresses_of(parsed, self._reach)
        except (OSError, UnicodeError):
            return  # a host that has no address yet is judged again before each message

    def lock(self, secret: str) -> str:
        """The secret as it is kept."""
        return self._locker.lock(secret)

    def send(self, url: str, message_id: str, body: bytes, locked: str | None) -> int:
        """One attempt; the answer's status.

        Raises: BadWebhook; ValueError (the secret was locked by another key); OSError,
        http.client.HTTPException.
        """
        now = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "athanor",
            "webhook-id": message_id,
            "webhook-timestamp": now,
        }
        if locked is not None:
            headers["webhook-signature"] = signed(
                self._locker.unlock(locked), message_id, now, body
            )
        status, _ = post(read_url(url, self._reach), body, headers, self._reach)
        return status


def signed(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """`v1,<base64>`. A secret `whsec_<base64>` stands for its bytes, any other for its text."""
    key = secret.encode()
    if secret.startswith(_PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            key = secret.encode()
    content = f"{message_id}.{timestamp}.".encode() + body
    made = hmac.new(key, content, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(made).decode()}"
