"""Locks the secrets of webhooks, so that a copy of the database does not hold them."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.fernet import Fernet


KEY_FILE = "webhooks.key"
"""The key's file in the workspace."""


class Locker:
    """Locks and unlocks by one key: given, or made in a file that only the owner reads."""

    def __init__(self, file: Path, key: str = "") -> None:
        self._file = file
        self._key = key
        self._fernet: Fernet | None = None

    def lock(self, secret: str) -> str:
        """The secret, encrypted (Fernet: AES-128-CBC with HMAC-SHA256)."""
        return self._opened().encrypt(secret.encode()).decode()

    def unlock(self, locked: str) -> str:
        """The secret again.

        Raises: ValueError where it was locked by another key.
        """
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - only where one is used

        try:
            return self._opened().decrypt(locked.encode()).decode()
        except InvalidToken as error:
            raise ValueError("locked by another key") from error

    def _opened(self) -> "Fernet":
        from cryptography.fernet import Fernet  # noqa: PLC0415 - only where a secret is used

        if self._fernet is None:
            key = self._key.encode() if self._key else self._read()
            self._fernet = Fernet(key)
        return self._fernet

    def _read(self) -> bytes:
        from cryptography.fernet import Fernet  # noqa: PLC0415 - only where a secret is used

        try:
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            # A restored one may be open to others.
            self._file.chmod(0o600)
            return self._file.read_bytes().strip()
        with os.fdopen(descriptor, "wb") as stream:
            made = Fernet.generate_key()
            stream.write(made)
            stream.flush()
            os.fsync(stream.fileno())
        return made
