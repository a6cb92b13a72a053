"""Files and folders as artifacts: what a step returns as a path."""

import builtins
import hashlib
import shutil
from pathlib import Path, PurePath
from typing import Any

from athanor.pipelines.errors import BadPipeline


class PathMaterializer:
    """A path is taken over with what it points at."""

    type = "file"

    def handles(self, python_type: builtins.type) -> bool:
        """Paths."""
        return issubclass(python_type, PurePath)

    def save(self, value: object, folder: Path) -> dict[str, Any]:
        """Copy the file or folder.

        Raises: BadPipeline when there is nothing at the path.
        """
        source = Path(str(value))
        if source.is_dir():
            shutil.copytree(source, folder, dirs_exist_ok=True)
            return {"type": "folder"}
        if not source.is_file():
            raise BadPipeline(
                f"The step returned the path {str(source)!r}, and there is nothing.",
                hint="Write the file before returning its path.",
            )
        shutil.copyfile(source, folder / source.name)
        return {"type": "file", "file": source.name}

    def load(self, folder: Path, metadata: dict[str, Any], python_type: builtins.type) -> object:  # noqa: ARG002 - the port's
        """The path of the file or folder, a copy of the step's own."""
        name = metadata.get("file")
        return folder / name if name else folder

    def digest(self, folder: Path) -> str:
        """The file's bytes; of a folder, all its files' paths and bytes."""
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        if len(files) == 1 and files[0].parent == folder:
            return _digest(files[0])
        total = hashlib.sha256()
        for path in files:
            for piece in (path.relative_to(folder).as_posix().encode(), _digest(path).encode()):
                total.update(len(piece).to_bytes(8))
                total.update(piece)
        return f"sha256:{total.hexdigest()}"


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
