"""A data room of a test's own, over SQLite and forks."""

import contextlib
import importlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from deltalake import DeltaTable, Schema
from deltalake.exceptions import DeltaError

from athanor.data import NewVersion, ReadOptions, Roles
from athanor.kernel.database import Database
from athanor.kernel.remote import table_options
from athanor.kernel.workers import Child, Workers
from athanor.kernel.zygote import choose_workers
from athanor.testing.data import DataRoom, open_data_room

CHURN = Roles(target="left", id="customer")

Written = Callable[..., Path]


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    """Real forks, for what is about them."""
    started = choose_workers(("numpy", "pyarrow", "pyarrow.parquet", "pyarrow.compute"))
    yield started
    started.close()


class HereWorkers:
    """Calls the function in this process, which saves loading heavy libraries for each call."""

    warm = True

    def start(self) -> None:
        """Nothing to make ready."""

    def warm_up(self) -> None:
        """Nothing to load."""

    def call(self, target: str, payload: Mapping[str, Any], **options: Any) -> Any:
        module, _, name = target.partition(":")
        plain = msgspec.json.decode(msgspec.json.encode(payload))
        found = getattr(importlib.import_module(module), name)(**plain)
        return msgspec.json.decode(msgspec.json.encode(found))

    def spawn(self, target: str, payload: Mapping[str, Any], **options: Any) -> Child:
        raise NotImplementedError

    def close(self, grace: float = 2.0) -> None:
        """Nothing to end."""


@pytest.fixture
def room(sqlite: Database, tmp_path: Path) -> DataRoom:
    return open_data_room(sqlite, tmp_path / "storage", HereWorkers())


@pytest.fixture
def forking_room(sqlite: Database, tmp_path: Path, workers: Workers) -> DataRoom:
    return open_data_room(sqlite, tmp_path / "storage", workers)


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes a file and returns its path."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def customers(
    first: int = 0, count: int = 200, *, age: Callable[[int], object] | None = None
) -> str:
    """A small churn table as CSV: customer, age, country, spent, left."""
    lines = ["customer,age,country,spent,left"]
    for number in range(first, first + count):
        years = age(number) if age else 20 + number * 7 % 50
        country = ("de", "fr", "it")[number % 3]
        left = "yes" if number * 13 % 7 == 0 else "no"
        lines.append(f"{1000 + number},{years},{country},{number * 37 % 1000 / 10},{left}")
    return "\n".join(lines) + "\n"


def churn(path: Path, mode: str = "replace", *, roles: Roles = CHURN, **read: object) -> NewVersion:
    return NewVersion(path=path, mode=mode, roles=roles, read=ReadOptions(**read))  # type: ignore[arg-type]


def spoil(uri: str) -> None:
    """What earlier writers left: a schema with times, and a protocol that does not name them."""
    options = table_options(uri)
    naive = Schema.from_arrow(pa.schema([pa.field("t", pa.timestamp("us"))]))
    table = DeltaTable(uri, storage_options=options)
    with contextlib.suppress(DeltaError):
        table.create_write_transaction([], "overwrite", naive)
    with pytest.raises(DeltaError, match="timestampNtz"):
        DeltaTable(uri, storage_options=options)
