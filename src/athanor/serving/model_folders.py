"""Model folders on this machine, each fetched once, whole or not at all."""

import contextlib
import shutil
import tempfile
from pathlib import Path

from athanor.kernel.storage import Storage
from athanor.lineage import Artifact


class ModelFolders:
    """The cache of models below the workspace."""

    def __init__(self, storage: Storage, workspace: Path) -> None:
        self._storage = storage
        self._cache = workspace / "cache" / "models"

    def of(self, artifact: Artifact) -> Path:
        """The folder of a model's artifact.

        Raises: BlobNotFound, BlobDamaged.
        """
        name = artifact.folder.removeprefix("sha256:")
        target = self._cache / name
        if not target.exists():
            self._cache.mkdir(parents=True, exist_ok=True)
            passing = Path(tempfile.mkdtemp(dir=self._cache, prefix=f".{name[:16]}-"))
            try:
                self._storage.fetch_folder(f"sha256:{name}", passing)
                with contextlib.suppress(OSError):  # somebody else was faster
                    passing.rename(target)
            finally:
                shutil.rmtree(passing, ignore_errors=True)
        return target
