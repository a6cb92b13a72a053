"""What can go wrong with parameters and metrics."""

from collections.abc import Sequence

from athanor.kernel import Conflict, Invalid, NotFound, TooLarge, nearest

_SHOWN = 20
"""Experiments that a hint names, at most."""


class ParamChanged(Conflict):
    """A parameter is set once."""

    def __init__(self, run_id: str, changes: list[tuple[str, str, str]]) -> None:
        told = [{"key": key, "old_value": kept, "new_value": given} for key, kept, given in changes]
        super().__init__(
            f"Changing param values is not allowed. Params were already logged='{told}' "
            f"for run ID='{run_id}'.",
            hint="Log what changes as a metric, or start another run.",
            details={"run": run_id, "changes": told},
        )


class BadKey(Invalid):
    """A key that can't name a metric, a parameter or a tag."""

    def __init__(self, why: str) -> None:
        super().__init__(why, hint="Use 1 to 250 letters, digits, and _ - . space : /")


class Unloggable(Invalid):
    """A value that can't be kept."""

    def __init__(self, why: str) -> None:
        super().__init__(why, hint="The limits stand in the documentation of tracking.")


class BatchTooLarge(TooLarge):
    """More in one batch than the limit."""

    def __init__(self, what: str, count: int, limit: int) -> None:
        super().__init__(
            f"A batch logging request can contain at most {limit} {what}. Got {count} {what}. "
            f"Please split up {what} across multiple requests and try again.",
            hint="Log it in several batches.",
        )


class ExperimentNotFound(NotFound):
    """No experiment has this id or name."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint=hint or "See the runs of every experiment: athanor run list")

    @classmethod
    def by_id(cls, experiment_id: str) -> "ExperimentNotFound":
        """No experiment has this id."""
        return cls(f"No Experiment with id={experiment_id} exists")

    @classmethod
    def by_name(cls, name: str, known: Sequence[str] = ()) -> "ExperimentNotFound":
        """No experiment has this name, but these are `known`."""
        there = f"There are: {', '.join(known[:_SHOWN])}." if known else ""
        return cls(f"Could not find experiment with name '{name}'", nearest(name, known) or there)


class ExperimentExists(Conflict):
    """The project has an experiment of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Experiment(name={name}) already exists.",
            hint="Take another name; a deleted experiment keeps its own, and can be restored.",
        )


class ExperimentDeleted(Invalid):
    """The experiment was deleted: it takes nothing in."""

    def __init__(self, experiment_id: str) -> None:
        super().__init__(
            f"The experiment {experiment_id} must be in the 'active' state. "
            "Current state is deleted.",
            hint="Restore it first.",
        )


class RenamedWhileDeleted(Invalid):
    """A deleted experiment keeps its name."""

    def __init__(self) -> None:
        super().__init__("Cannot rename a non-active experiment.", hint="Restore it first.")


class TrackedRunNotFound(NotFound):
    """No run has this id."""

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"Run with id={run_id} not found", hint="See what exists: athanor run list"
        )


class RunDeleted(Invalid):
    """The run was deleted: it takes nothing in."""

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"The run {run_id} must be in the 'active' state. Current state is deleted.",
            hint=f"Restore it first: athanor run restore {run_id}",
        )


class TagNotFound(NotFound):
    """There is no such tag to take away."""

    def __init__(self, key: str, what: str, id_: str) -> None:
        super().__init__(
            f"No tag with name: {key} in {what} with id {id_}", hint="See which tags it has."
        )


class BadArtifactPath(Invalid):
    """A path that leaves the artifact tree, or that no file system takes."""

    def __init__(self, why: str = "") -> None:
        super().__init__(
            f"Invalid path: {why}." if why else "Invalid path",
            hint="Name it relative to its run, with / between the parts, without .. and #.",
        )


class OtherProjectsPath(Invalid):
    """A path that lies in another project than the request."""

    def __init__(self, named: str, project: str) -> None:
        super().__init__(
            f"Artifact path targets workspace {named!r} but the workspace specified in the request "
            f"is {project!r}.",
            hint="Leave the prefix out, or ask in that workspace.",
        )


class ArtifactFileNotFound(NotFound):
    """Nothing is kept at this path."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"No such artifact: {path!r}",
            hint="See what there is: list the run's artifacts.",
        )


class NotAFile(Invalid):
    """The path is a folder, and a file was asked for."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"Artifact path refers to a directory, not a file: {path!r}",
            hint="List it, or ask for the files in it one by one.",
        )


class PathTaken(Invalid):
    """A file can't be where a folder is, nor a folder where a file is."""

    def __init__(self, path: str, taken: str) -> None:
        super().__init__(
            f"{path!r} can't be written: {taken!r} is there already, of the other kind.",
            hint="Give it another name, or delete what is there first.",
        )


class ElsewhereKept(Invalid):
    """The artifacts lie at a place that this server does not read."""

    def __init__(self, location: str) -> None:
        super().__init__(
            f"The artifacts lie at {location[:300]!r}, which this server does not read.",
            hint="Read them with a client that reaches that place; experiments without an "
            "artifact_location of their own are kept by the server.",
        )


class UploadNotFound(NotFound):
    """No upload in parts has this id, or it ended."""

    def __init__(self, upload_id: str) -> None:
        super().__init__(
            f"There is no upload {upload_id!r}.",
            hint="It was completed or aborted, or is older than a week: begin another one.",
        )


class BadParts(Invalid):
    """The parts of an upload are not those that were sent."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The upload can't be completed: {why}.", hint="Send the missing parts, then complete."
        )


class BadInput(Invalid):
    """What a run tells of a dataset is longer than it may be."""

    def __init__(self, name: str, limit: int) -> None:
        super().__init__(
            f"'{name}' exceeds the maximum length of {limit} characters",
            hint="Shorten it, or log it as an artifact.",
        )


class LoggedModelNotFound(NotFound):
    """No logged model has this id."""

    def __init__(self, model_id: str) -> None:
        super().__init__(
            f"Logged model with ID {model_id!r} not found.",
            hint="See what there is: search the logged models of the experiment.",
        )


class LoggedModelTagNotFound(NotFound):
    """A logged model has no such tag."""

    def __init__(self, model_id: str, key: str) -> None:
        super().__init__(
            f"No tag with key {key!r} found for model with ID {model_id!r}.",
            hint="See the tags that it has: get the logged model.",
        )


class BadLoggedModel(Invalid):
    """A logged model, or a search for some, that can't be."""

    def __init__(self, why: str) -> None:
        super().__init__(why, hint="What is allowed stands in MLflow's documentation.")


class BadSearch(Invalid):
    """A filter, an order or a page token that can't be read."""

    def __init__(self, message: str) -> None:
        super().__init__(
            message,
            hint="Filters are comparisons joined by AND, such as"
            " metrics.loss < 0.1 AND params.`batch size` = '32'.",
        )


class RunTaken(Conflict):
    """A run that arrives has the id of another one."""

    def __init__(self, run_id: str, project: str) -> None:
        super().__init__(
            f"Run {run_id} is here already, in project {project!r}.",
            hint="Bring it into that project, or import into another workspace.",
        )


class WrongDigest(Invalid):
    """Bytes that are not those that were announced."""

    def __init__(self, announced: str, found: str) -> None:
        super().__init__(
            f"The content has the digest {found}, and {announced} was announced.",
            hint="Send it again: it was changed or damaged on the way.",
        )


class BadContent(Invalid):
    """Bytes that come without the list of what they are."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The content begins with no list of digests and sizes: {why[:200]}.",
            hint='Begin with a line of JSON such as [["sha256:...", 120]], then the bytes.',
        )
