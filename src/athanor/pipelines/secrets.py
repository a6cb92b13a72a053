"""Secrets and configurations that steps are given: names with keys and values, kept as files."""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from athanor.kernel import Access, Events, Principal
from athanor.pipelines.errors import BadSecret, SecretNotFound
from athanor.pipelines.types import SecretKeys

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_KEY = re.compile(r"[A-Za-z0-9._-]{1,253}")


class SecretStore(Protocol):
    """Where secrets are kept."""

    def put(self, name: str, values: Mapping[str, str]) -> None:
        """Set keys of a secret; others stay."""
        ...

    def find(self, name: str) -> dict[str, str] | None:
        """The values by key, or None where there is no such secret."""
        ...

    def names(self) -> list[str]:
        """All secrets."""
        ...

    def remove(self, name: str) -> None:
        """Forget a secret."""
        ...


class FolderSecrets:
    """A folder a secret, a file a key, readable by the owner alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, values: Mapping[str, str]) -> None:
        """Set keys of a secret; each is there whole or not at all."""
        place = self._folder / name
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        for key, value in values.items():
            passing = place / f".{key}.{os.getpid()}"
            descriptor = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(value)
                stream.flush()
                os.fsync(stream.fileno())
            passing.replace(place / key)

    def find(self, name: str) -> dict[str, str] | None:
        """The values by key."""
        place = self._folder / name
        if not _NAME.fullmatch(name) or not place.is_dir():
            return None
        return {
            path.name: path.read_text("utf-8")
            for path in sorted(place.iterdir())
            if not path.name.startswith(".")
        }

    def names(self) -> list[str]:
        """All secrets."""
        if not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir() if path.is_dir())

    def remove(self, name: str) -> None:
        """Forget a secret."""
        shutil.rmtree(self._folder / name, ignore_errors=True)


class Secrets:
    """Secrets are set and listed; their values are given to steps alone."""

    def __init__(self, store: SecretStore, events: Events, access: Access) -> None:
        self._store = store
        self._events = events
        self._access = access

    def set_secret(self, who: Principal, name: str, values: Mapping[str, str]) -> SecretKeys:
        """Set keys of a secret; others stay.

        Raises: BadSecret.
        """
        self._access.require(who, "pipelines.set_secret", name)
        if not _NAME.fullmatch(name):
            raise BadSecret(f"{name[:100]!r} can't name a secret.")
        for key in values:
            if not _KEY.fullmatch(key) or key.startswith("."):
                raise BadSecret(f"{key[:100]!r} can't name a key of a secret.")
        if not values:
            raise BadSecret(f"The secret {name!r} is given no keys.")
        self._store.put(name, values)
        self._events.tell(who, "pipelines.secret.set", name, {"keys": sorted(values)})
        return SecretKeys(name=name, keys=sorted(self._store.find(name) or {}))

    def secrets(self, who: Principal) -> list[SecretKeys]:
        """All secrets with the names of their keys; never their values."""
        self._access.require(who, "pipelines.secrets", "*")
        return [
            SecretKeys(name=name, keys=sorted(self._store.find(name) or {}))
            for name in self._store.names()
        ]

    def remove_secret(self, who: Principal, name: str) -> None:
        """Forget a secret.

        Raises: SecretNotFound.
        """
        self._access.require(who, "pipelines.remove_secret", name)
        if self._store.find(name) is None:
            raise SecretNotFound(name, "", self._store.names())
        self._store.remove(name)
        self._events.tell(who, "pipelines.secret.removed", name)
