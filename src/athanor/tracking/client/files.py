"""The artifact tree over a transport."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from athanor.kernel import DEFAULT_PROJECT, Transport
from athanor.kernel.transport import segment
from athanor.tracking.errors import ArtifactFileNotFound, BadArtifactPath
from athanor.tracking.files import FileEntry, SentPart, Upload


class FilesClient:
    """Files of runs and logged models; paths as in `mlflow-artifacts:/<path>`."""

    def __init__(self, transport: Transport, *, project: str = DEFAULT_PROJECT) -> None:
        self._transport = transport
        self._project = project

    def listing(self, path: str = "") -> list[FileEntry]:
        """What stands in a folder, by path."""
        query = {"path": path, "project": self._project}
        return self._transport.send("GET", "/files", query=query).read(list[FileEntry])

    def tree(self, path: str = "") -> list[FileEntry]:
        """All files below a folder, by path."""
        query = {"path": path, "project": self._project, "deep": True}
        return self._transport.send("GET", "/files", query=query).read(list[FileEntry])

    def file(self, path: str) -> FileEntry:
        """The file at a path.

        Raises: ArtifactFileNotFound.
        """
        name = path.rpartition("/")[2]
        for entry in self.listing(path.rpartition("/")[0]):
            if entry.name == name and not entry.is_folder:
                return entry
        raise ArtifactFileNotFound(path)

    def read(self, path: str) -> Iterator[bytes]:
        """A file's bytes, piece by piece."""
        return self._transport.stream(_address(path), query={"project": self._project})

    def put(self, path: str, content: bytes | Path) -> FileEntry:
        """Write a file: these bytes, or those of a file on this machine."""
        query = {"project": self._project}
        answer = self._transport.send("PUT", _address(path), query=query, content=content)
        return answer.read(FileEntry)

    def delete(self, path: str) -> int:
        """Take away a file, or a folder with all below it; how many files that were."""
        query = {"project": self._project}
        answer = self._transport.send("DELETE", _address(path), query=query)
        return int(answer.json()["files"])

    def begin_upload(self, path: str, parts: int) -> Upload:
        """Announce a file that comes in parts, numbered from 1."""
        body = {"path": path, "parts": parts}
        answer = self._transport.send(
            "POST", "/uploads", query={"project": self._project}, body=body
        )
        return answer.read(Upload)

    def receive_part(self, upload_id: str, number: int, content: bytes | Path) -> SentPart:
        """Send one part."""
        path = f"/uploads/{segment(upload_id)}/{number}"
        answer = self._transport.send("PUT", path, content=content)
        return SentPart(number=number, etag=answer.json()["etag"])

    def complete_upload(self, upload_id: str, parts: Sequence[SentPart]) -> FileEntry:
        """Put the parts together."""
        path = f"/uploads/{segment(upload_id)}/complete"
        return self._transport.send("POST", path, body={"parts": list(parts)}).read(FileEntry)

    def abort_upload(self, upload_id: str) -> None:
        """Forget an upload."""
        self._transport.send("DELETE", f"/uploads/{segment(upload_id)}")


def _address(path: str) -> str:
    if not path:
        raise BadArtifactPath("it names no file")
    return f"/files/{quote(path, safe='/')}"
