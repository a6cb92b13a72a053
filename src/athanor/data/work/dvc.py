"""Files tracked by DVC, read and written by their plain layout; DVC itself is not needed.

A .dvc file is YAML that names a content by its MD5; the remote holds it at
`files/md5/<2 digits>/<30 digits>` (before DVC 3: without `files/md5`). A folder's content is a
JSON list of its files, named `<md5>.dir`.
"""

import configparser
import errno
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import orjson
import yaml

from athanor.data.errors import SourceUnreachable, UnreadableFile
from athanor.data.work.folders import contents
from athanor.data.work.places import located
from athanor.kernel.documents import read_yaml
from athanor.kernel.remote import filesystem_of

_BLOCK = 1 << 20
_LAYOUTS = ("files/md5/{}/{}", "{}/{}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a .dvc file names: a file, or a folder."""

    path: Path
    name: str
    notes: tuple[str, ...]


def fetched(file: Path, remote: str, options: Mapping[str, str], into: Path) -> Fetched:
    """The content that a .dvc file names: from the working tree, the cache or the remote.

    Raises: UnreadableFile, SourceUnreachable.
    """
    md5, name = _named(file)
    root = _root(file)
    beside = file.parent / name
    if beside.is_file() and not md5.endswith(".dir") and _md5(beside) == md5:
        target = into / "arrived"
        shutil.copyfile(beside, target)
        return Fetched(path=target, name=beside.name, notes=(f"MD5 {md5}, from {beside}.",))
    stores = _stores(root, remote, options)
    if md5.endswith(".dir"):
        return _folder(md5, beside.name, stores, into, file)
    target = into / "arrived"
    where = _taken(md5, stores, target, file)
    return Fetched(path=target, name=beside.name, notes=(f"MD5 {md5}, from {where}.",))


def _named(file: Path) -> tuple[str, str]:
    """The MD5 and the path that a .dvc file tells."""
    try:
        told = read_yaml(file.read_text("utf-8"))
        [out] = told["outs"]
        md5, name = str(out["md5"]), str(out["path"])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise UnreadableFile(
            file.name,
            "this is no .dvc file with one output and its MD5.",
            hint="Hand in what `dvc add` wrote.",
        ) from error
    digits = md5.removesuffix(".dir")
    if len(digits) != 32 or not set(digits) <= set("0123456789abcdef"):
        raise UnreadableFile(
            file.name, f"{md5[:60]!r} is no MD5.", hint="Hand in what `dvc add` wrote."
        )
    if not _inside(name):
        raise UnreadableFile(
            file.name, f"its path {name[:60]!r} leads elsewhere.", hint="Write a path beside it."
        )
    return md5, name


def _root(file: Path) -> Path | None:
    """The DVC project that a file belongs to."""
    for folder in file.absolute().parents:
        if (folder / ".dvc").is_dir():
            return folder / ".dvc"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Store:
    """A place that holds contents."""

    shown: str
    filesystem: Any
    path: str


def _stores(root: Path | None, remote: str, options: Mapping[str, str]) -> list[_Store]:
    urls = [(remote, options)] if remote else []
    if root is not None:
        urls.append((str(root / "cache"), {}))
        urls += [(url, {}) for url in _configured(root)] if not remote else []
    found = []
    for url, given in urls:
        try:
            filesystem, path = filesystem_of(url, given)
        except (ImportError, ValueError) as error:
            raise SourceUnreachable(url, f"the remote can't be opened: {error}") from error
        found.append(_Store(shown=url, filesystem=filesystem, path=path.rstrip("/")))
    return found


def _configured(root: Path) -> list[str]:
    """The default remote's URL, else those of all remotes."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read([root / "config", root / "config.local"])
    urls = {
        section.strip("'").removeprefix("remote ").strip('"'): parser.get(section, "url")
        for section in parser.sections()
        if section.strip("'").startswith("remote ") and parser.has_option(section, "url")
    }
    default = parser.get("core", "remote", fallback="")
    chosen = [urls[default]] if default in urls else list(urls.values())
    # A relative path is meant from the folder of the configuration.
    return [url if "://" in url else str((root / url).resolve()) for url in chosen]


def _taken(md5: str, stores: Iterable[_Store], target: Path, file: Path) -> str:
    """Write a content to a path; returns where it was."""
    looked = []
    for store in stores:
        for layout in _LAYOUTS:
            path = f"{store.path}/{layout.format(md5[:2], md5[2:])}"
            try:
                store.filesystem.get_file(path, str(target))
            except (FileNotFoundError, IsADirectoryError):
                continue
            except OSError as error:
                raise SourceUnreachable(
                    store.shown, f"the remote can't be read: {error}"
                ) from error
            if layout == _LAYOUTS[0] and _md5(target) != md5.removesuffix(".dir"):
                raise UnreadableFile(
                    file.name,
                    f"the content {md5} in {store.shown} is damaged: it has another MD5.",
                    hint="Push it again: dvc push",
                )
            return store.shown
        looked.append(store.shown)
    raise SourceUnreachable(
        file.name,
        f"its content {md5} is in none of: {', '.join(looked) or 'no cache, no remote'}.",
        hint="Push it with `dvc push`, or name the remote: --remote URL",
    )


def _folder(md5: str, name: str, stores: list[_Store], into: Path, file: Path) -> Fetched:
    listing, root = into / "listing", into / "folder"
    where = _taken(md5, stores, listing, file)
    try:
        entries = [(str(e["md5"]), str(e["relpath"])) for e in orjson.loads(listing.read_bytes())]
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableFile(
            file.name, f"the folder's list {md5} is damaged.", hint="Push it again: dvc push"
        ) from error
    paths = {path for _, path in entries}
    above = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    if not entries or len(paths) < len(entries) or paths & above:
        what = "is empty" if not entries else "tells a file twice, or as a folder, too"
        raise UnreadableFile(
            file.name, f"the folder's list {md5} {what}.", hint="Add the folder anew."
        )
    for digest, path in entries:
        if not _inside(path):
            raise UnreadableFile(
                file.name, f"its path {path[:60]!r} leads elsewhere.", hint="Add the folder anew."
            )
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        _taken(digest, stores, target, file)
    return Fetched(path=root, name=name, notes=(f"MD5 {md5}, {len(entries)} files from {where}.",))


def _inside(path: str) -> bool:
    pure = PurePosixPath(path)
    return bool(path) and "\0" not in path and not pure.is_absolute() and ".." not in pure.parts


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def export(
    version: dict[str, Any], name: str, folder: str, remote: str, packs: dict[str, str]
) -> dict[str, Any]:
    """Write a version as a DVC project below `folder`, its contents at `remote` (a path or URL).

    A table of one file becomes `NAME.parquet`, of several a folder of them; a folder of images or
    texts becomes that folder. `packs` are the paths of its packs by digest, and its index at "".
    """
    try:
        return _exported(version, name, Path(folder), remote, packs)
    except (OSError, ImportError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        raise SourceUnreachable(
            folder,
            f"it can't be written: {error}",
            hint="Name a folder that the server may write to, and a remote that it reaches.",
        ) from error


def _exported(
    version: dict[str, Any], name: str, root: Path, remote: str, packs: dict[str, str]
) -> dict[str, Any]:
    (root / ".dvc").mkdir(parents=True, exist_ok=True)
    store, place = filesystem_of(remote)
    put = _putter(store, place.rstrip("/"))
    if packs:
        files = contents(version, packs[""], packs)
        md5, size, count = _put_folder(((path, data) for path, data in files), put)
        path = name
    else:
        paths = [Path(item) for item in located(version["table_uri"], version["files"])]
        if len(paths) == 1:
            data = paths[0].read_bytes()
            md5, size, count, path = put(data), len(data), 1, f"{name}.parquet"
        else:
            parts = ((f"part-{n:04d}.parquet", item.read_bytes()) for n, item in enumerate(paths))
            (md5, size, count), path = _put_folder(parts, put), name
    out: dict[str, Any] = {"md5": md5, "size": size, "hash": "md5", "path": path}
    if md5.endswith(".dir"):
        out["nfiles"] = count
    file = root / f"{path}.dvc"
    file.write_text(yaml.safe_dump({"outs": [out]}, sort_keys=False), "utf-8")
    _configure(root, remote)
    ignored = root / ".gitignore"
    lines = ignored.read_text("utf-8").splitlines() if ignored.exists() else []
    if f"/{path}" not in lines:
        ignored.write_text("\n".join([*lines, f"/{path}"]) + "\n", "utf-8")
    return {
        "folder": str(root),
        "file": str(file),
        "remote": remote,
        "md5": md5,
        "size": size,
        "files": count,
    }


def _configure(root: Path, remote: str) -> None:
    """Name the remote in the project's configuration; what stands there stays."""
    file = root / ".dvc" / "config"
    told = file.read_text("utf-8") if file.exists() else ""
    section = f"['remote \"athanor\"']\n    url = {remote}\n"
    if section in told:
        return
    if not told:
        alone = not any((folder / ".git").exists() for folder in (root, *root.parents))
        told = "[core]\n    remote = athanor\n" + ("    no_scm = true\n" if alone else "")
    file.write_text(told + section, "utf-8")


def _putter(store: Any, place: str) -> Callable[..., str]:
    def put(data: bytes, suffix: str = "") -> str:
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        path = f"{place}/files/md5/{md5[:2]}/{md5[2:]}{suffix}"
        if not store.exists(path):
            store.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            # Under another name first: a content is there whole or not at all.
            passing = f"{path}.part"
            store.pipe_file(passing, data)
            store.mv(passing, path)
        return md5 + suffix

    return put


def _put_folder(
    files: Iterable[tuple[str, bytes]], put: Callable[..., str]
) -> tuple[str, int, int]:
    entries, size = [], 0
    for path, data in files:
        entries.append({"md5": put(data), "relpath": path})
        size += len(data)
    entries.sort(key=lambda entry: entry["relpath"])
    # As DVC writes it, so that the folder's MD5 is DVC's too.
    listing = json.dumps(entries, sort_keys=True)
    return put(listing.encode(), ".dir"), size, len(entries)
