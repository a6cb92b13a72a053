"""What can go wrong with a pipeline, each with a way out."""

from collections.abc import Iterable, Mapping
from typing import Any

from athanor.kernel.errors import (
    AthanorError,
    Conflict,
    Internal,
    Invalid,
    NotFound,
    Unavailable,
    Unprocessable,
    nearest,
)


class BadPipeline(Invalid):
    """A pipeline that can't be executed as it is written."""


class BadSpecFile(BadPipeline):
    """A text that is not a pipeline specification."""

    def __init__(self, origin: str, reason: str) -> None:
        super().__init__(
            f"{origin} is not a Kubeflow Pipelines v2 specification: {reason}",
            hint="Compile it anew: athanor pipeline compile FILE.py, or kfp's own compiler.",
        )


class PipelineCycle(BadPipeline):
    """Tasks that wait for each other."""

    def __init__(self, scope: str, tasks: Iterable[str]) -> None:
        ring = " -> ".join(tasks)
        super().__init__(
            f"The tasks of {scope} wait for each other in a circle: {ring}.",
            hint="Take one of these dependencies out.",
        )


class MissingInput(BadPipeline):
    """A task or run lacks a value that it needs."""

    def __init__(self, where: str, name: str, known: Iterable[str] = (), *, hint: str = "") -> None:
        super().__init__(
            f"{where} needs the input {name!r}, and nothing gives it.",
            hint=hint or nearest(name, known) or f"Give {name!r} a value, or a default.",
        )


class UnknownInput(BadPipeline):
    """A value for something that is not an input."""

    def __init__(self, where: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        super().__init__(
            f"{where} has no input {name!r}.",
            hint=nearest(name, names) or f"It takes: {', '.join(names) or 'nothing'}.",
        )


class WrongType(BadPipeline):
    """A value of another type than the input's."""

    def __init__(self, where: str, name: str, wanted: str, got: str, *, hint: str = "") -> None:
        super().__init__(
            f"Input {name!r} of {where} takes {wanted}, not {got}.",
            hint=hint or f"Pass {wanted}, or change the type hint of {name!r}.",
        )


class UnknownReference(BadPipeline):
    """A name that points at nothing."""

    def __init__(self, where: str, what: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        super().__init__(
            f"{where} refers to the {what} {name!r}, which does not exist.",
            hint=nearest(name, names) or f"There are: {', '.join(names) or 'none'}.",
        )


class NotSupportedYet(BadPipeline):
    """A feature of the specification that this engine does not execute."""

    def __init__(self, where: str, feature: str, hint: str = "") -> None:
        super().__init__(
            f"{where} uses {feature}, which is not executed here.",
            hint=hint or "Write this part with @step functions.",
        )


class BadCondition(BadPipeline):
    """A condition that can't be read or worked out."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(
            f"The condition {text!r} can't be worked out: {reason}",
            hint="Compare inputs.parameter_values['name'] with constants by ==, !=, <, <=, >, >=, "
            "&&, || and !.",
        )


class BadStep(BadPipeline):
    """A function that can't be made a step."""


class StepNeedsHint(BadStep):
    """A parameter whose kind nothing tells."""

    def __init__(self, step: str, name: str) -> None:
        super().__init__(
            f"Parameter {name!r} of step {step!r} has no type hint.",
            hint=f"Write {name}: str, int, float, bool, list, dict, pandas.DataFrame, "
            "pathlib.Path or the class of its value.",
        )


class StepWithoutSource(BadStep):
    """A function whose source can't be carried to where it runs."""

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(
            f"The source of step {step!r} can't be taken along: {reason}",
            hint="Define the step with def at the top level of a file or notebook cell, and pass "
            "everything that it uses as a parameter or import it at the top.",
        )


class UnnamedResults(Unprocessable):
    """A step returned several values, and no hint says so."""

    def __init__(self, step: str, output: str, kinds: Iterable[str]) -> None:
        several = [*kinds]
        super().__init__(
            f"Step {step!r} returned {len(several)} values ({', '.join(several)}) as one output, "
            f"{output!r}: no hint says that they are several.",
            hint=f"Write `-> tuple[{', '.join(several)}]` behind its parameters: they are then "
            "output_1, output_2 ...; or have it return a NamedTuple, which gives them names.",
        )


_PLAIN = {
    "set": "Return a list: sorted(values).",
    "frozenset": "Return a list: sorted(values).",
    "generator": "Return a list: list(values).",
    "datetime.date": "Return a text: value.isoformat().",
    "datetime.datetime": "Return a text: value.isoformat().",
    "datetime.timedelta": "Return a number: value.total_seconds().",
    "decimal.Decimal": "Return a text or a float: str(value).",
    "bytes": "Write it into a file, and return its pathlib.Path.",
}
"""How values that are stored often are returned so that they can be, by their type."""


class NoMaterializer(Unprocessable):
    """A value that nobody knows how to store; it is not pickled."""

    def __init__(self, step: str, output: str, kind: str) -> None:
        kind = kind.removeprefix("builtins.").removeprefix("athanor_step.")
        super().__init__(
            f"Step {step!r} returned a {kind} as {output!r}, and nothing stores that type. "
            "It is not pickled: a pickle runs code when it is read, and breaks with the next "
            "version of its library.",
            hint=_PLAIN.get(kind)
            or f"Register a materializer for {kind}: a class with type, handles, save and load, "
            "named as materializers = ['your.module:Class'] in the workspace's athanor.toml, in a "
            "module that the server can import; or return a table, an array, a model, a JSON value "
            "or a pathlib.Path.",
        )


class StepFailed(Unprocessable):
    """The user's function raised."""

    def __init__(self, step: str, cause: str, *, details: Mapping[str, Any]) -> None:
        where = ""
        if details.get("line"):
            where = f" at {details.get('file')}:{details['line']}"
        super().__init__(
            f"Step {step!r} failed{where}: {cause}",
            hint=str(
                details.get("hint")
                or _lost_file(cause)
                or f"Read its log: athanor pipeline logs RUN {step}"
            ),
            details=details,
        )


def _lost_file(cause: str) -> str:
    """A hint for a step that looks for a file where it was written, not where it runs."""
    path = cause.rpartition(": '")[2].removesuffix("'")
    if not cause.startswith("FileNotFoundError") or path == cause or path.startswith("/"):
        return ""
    return (
        "A step runs in an empty folder of its own: give the path from the root "
        f"(for one beside your file: Path(__file__).parent / {path!r}), or `athanor data add` "
        "the file and take it by --artifact NAME=dataset:NAME@latest."
    )


class TaskFailed(Unprocessable):
    """A run failed because one of its tasks did."""

    def __init__(self, task: str, cause: AthanorError) -> None:
        super().__init__(
            f"Task {task!r} failed: {cause.message}",
            hint=cause.hint or f"Read its log: athanor pipeline logs RUN {task}",
            details=cause.details,
        )


class EngineFault(Internal):
    """A fault of the engine itself."""

    def __init__(self, what: str, error: Exception) -> None:
        super().__init__(
            f"The engine failed on {what}: {type(error).__name__}: {error}.",
            hint="Read the server's log, and start the run again: athanor pipeline resume RUN",
        )


class StepDied(Unavailable):
    """The step's process ended without a word."""

    def __init__(self, step: str, how: str, hint: str) -> None:
        super().__init__(f"The process of step {step!r} {how}.", hint=hint)


class StepTookTooLong(Unprocessable):
    """The step was stopped at its time limit."""

    def __init__(self, step: str, seconds: float) -> None:
        super().__init__(
            f"Step {step!r} was stopped after its time limit of {seconds:g} s.",
            hint="Raise the limit: @step(timeout=SECONDS).",
        )


class PipelineRunNotFound(NotFound):
    """No such run."""

    def __init__(self, run: str) -> None:
        super().__init__(
            f"There is no pipeline run {run!r}.", hint="See what exists: athanor pipeline list"
        )


class TaskNotFound(NotFound):
    """No such task in the run."""

    def __init__(self, run: str, task: str, known: Iterable[str]) -> None:
        names = sorted(known)
        super().__init__(
            f"Run {run} has no task {task!r}.",
            hint=nearest(task, names) or f"It has: {', '.join(names[:20])}.",
        )


class TriggerNotFound(NotFound):
    """No such trigger."""

    def __init__(self, trigger: str) -> None:
        super().__init__(
            f"There is no trigger {trigger!r}.",
            hint="See what exists: athanor pipeline trigger list",
        )


class PipelineNotFound(NotFound):
    """No such pipeline in the gallery."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        super().__init__(
            f"The gallery has no pipeline {name!r}.",
            hint=nearest(name, names) or f"It has: {', '.join(names) or 'none'}.",
        )


class OperationNotFound(NotFound):
    """No such platform step."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        super().__init__(
            f"There is no platform operation {name!r}.",
            hint=nearest(name, names) or f"There are: {', '.join(names) or 'none'}.",
        )


class RunIsOver(Conflict):
    """The run has ended, so that it can't be cancelled."""

    def __init__(self, run: str, state: str) -> None:
        super().__init__(
            f"Run {run} is over: {state}.", hint=f"Start it again: athanor pipeline resume {run}"
        )


class RunCannotResume(Conflict):
    """The run goes on or is done already."""

    def __init__(self, run: str, state: str) -> None:
        super().__init__(
            f"Run {run} is {state}; only failed and stopped runs can be resumed.",
            hint="Submit the pipeline anew to run it again.",
        )


class TriggerExists(Conflict):
    """Another trigger has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"A trigger {name!r} exists already, with other settings.",
            hint=f"Remove it first: athanor pipeline trigger remove {name}",
        )


class BadTrigger(Invalid):
    """A trigger that could never fire as it is written."""


class BadTemplate(Invalid):
    """A template that the event can't fill."""

    def __init__(self, template: str, field: str, known: Iterable[str]) -> None:
        super().__init__(
            f"The template {template!r} asks for {field!r}, which the event does not have.",
            hint=nearest(field, known) or f"The event has: {', '.join(sorted(known))}.",
        )


class BadSelector(BadPipeline):
    """An expression that picks nothing from the value that it is given."""

    def __init__(self, where: str, selector: str, reason: str) -> None:
        super().__init__(
            f"{where} picks {selector[:200]!r} from a value: {reason}.",
            hint="Look at what the value holds: athanor pipeline logs RUN TASK.",
        )


class UnknownPlaceholder(BadPipeline):
    """A placeholder that stands for nothing."""

    def __init__(self, mark: str, where: str = "", known: Iterable[str] = ()) -> None:
        names = sorted(known)
        place = f" of {where[:1].lower()}{where[1:]}" if where else ""
        hint = (
            "It may name an input or output of its own component, or what the run tells of "
            "itself, such as {{$.pipeline_job_name}}."
        )
        if names:
            hint = f"It may name one of: {', '.join(names)}."
        super().__init__(
            f"The placeholder {mark[:200]!r}{place} stands for nothing here.", hint=hint
        )


class BadLoop(BadPipeline):
    """A loop over what is no list."""

    def __init__(self, where: str, got: str) -> None:
        super().__init__(
            f"{where} goes through {got}, which is no list.",
            hint="Give ParallelFor a list, or the output of a step that returns one.",
        )


class NothingToDebug(Conflict):
    """A task of which no attempt was made here."""

    def __init__(self, task: str, state: str, ran: str = "") -> None:
        """`ran` is the run and the task, in words of the command line, whose outputs it took."""
        shown = f"It is equal to one that ran: athanor pipeline debug {ran}" if ran else ""
        super().__init__(
            f"Task {task!r} is {state} and was not run by a process, so there is nothing to debug.",
            hint=shown or "Give a step that ran: athanor pipeline show RUN",
        )


class SecretNotFound(NotFound):
    """No such secret, or no such key in it."""

    def __init__(self, name: str, key: str, known: Iterable[str]) -> None:
        names = sorted(known)
        what = f"The secret {name!r} has no key {key!r}" if key else f"There is no secret {name!r}"
        super().__init__(
            f"{what}.",
            hint=nearest(key or name, names)
            or f"Set it: athanor pipeline secret set {name or 'NAME'} {key or 'KEY'}=VALUE",
        )


class BadSecret(Invalid):
    """A secret that can't be kept under these names."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            reason,
            hint="Use letters, digits, dots, hyphens and underscores; give one key at least.",
        )


class CannotMount(Unprocessable):
    """A folder can't be had at the path where a step expects it."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"No volume can be mounted at {path!r} here: {reason or 'the system forbids it'}.",
            hint="Mount it at a path that does not exist yet and that you may make.",
        )


class NotEnoughResources(Unprocessable):
    """A step asks for more than the machine has."""

    def __init__(self, step: str, what: str, wanted: str, there: str) -> None:
        super().__init__(
            f"Step {step!r} asks for {wanted} of {what}, and this machine has {there}.",
            hint=f"Ask for less {what}, or run it where there is more.",
        )


class NobodyGoesOn(Conflict):
    """A run would be left to itself, and nothing would go on with it."""

    def __init__(self) -> None:
        super().__init__(
            "Without a server, a run ends with the command that began it: nobody would go on.",
            hint="Start a server first: athanor up --detach; or leave --no-wait out.",
        )


class NoImageEngine(Unavailable):
    """Nothing here builds images."""

    def __init__(self, known: Iterable[str]) -> None:
        super().__init__(
            f"There is no engine for images here: none of {', '.join(known)} is running.",
            hint="Build the context elsewhere: it holds a Dockerfile.",
        )


class ImageFailed(Unprocessable):
    """The engine could not build or push an image."""

    def __init__(self, command: str, said: str) -> None:
        lines = " ".join(said.strip().splitlines()[-6:])
        super().__init__(
            f"`{command}` failed: {lines[:1000]}", hint="Run it by hand in the context's folder."
        )


class VersionGone(NotFound):
    """The dataset's version that a step reads has no files any more."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The rows of {name} are gone: it was erased with the rows of a person, or vacuumed.",
            hint="Its digest and lineage are kept; run the pipeline on a version that is there: "
            "athanor data versions NAME",
            details={"version": name},
        )


def cause_of(error: BaseException) -> str:
    """An exception's type and words; of one that can't tell its own, the type alone."""
    name = type(error).__name__
    try:
        return f"{name}: {error}"
    except Exception:  # noqa: BLE001 - it is a stranger's code
        return name
