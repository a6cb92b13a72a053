"""Whole models in one archive, over a transport."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from athanor.kernel import Transport
from athanor.kernel.transport import segment
from athanor.registry.errors import BadCode
from athanor.registry.records import ModelArrival, NewCode, PythonCode
from athanor.registry.types import ModelVersion

_LEFT_OUT = frozenset({"__pycache__", ".git", ".venv", ".ruff_cache", ".mypy_cache"})
"""Of a folder with code."""


class ExchangeClient:
    """Models that leave in a file, and arrive from one."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def give_whole(self, name: str) -> Iterator[bytes]:
        """A model with all its versions as a zip archive, chunk by chunk."""
        return self._transport.stream(f"/models/{segment(name)}/archive")

    def take_whole(self, archive: Path, *, name: str = "", project: str = "") -> ModelArrival:
        """Take in such an archive, numbers kept; `name` and `project` put others in place."""
        query = {"name": name or None, "project": project or None}
        answer = self._transport.send("PUT", "/model-archives", query=query, content=archive)
        return answer.read(ModelArrival)

    def take_code(self, new: NewCode) -> ModelVersion:
        """Make a model's next version of a user's own Python; `read_code` reads it from files."""
        path = f"/models/{segment(new.model)}/code"
        return self._transport.send("POST", path, body=new).read(ModelVersion)


def read_code(path: Path, requirements: Sequence[str] = ()) -> PythonCode:
    """The code in a file, or in a folder: a package, or files with one `model.py` among them.

    Raises: BadCode.
    """
    if path.is_file():
        return PythonCode(files={path.name: _text(path)}, requirements=tuple(requirements))
    if not path.is_dir():
        raise BadCode(str(path), "there is no such file or folder")
    package = (path / "__init__.py").is_file()
    root = path.resolve().parent if package else path.resolve()
    files = {
        item.relative_to(root).as_posix(): _text(item)
        for item in sorted(path.resolve().rglob("*"))
        if item.is_file() and _LEFT_OUT.isdisjoint(item.parts) and item.suffix != ".pyc"
    }
    return PythonCode(files=files, requirements=tuple(requirements))


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        why = "it is no text; bring other files in a model folder: athanor model import"
        raise BadCode(path.name, why) from error
    except OSError as error:
        raise BadCode(path.name, str(error)) from error
