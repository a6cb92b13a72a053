"""What a model's files would run, and who agreed to that."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from athanor.kernel import DEFAULT_PROJECT

Level = Literal["safe", "usual", "unknown", "dangerous"]
"""`safe`: nothing in the files runs when they are loaded. `usual`: there is a pickle, which names
only what models of scikit-learn, NumPy and the like are made of. `unknown`: it names, or brings
along, code that nobody vouches for. `dangerous`: it names what starts processes, opens files or
sockets, or evaluates text; or it can't be read to its end."""

LEVELS: tuple[Level, ...] = ("safe", "usual", "unknown", "dangerous")
"""From harmless to harmful."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One name that loading a file would import."""

    file: str
    """Path inside the model folder; a member of an archive stands behind `!`."""
    module: str
    name: str
    level: Level
    runs: bool
    """Whether it is called as well, not only imported."""
    call: str = ""
    """How it is called, as far as it can be told: `os.system('id')`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedFile:
    """One file that was looked into."""

    path: str
    format: str
    """`pickle`, `joblib`, `torch`, `skops`, `numpy`, `keras`, `python`, `archive` ..."""
    size: int
    """Bytes."""
    problem: str = ""
    """Why it could not be read to its end; "" if it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What was found in a model folder without loading anything of it."""

    level: Level
    """The worst that was found."""
    files: list[ScannedFile] = field(default_factory=list)
    """Those that hold something that runs, or could not be read; harmless ones are left out."""
    findings: list[Finding] = field(default_factory=list)
    """Harmful ones first."""
    left_out: int = 0
    """Findings beyond those kept."""
    scanner: int = 1
    """Number of the rules that judged."""

    @property
    def pickled(self) -> bool:
        """Whether loading it runs anything."""
        return self.level != "safe"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionScan:
    """The scan that is kept with a model version."""

    model: str
    number: int
    digest: str
    """Of the folder that was scanned."""
    scan: Scan
    scanned_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConsent:
    """A project's agreement to load models that run code when they are loaded."""

    project: str = DEFAULT_PROJECT
    model: str = ""
    """One model alone; "" for all of the project. Serving asks for consent by name."""
    level: Level = "unknown"
    """The worst that may be loaded."""
    protected: bool = False
    """Whether protected aliases may point at such models, too."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """An agreement in force."""

    project: str
    model: str
    level: Level
    protected: bool
    reason: str
    granted_by: str
    granted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """Whether a version may be loaded, and why."""

    allowed: bool
    reason: str
    scan: Scan
