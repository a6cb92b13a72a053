"""Where artifacts lie: folders of this machine, or what fsspec can open."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import unquote, urlsplit

from athanor.app.moving.source import Files, Found

PROXIED = "mlflow-artifacts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Locations:
    """Finds the files of a location as a store wrote it down."""

    base: Path
    """Where relative paths begin: the store's folder."""
    proxied: str = ""
    """The folder or URL behind `mlflow-artifacts:` where no server is asked."""

    def files(self, location: str, *, beside: Path | None = None) -> Files:
        """The files of a location; `beside` is where they lie if the store was moved."""
        scheme = urlsplit(location).scheme
        if scheme == PROXIED:
            return self._proxied(urlsplit(location).path.lstrip("/"))
        if scheme in {"", "file"} or len(scheme) == 1:
            path = unquote(urlsplit(location).path) if scheme == "file" else location
            return self._local(path, beside)
        return _remote(location)

    def open(self, file: Found) -> IO[bytes]:
        """A file's bytes.

        Raises: OSError.
        """
        if file.local is not None:
            return file.local.open("rb")
        import fsspec  # noqa: PLC0415 - only where artifacts lie in an object store

        return cast("IO[bytes]", fsspec.open(file.place, "rb").open())

    def _proxied(self, path: str) -> Files:
        roots = [self.proxied] if self.proxied else [str(self.base / "mlartifacts")]
        if urlsplit(roots[0]).scheme in {"", "file"}:
            return self._local(f"{roots[0].removeprefix('file://')}/{path}", None)
        return _remote(f"{roots[0].rstrip('/')}/{path}")

    def _local(self, location: str, beside: Path | None) -> Files:
        given = Path(location)
        places = [given if given.is_absolute() else self.base / given]
        if beside is not None:
            places.append(beside)
        places += self._moved(given)
        missing = f"there is no folder {location}"
        for place in places:
            if location and place.is_dir():
                found = sorted(_walk(place), key=lambda file: file.path)
                elsewhere = place == beside and given.parts[-2:] != beside.parts[-2:]
                return Files(found=found, missing=missing if elsewhere else "")
        # A run that logged no file has no folder.
        lost = self._expected(given) if beside is None else given.parts[-2:] != beside.parts[-2:]
        return Files(missing=missing if lost else "")

    def _moved(self, given: Path) -> Iterator[Path]:
        """Where the folder would lie if it had been moved together with the store."""
        for name in ("mlruns", "mlartifacts"):
            if name in given.parts:
                rest = given.parts[given.parts.index(name) + 1 :]
                yield self.base.joinpath(name, *rest)
                if self.base.name == name:
                    yield self.base.joinpath(*rest)

    def _expected(self, given: Path) -> bool:
        """Whether a missing folder means missing files: its root is missing too."""
        root = given if given.is_absolute() else self.base / given
        above = [parent for parent in root.parents[:3] if parent != parent.parent]
        return bool(above) and not any(parent.is_dir() for parent in above)


def _walk(folder: Path) -> Iterator[Found]:
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root) / name
            if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
                continue
            if not path.is_file():
                continue
            stat = path.stat()
            yield Found(
                path=path.relative_to(folder).as_posix(),
                size=stat.st_size,
                mark=str(stat.st_mtime_ns),
                local=path,
            )


def _remote(location: str) -> Files:
    import fsspec  # noqa: PLC0415 - only where artifacts lie in an object store

    try:
        filesystem, root = fsspec.core.url_to_fs(location)
        listed: dict[str, dict[str, Any]] = filesystem.find(root, detail=True)
    except FileNotFoundError:
        return Files()
    except Exception as error:  # noqa: BLE001 - every store's library has its own failures
        return Files(missing=f"{location}: {error}")
    scheme = location.split("://", 1)[0]
    found = [
        Found(
            path=name.removeprefix(root).lstrip("/"),
            size=int(told.get("size") or 0),
            mark=str(told.get("ETag") or told.get("md5Hash") or told.get("LastModified") or ""),
            place=f"{scheme}://{name}",
        )
        for name, told in sorted(listed.items())
        if told.get("type") != "directory"
    ]
    return Files(found=found)
