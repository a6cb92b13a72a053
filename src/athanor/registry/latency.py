"""The latency of a version, measured where its model may be loaded: in a worker."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from athanor.kernel import SYSTEM
from athanor.registry.errors import ContentElsewhere
from athanor.registry.ground import Ground
from athanor.registry.scanning import Scanner
from athanor.registry.types import ModelVersion

_TARGET = "athanor.registry.packaging.timing:measure"
_SECONDS = 120.0


class Stopwatch:
    """Measures versions."""

    def __init__(self, scanner: Scanner, ground: Ground) -> None:
        self._scanner = scanner
        self._ground = ground

    def __call__(self, version: ModelVersion) -> Mapping[str, float]:
        """Milliseconds for one row: `p50`, `p95`, `p99`, and over how many `calls`.

        Raises: PickleNotAllowed, ContentElsewhere, BadModelFolder, UnsafeModel, TookTooLong.
        """
        if version.artifact_id is None:
            raise ContentElsewhere(version.reference, version.source)
        found = self._scanner.require(version)
        artifact = self._ground.lineage.artifact(SYSTEM, version.artifact_id)
        with TemporaryDirectory(prefix="athanor-latency-") as place:
            folder = self._ground.storage.fetch_folder(artifact.folder, Path(place))
            told = self._ground.workers.call(
                _TARGET, {"folder": str(folder), "pickles": found.pickled}, timeout=_SECONDS
            )
        return {name: float(value) for name, value in told.items()}
