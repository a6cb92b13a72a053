"""numpy arrays and pandas Series as artifacts; none of them is pickled."""

import builtins
import hashlib
from pathlib import Path
from typing import Any

_ARRAY = "array.npy"
_SERIES = "series.parquet"
_COLUMN = "values"


class ArrayMaterializer:
    """numpy arrays of numbers, texts and instants, in numpy's own format."""

    type = "array"

    def handles(self, python_type: builtins.type) -> bool:
        """Arrays, by name: numpy is not loaded to ask."""
        return _named(python_type, "numpy", "ndarray")

    def save(self, value: Any, folder: Path) -> dict[str, Any]:
        """Write one file. Raises: ValueError for an array of Python objects."""
        import numpy as np  # noqa: PLC0415 - only where there is an array

        np.save(folder / _ARRAY, value, allow_pickle=False)
        return {"file": _ARRAY, "shape": list(value.shape), "dtype": str(value.dtype)}

    def load(self, folder: Path, metadata: dict[str, Any], python_type: builtins.type) -> object:  # noqa: ARG002 - the port's
        """Read it."""
        import numpy as np  # noqa: PLC0415 - only where there is an array

        return np.load(folder / str(metadata.get("file", _ARRAY)), allow_pickle=False)

    def digest(self, folder: Path) -> str:
        """The digest of the file: its type, shape and values."""
        return f"sha256:{hashlib.sha256((folder / _ARRAY).read_bytes()).hexdigest()}"


class SeriesMaterializer:
    """pandas Series with their index and name, as a Parquet file."""

    type = "series"

    def handles(self, python_type: builtins.type) -> bool:
        """Series, by name: pandas is not loaded to ask."""
        return _named(python_type, "pandas", "Series")

    def save(self, value: Any, folder: Path) -> dict[str, Any]:
        """Write one file."""
        value.to_frame(_COLUMN).to_parquet(folder / _SERIES, engine="pyarrow")
        return {"file": _SERIES, "name": value.name, "rows": len(value)}

    def load(self, folder: Path, metadata: dict[str, Any], python_type: builtins.type) -> object:  # noqa: ARG002 - the port's
        """Read it."""
        import pandas as pd  # noqa: PLC0415 - only where there is a series

        file = folder / str(metadata.get("file", _SERIES))
        return pd.read_parquet(file, engine="pyarrow")[_COLUMN].rename(metadata.get("name"))

    def digest(self, folder: Path) -> str:
        """The digest of index and values."""
        import pyarrow.parquet as pq  # noqa: PLC0415 - only where there is a series

        from athanor.lineage.logic.digests import table_digest  # noqa: PLC0415 - brings Arrow

        return table_digest(pq.read_table(folder / _SERIES))


def _named(kind: builtins.type, root: str, name: str) -> bool:
    """Whether it is this class; one that is derived from it may hold more than would be kept."""
    return kind.__module__.split(".")[0] == root and kind.__name__ == name
