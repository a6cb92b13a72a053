"""The artifact tree: the files of runs and logged models, as records."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """A file of the tree, or a folder that leads to some."""

    path: str
    """From the tree's root, with `/` between its parts."""
    digest: str = ""
    """The content's, `sha256:<hex>`; "" of a folder."""
    size: int = 0
    """Bytes; 0 of a folder."""
    at: datetime | None = None
    """When it was written last."""

    @property
    def is_folder(self) -> bool:
        """Whether it is one."""
        return not self.digest

    @property
    def name(self) -> str:
        """The path's last part."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that is sent in parts, in any order and side by side."""

    id: str
    path: str
    """Where it will stand."""
    parts: int
    """How many were announced: they are numbered from 1."""
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SentPart:
    """A part as the sender knows it when it completes the upload."""

    number: int
    etag: str = ""
    """What was answered to the part; "" where the sender did not keep it."""
