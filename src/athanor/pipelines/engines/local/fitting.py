"""What an attempt is given besides its inputs: variables, secrets, volumes, limits."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from athanor.pipelines.engines.local.exchange import Mount
from athanor.pipelines.errors import BadStep, SecretNotFound
from athanor.pipelines.secrets import SecretStore

_VOLUME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
VOLUMES = "volumes"
CREATE_VOLUME = "argostub/createpvc"
DELETE_VOLUME = "argostub/deletepvc"


@dataclass(slots=True, kw_only=True)
class Fitting:
    """The surroundings of one attempt."""

    env: dict[str, str] = field(default_factory=dict)
    mounts: list[Mount] = field(default_factory=list)
    seconds: float = 0.0
    """Its time limit by the platform's part; 0 is none."""


def fitting_of(
    settings: Mapping[str, Any], secrets: SecretStore, *, volumes: Path, attempt: Path
) -> Fitting:
    """What the platform's part of a pipeline gives an attempt.

    `volumes` holds the folders that outlive runs. Raises: SecretNotFound, BadStep.
    """
    if not settings:
        return Fitting()
    found = Fitting(seconds=float(settings.get("activeDeadlineSeconds") or 0))
    for kind in ("secret", "configMap"):
        for item in settings.get(f"{kind}AsEnv") or ():
            values = _values(item, kind, secrets)
            for pair in item.get("keyToEnv") or ():
                key = str(pair.get(f"{kind}Key", ""))
                if key in values:
                    found.env[str(pair.get("envVar") or key)] = values[key]
                elif not item.get("optional"):
                    name = str(item.get(f"{kind}Name") or "")
                    raise SecretNotFound(name, key, values)
        for item in settings.get(f"{kind}AsVolume") or ():
            values = _values(item, kind, secrets)
            place = _fresh(attempt, f"{kind}-{item.get(f'{kind}Name')}")
            for key, value in values.items():
                descriptor = os.open(place / key, os.O_WRONLY | os.O_CREAT, 0o600)
                with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                    stream.write(value)
            found.mounts.append(Mount(source=str(place), target=str(item.get("mountPath"))))
    found.mounts += _claims(settings, volumes)
    for number, item in enumerate(_scratch(settings)):
        place = _fresh(attempt, f"scratch-{number}")
        found.mounts.append(Mount(source=str(place), target=str(item.get("mountPath"))))
    return found


def create_volume(volumes: Path, parameters: Mapping[str, Any], unique: str) -> str:
    """Make a volume as Kubernetes' `CreatePVC` does; returns its name. An existing one is kept.

    Raises: BadStep for a name that is none.
    """
    name = str(parameters.get("pvc_name") or "")
    if not name:
        name = f"{unique}{parameters.get('pvc_name_suffix') or ''}"
    volume_of(volumes, name).mkdir(mode=0o700, parents=True, exist_ok=True)
    return name


def delete_volume(volumes: Path, parameters: Mapping[str, Any]) -> None:
    """Remove a volume with what it holds."""
    shutil.rmtree(volume_of(volumes, str(parameters.get("pvc_name") or "")), ignore_errors=True)


def volume_of(volumes: Path, name: str) -> Path:
    """The folder of a volume. Raises: BadStep."""
    if not _VOLUME.fullmatch(name):
        raise BadStep(
            f"{name[:100]!r} can't name a volume.", hint="Use letters, digits, dots and hyphens."
        )
    return volumes / name


def _claims(settings: Mapping[str, Any], volumes: Path) -> Iterator[Mount]:
    for item in settings.get("pvcMount") or ():
        name = str(item.get("pvcName") or item.get("constant") or "")
        place = volume_of(volumes, name)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if inner := str(item.get("subPath") or "").strip("/"):
            if ".." in Path(inner).parts:
                raise BadStep(f"The path {inner!r} leaves its volume.", hint="Leave out `..`.")
            place = place / inner
            place.mkdir(parents=True, exist_ok=True)
        yield Mount(source=str(place), target=str(item.get("mountPath")))


def _scratch(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        *(settings.get("emptyDirMounts") or ()),
        *(settings.get("genericEphemeralVolume") or ()),
    ]


def _values(item: Mapping[str, Any], kind: str, secrets: SecretStore) -> dict[str, str]:
    name = str(item.get(f"{kind}Name") or "")
    found = secrets.find(name) if name else None
    if found is None and not item.get("optional"):
        raise SecretNotFound(name, "", secrets.names())
    return found or {}


def _fresh(attempt: Path, name: str) -> Path:
    place = attempt / VOLUMES / re.sub(r"[^A-Za-z0-9._-]", "-", name)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return place
