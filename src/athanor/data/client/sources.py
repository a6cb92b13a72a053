"""Ways into the platform from elsewhere, and ways out, over a transport."""

import importlib
import tarfile
from collections.abc import Mapping
from glob import has_magic
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from athanor.data.errors import BadSource
from athanor.data.records import ContentFormat, DvcExport, NewSource, SqlExport
from athanor.data.types import DatasetVersion, Mode, NewVersion, ReadOptions, Roles, SchemaRule
from athanor.kernel import Transport
from athanor.kernel.transport import segment


class SourceVerbs:
    """Versions from files, frames, URLs, queries and folders; their rows and files again."""

    _transport: Transport

    def add(
        self,
        name: str,
        source: Any,
        *,
        roles: Roles | None = None,
        read: ReadOptions | None = None,
        mode: Mode = "replace",
        schema: SchemaRule = "widen",
        look: bool = True,
    ) -> DatasetVersion:
        """Make the next version of a dataset, which begins with its first, of almost anything.

        `source` is a path (a file is sent; a folder, a pattern such as "sales-*.csv", a Delta table
        or a .dvc file is read by the server on its machine), a URL, a data frame (pandas, Polars,
        Arrow, DuckDB and whatever else narwhals or Arrow's C stream knows), a list of rows, a
        `NewVersion` or a `NewSource`.
        Raises: BadSource, and whatever is wrong with the data.
        """
        if isinstance(source, NewVersion):
            return self._send(name, source)
        if isinstance(source, NewSource):
            return self.add_from(name, source)
        kept, reading = roles or Roles(), read or ReadOptions()
        if isinstance(source, str) and "://" in source:
            new = NewSource(uri=source, mode=mode, roles=kept, read=reading, schema=schema,
                            look=look)  # fmt: skip
            return self.add_from(name, new)
        if isinstance(source, (str, Path)):
            path = Path(source)
            pattern = has_magic(str(path)) and not path.exists()
            if not path.exists() and not pattern:
                raise BadSource(f"There is no file {str(path)!r}.", "Check its path.")
            if pattern or path.is_dir() or path.suffix == ".dvc":
                new = NewSource(uri=str(path.absolute()), mode=mode, roles=kept, read=reading,
                                schema=schema, look=look)  # fmt: skip
                return self.add_from(name, new)
            if not path.is_file():
                raise BadSource(
                    f"{str(path)!r} is neither a file nor a folder.",
                    "Copy what it gives to a file, and hand that in.",
                )
            return self._send(
                name,
                NewVersion(
                    path=path, mode=mode, roles=kept, read=reading, schema=schema, look=look
                ),
            )
        frames = importlib.import_module("athanor.data.work.frames")
        with TemporaryDirectory(prefix="athanor-frame-") as folder:
            path = frames.written(source, Path(folder) / "frame.parquet")
            return self._send(
                name,
                NewVersion(path=path, file_name="frame", mode=mode, roles=kept, read=reading,
                           keep=False, schema=schema, look=look),
            )  # fmt: skip

    def add_from(self, name: str, source: NewSource) -> DatasetVersion:
        """Make the next version of what the server takes from a source."""
        answer = self._transport.send("POST", f"/datasets/{segment(name)}/versions", body=source)
        return answer.read(DatasetVersion)

    def add_query(
        self, name: str, sql: str, *, url: str = "", mode: Mode = "replace",
        roles: Roles | None = None,
    ) -> DatasetVersion:  # fmt: skip
        """Make the next version of a query's rows: on a database, or on our own tables.

        `url` is SQLAlchemy's, or `duckdb:///FILE`.
        """
        new = NewSource(uri=url, sql=sql, kind="query", mode=mode, roles=roles or Roles())
        return self.add_from(name, new)

    def read(self, reference: str, *, as_: str = "pandas") -> Any:
        """All rows of a version, or of a part of a split (NAME@3#train), as a data frame.

        `as_` is pandas, polars or arrow. Columns have the types that they came with.
        """
        with TemporaryDirectory(prefix="athanor-read-") as folder:
            path = self.content(reference, Path(folder) / "rows.arrow", form="arrow")
            return importlib.import_module("athanor.data.work.frames").read(path, as_)

    def content(
        self, reference: str, target: str | Path, *, form: ContentFormat = "parquet"
    ) -> Path:
        """Write all rows of a version, or of a part of a split, to a file."""
        whole, _, part = reference.partition("#")
        query = {"format": form, "part": part}
        return self._received(f"{version_path(whole)}/content", Path(target), query)

    def file(self, reference: str, path: str) -> bytes:
        """One file of a version that was made of a folder."""
        answer = self._transport.send(
            "GET", f"{version_path(reference)}/file", query={"path": path}
        )
        return answer.content

    def archive(self, reference: str, target: str | Path) -> Path:
        """Write all files of a version that was made of a folder as a tar archive."""
        return self._received(f"{version_path(reference)}/archive", Path(target), {})

    def checkout(self, reference: str, folder: str | Path) -> Path:
        """Write all files of a version that was made of a folder below a folder."""
        with TemporaryDirectory(prefix="athanor-checkout-") as passing:
            path = self.archive(reference, Path(passing) / "files.tar")
            with tarfile.open(path) as tar:
                tar.extractall(folder, filter="data")
        return Path(folder)

    def export_dvc(self, reference: str, folder: str | Path, *, remote: str = "") -> DvcExport:
        """Write a version as a DVC project on the server's machine; `dvc pull` takes it whole."""
        body = {"folder": str(Path(folder).absolute()), "remote": remote}
        answer = self._transport.send("POST", f"{version_path(reference)}/dvc", body=body)
        return answer.read(DvcExport)

    def export(self, query: SqlExport, target: str | Path) -> Path:
        """Write the whole answer to one SELECT to a file."""
        answer = self._transport.send("POST", "/sql/export", body=query)
        Path(target).write_bytes(answer.content)
        return Path(target)

    def _received(self, path: str, target: Path, query: Mapping[str, object]) -> Path:
        with target.open("wb") as stream:
            for chunk in self._transport.stream(path, query=query):
                stream.write(chunk)
        return target

    def _send(self, name: str, new: NewVersion) -> DatasetVersion:
        path = Path(new.path)
        if not path.is_file():
            hint = "Check its path; a folder is handed in as a path alone, without NewVersion."
            raise BadSource(f"There is no file {str(path)!r}.", hint)
        query = {
            "file": new.file_name or path.name,
            "mode": new.mode,
            "target": new.roles.target,
            "id": new.roles.id,
            "time": new.roles.time,
            "sensitive": list(new.roles.sensitive),
            "text": list(new.read.text),
            "missing": list(new.read.missing),
            "delimiter": new.read.delimiter,
            "decimal": new.read.decimal,
            "encoding": new.read.encoding,
            "dates": new.read.dates,
            "first": new.read.first,
            "keep": new.keep,
            "schema_rule": new.schema,
            "look": new.look,
        }
        answer = self._transport.send(
            "PUT", f"/datasets/{segment(name)}/versions", query=query, content=path
        )
        return answer.read(DatasetVersion)


def version_path(reference: str) -> str:
    """The address of the version that a reference means."""
    name, _, rest = reference.partition("@")
    return f"/datasets/{segment(name)}/versions/{segment(rest or 'latest')}"
