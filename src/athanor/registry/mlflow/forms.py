"""The forms of the registry's requests."""

from msgspec import field

from athanor.tracking import Record, Required


class Tag(Record):
    """A key with its value."""

    key: str = ""
    value: str = ""


class CreateModel(Record):
    """registered-models/create."""

    name: Required
    tags: list[Tag] = field(default_factory=list)
    description: str = ""


class Named(Record):
    """A registered model."""

    name: Required


class UpdateModel(Record):
    """registered-models/update."""

    name: Required
    description: str = ""


class RenameModel(Record):
    """registered-models/rename."""

    name: Required
    new_name: Required


class SearchForm(Record):
    """registered-models/search and model-versions/search."""

    filter: str = ""
    max_results: int | None = None
    order_by: list[str] = field(default_factory=list)
    page_token: str = ""


class LatestVersions(Record):
    """registered-models/get-latest-versions."""

    name: Required
    stages: list[str] = field(default_factory=list)


class SetModelTag(Record):
    """registered-models/set-tag."""

    name: Required
    key: Required
    value: str = ""


class ModelKey(Record):
    """registered-models/delete-tag."""

    name: Required
    key: Required


class CreateVersion(Record):
    """model-versions/create."""

    name: Required
    source: Required
    run_id: str = ""
    tags: list[Tag] = field(default_factory=list)
    run_link: str = ""
    description: str = ""
    model_id: str = ""


class NamedVersion(Record):
    """A version of a registered model."""

    name: Required
    version: Required


class UpdateVersion(Record):
    """model-versions/update."""

    name: Required
    version: Required
    description: str | None = None


class TransitionStage(Record):
    """model-versions/transition-stage."""

    name: Required
    version: Required
    stage: Required
    archive_existing_versions: bool = False


class SetVersionTag(Record):
    """model-versions/set-tag."""

    name: Required
    version: Required
    key: Required
    value: str = ""


class VersionKey(Record):
    """model-versions/delete-tag."""

    name: Required
    version: Required
    key: Required


class SetAlias(Record):
    """registered-models/alias, by POST."""

    name: Required
    alias: Required
    version: Required


class ModelAlias(Record):
    """registered-models/alias, by GET and DELETE."""

    name: Required
    alias: Required
