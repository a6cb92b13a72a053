"""Registered models as they travel from one store to another: numbers, times, aliases kept."""

from dataclasses import dataclass, field
from datetime import datetime

from athanor.kernel import DEFAULT_PROJECT
from athanor.kernel.storage import FolderEntry
from athanor.lineage import NewArtifact
from athanor.registry.cards import Section
from athanor.registry.types import InputColumn


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRecord:
    """One version of a registered model."""

    number: int
    source: str = ""
    """What it was registered from: a path or URL, `runs:/...` or `models:/m-...`."""
    location: str = ""
    """Where its files lie, where the store has resolved that; the source otherwise."""
    run: str | None = None
    run_link: str = ""
    logged_model: str | None = None
    """The `m-...` id of the logged model that it was made of."""
    held: NewArtifact | None = None
    """The model artifact, where the folder was handed over and lies among no run's files."""
    files: list[FolderEntry] = field(default_factory=list)
    """The files of that folder."""
    metrics: dict[str, float] = field(default_factory=dict)
    stage: str = "None"
    status: str = "READY"
    status_message: str = ""
    description: str = ""
    user: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """A registered model with its versions."""

    name: str
    project: str = DEFAULT_PROJECT
    description: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    last_number: int = 0
    """The greatest number that was given, to a version that is deleted now too."""
    tags: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    versions: list[VersionRecord] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelArrival:
    """What became of a model that was taken in."""

    name: str
    new: bool = False
    added: list[int] = field(default_factory=list)
    """Numbers of versions that are new here."""
    changed: bool = False
    """Whether something that was here has changed."""
    refused: dict[int, str] = field(default_factory=dict)
    """By version number, why it was not taken; 0 stands for the model itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonCode:
    """A user's own Python: functions of a file, or methods of its class `Model`, each optional.

    `load(folder)` runs once a worker and gives the `model`; `preprocess(records)` gets a list of
    dicts, or a DataFrame where its argument is annotated so or called `frame`; `predict(model,
    data)` is asked in place of the model's own; `postprocess(answers)` gives one answer a record.
    """

    files: dict[str, str]
    """Their text by path; the folder that holds them is on the import path."""
    entry: str = ""
    """The file that has the functions, or a class with them; "" is the only one, the package's
    `__init__.py`, or `model.py`."""
    requirements: tuple[str, ...] = ()
    """What it needs, such as `emoji==2.14.0`; what the server does not have makes an environment
    of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCode:
    """A model's next version, made of a user's own Python."""

    model: str
    code: PythonCode
    around: str = ""
    """The version that it stands around (`churn@3`); "" for none: its `predict` is the model."""
    inputs: tuple[InputColumn, ...] = ()
    """The columns that it reads; none are those of the model that it stands around. Where there
    are none at all, it gets records as they were sent."""
    project: str = DEFAULT_PROJECT


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeModel:
    """What `model.json` in a model's archive tells."""

    format_version: int
    model: ModelRecord
    cards: dict[str, list[Section]] = field(default_factory=dict)
    """By version number, what people wrote into its card."""
