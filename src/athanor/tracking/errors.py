"""What can go wrong with parameters and metrics."""

from athanor.kernel import Conflict, Invalid, NotFound, TooLarge


class ParamChanged(Conflict):
    """A parameter is set once."""

    def __init__(self, key: str, kept: str, given: str) -> None:
        super().__init__(
            f"The parameter {key!r} is already {kept!r} and can't become {given!r}.",
            hint="Log what changes as a metric, or start another run.",
        )


class BadKey(Invalid):
    """A key that can't name a metric or parameter."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"{key[:60]!r} can't name a metric or a parameter.",
            hint="Use 1 to 250 letters, digits, and _ - . space : /",
        )


class BatchTooLarge(TooLarge):
    """More points in one batch than the limit."""

    def __init__(self, what: str, count: int, limit: int) -> None:
        super().__init__(
            f"A batch holds at most {limit:,} {what}; this one has {count:,}.",
            hint="Log it in several batches.",
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


class LoggedModelNotFound(NotFound):
    """No logged model has this id."""

    def __init__(self, model_id: str) -> None:
        super().__init__(
            f"Logged model with ID {model_id!r} not found.",
            hint="See what there is: search the logged models of the experiment.",
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
