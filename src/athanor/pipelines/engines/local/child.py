"""One attempt of one step, in a process of its own.

Reads its order, loads inputs, calls the user's function, stores outputs by content, and writes the
result as the last thing it does.

What a function of numbers and texts does without is loaded by those that need it: whatever a zygote
holds makes each of its forks dearer. The heavy one has it all (`PRELOAD`).
"""

import contextlib
import fcntl
import importlib
import inspect
import math
import os
import random
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any

from athanor.kernel.errors import AthanorError, error_to_dict
from athanor.pipelines.engines.local.compiling import (
    compiled,
    compiled_ahead,
    file_of,
    make_ready,
)
from athanor.pipelines.engines.local.exchange import (
    LOCK_FILE,
    TASK_FILE,
    Order,
    Result,
    read_order,
    write_result,
    written,
)
from athanor.pipelines.engines.local.leftovers import adopt, end_descendants
from athanor.pipelines.engines.local.mounting import mount
from athanor.pipelines.engines.local.parameters import fitted_output
from athanor.pipelines.errors import BadStep, MissingInput, StepFailed, cause_of
from athanor.pipelines.logic.embedding import Embedded
from athanor.pipelines.logic.hints import STATUS_CLASSES, hints_of
from athanor.pipelines.logic.values import shown

if TYPE_CHECKING:
    from athanor.pipelines.engines.local.values import ArtifactFiles

MODULE = "athanor_step"
"""The name of the module that a step's source becomes."""
_SEEDED = "numpy"
_REHEARSALS = 64
_PLAIN = frozenset({bool, int, float, str})
_VARYING = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS


def prepare(payload: dict[str, Any]) -> dict[str, Any]:
    """In the zygote: read what `main` is given."""
    order, code = payload.get("order"), payload.get("code")
    if order is None:
        return payload
    read = read_order(order)
    if code is not None:
        make_ready(read.embedded, code)
    return payload | {"order": read}


def main(folder: str, order: Order | bytes | None = None, code: bytes | None = None) -> None:
    """Run the attempt in a folder; its order may be given, and its function's compiled code."""
    owner = os.getpid()
    lock = _locked(folder)
    read = order if isinstance(order, Order) else _read(folder, order)
    if read.cores:
        _confine(read)
    adopt()
    result = _attempt(folder, read, code)
    if os.getpid() != owner:  # the step forked, and this is the copy: one result is enough
        os._exit(0)
    try:  # noqa: SIM105 - which costs a fork as much as writing a file
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):  # the step may have closed it
        pass
    end_descendants(owner)
    _deliver(folder, result)
    os.close(lock)


def _deliver(folder: str, result: Result) -> None:
    """Write the result, also where the step has removed its own folder."""
    try:
        write_result(folder, result)
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - as the others here
        write_result(folder, result)


def rehearse() -> None:
    """Do what a step does, often enough for the interpreter to settle.

    It rewrites the code that runs often. Done before the forks, they share the pages of that code,
    of which each would otherwise copy some sixty.
    """
    source = "def rehearsed(value: int) -> int:\n    return value + 1\n"
    embedded = Embedded(function="rehearsed", source=source, lines=[(1, 1)])
    order = Order(
        step="rehearsed",
        run="",
        task="",
        embedded=embedded,
        parameters={"value": 1},
        output_parameters={"Output": "NUMBER_INTEGER"},
        storage_url="",
    )
    body, code = written(order), compiled_ahead(embedded)
    for _ in range(_REHEARSALS):
        written(_attempt("", read_order(body), code))
    del sys.modules[MODULE]


def nothing() -> None:
    """Return at once: what a process costs by itself."""


def _read(folder: str, order: bytes | None) -> Order:
    return read_order(order or Path(folder, TASK_FILE).read_bytes())


def _locked(folder: str) -> int:
    """Hold the attempt's lock as long as this process lives: whoever recovers it waits for that."""
    descriptor = os.open(f"{folder}/{LOCK_FILE}", os.O_RDONLY | os.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _confine(order: Order) -> None:
    """Keep to the cores that were asked for."""
    if hasattr(os, "sched_setaffinity"):
        there = sorted(os.sched_getaffinity(0))
        first = random.Random(order.task).randrange(len(there))  # not all steps on the first core
        turned = [*there[first:], *there[:first]]
        os.sched_setaffinity(0, turned[: max(1, math.ceil(order.cores))])


def perform(place: Path, order: Order) -> tuple[Result, TracebackType | None]:
    """Run an attempt; its result, and where the user's code failed."""
    result = _attempt(str(place), order)
    return result, _traces.pop() if _traces else None


_traces: list[TracebackType] = []
"""Where the user's code failed last, for a debugger."""


class _Artifacts:
    """An attempt's artifacts, if there are any."""

    def __init__(self, place: str, order: Order) -> None:
        self._place = place
        self._order = order

    @cached_property
    def files(self) -> "ArtifactFiles":
        found: ArtifactFiles = _part("values").ArtifactFiles(self._place, self._order)
        return found


def _part(name: str) -> Any:
    """A module beside this one that most steps do without."""
    return importlib.import_module(f"{__package__}.{name}")


def _attempt(place: str, order: Order, code: bytes | None = None) -> Result:
    artifacts = _Artifacts(place, order)
    try:
        if order.mounts:
            mount(order.mounts)
        if order.foreign is not None:
            foreign: Result = _part("foreign").attempt(Path(place), order, order.foreign)
            return foreign
        if order.embedded.packages:
            apart: Result = _part("apart").attempt(Path(place), order)
            return apart
        function = load_function(place, order.embedded, code)
        _seed(order.embedded.seed)
        arguments = _arguments(function, order, artifacts)
        return _stored(_call(function, arguments, order), order, artifacts)
    except AthanorError as error:
        _print_trace(error, order.embedded.file)
        return Result(error=error_to_dict(error))


def load_function(place: str, embedded: Embedded, code: bytes | None = None) -> Callable[..., Any]:
    """The step's function, from its source, which may have been compiled ahead.

    Its module is a real one, so that dataclasses and the like find it; its lines are those of the
    author's file.
    """
    for name, text in embedded.modules.items():
        target = Path(place, "code", name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
    if embedded.modules:
        sys.path.insert(0, f"{place}/code")
        importlib.invalidate_caches()
    module = ModuleType(MODULE)
    module.__file__ = file_of(embedded)
    sys.modules[MODULE] = module
    try:
        exec(compiled(embedded, module.__file__, code), module.__dict__)  # noqa: S102 - the step itself
    except Exception as error:
        raise _failure(error, embedded.function, embedded.file, {}) from error
    function = getattr(module, embedded.function, None)
    function = getattr(function, "function", function)
    if not callable(function):
        raise BadStep(
            f"The step's source does not define {embedded.function!r}.",
            hint="Compile the pipeline anew.",
        )
    found: Callable[..., Any] = function
    return found


def _seed(seed: int) -> None:
    """Start random numbers at the same place each time."""
    random.seed(seed)
    numpy = sys.modules.get(_SEEDED)
    if numpy is None and "sklearn" in sys.modules:
        numpy = importlib.import_module(_SEEDED)
    if numpy is not None:
        numpy.random.seed(seed % 2**32)


def _arguments(function: Callable[..., Any], order: Order, artifacts: _Artifacts) -> dict[str, Any]:
    hints = _hints(function)
    arguments: dict[str, Any] = {}
    for name, given in _parameters(function):
        if name in order.parameters:
            arguments[name] = _parameter(order.parameters[name], hints.get(name))
        elif name in order.artifacts:
            arguments[name] = artifacts.files.load(name, order.artifacts[name], hints.get(name))
        elif not given:
            if order.step and not _optional(hints.get(name)):
                raise MissingInput(f"Step {order.step!r}", name, order.parameters)
            arguments[name] = None
    return arguments


def _hints(function: Callable[..., Any]) -> Mapping[str, Any]:
    """A function's type hints; classes stand for themselves, which is cheaper to see."""
    own: dict[str, Any] = getattr(function, "__annotations__", {})
    for hint in own.values():
        if type(hint) is not type:
            return hints_of(function)
    return own


def _parameters(function: Callable[..., Any]) -> list[tuple[str, bool]]:
    """The names of what a function takes, and whether each has a default.

    Of a plain function by its code: `inspect` costs a fresh fork a dozen times as much.
    """
    code = getattr(function, "__code__", None)
    if code is None or function.__dict__ or code.co_flags & _VARYING:
        found = inspect.signature(function).parameters.values()
        return [(item.name, item.default is not item.empty) for item in found]
    plain = code.co_varnames[: code.co_argcount]
    named = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    first = len(plain) - len(function.__defaults__ or ())
    keyed = function.__kwdefaults__ or {}
    return [(name, place >= first) for place, name in enumerate(plain)] + [
        (name, name in keyed) for name in named
    ]


def _parameter(value: Any, hint: Any) -> Any:
    if type(value) is hint:
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is tuple and isinstance(value, list):
        return tuple(value)
    if getattr(hint, "__name__", "") in STATUS_CLASSES and isinstance(value, dict):
        error = value.get("error") or {}
        return hint(
            state=value.get("state", ""),
            pipeline_job_resource_name=value.get("pipelineJobResourceName", ""),
            pipeline_task_name=value.get("pipelineTaskName", ""),
            error_code=error.get("code"),
            error_message=error.get("message"),
        )
    return value


def _optional(hint: Any) -> bool:
    return type(None) in getattr(hint, "__args__", ())


def _call(function: Callable[..., Any], arguments: Mapping[str, Any], order: Order) -> Any:
    try:
        return function(**arguments)
    except AthanorError:
        raise
    except BaseException as error:  # SystemExit and KeyboardInterrupt, too
        given = {**order.parameters}
        for name, items in order.artifacts.items():
            given[name] = ", ".join(f"{item.type} {item.digest[:15]}" for item in items)
        raise _failure(error, order.step, order.embedded.file, given) from error


def _stored(value: Any, order: Order, artifacts: _Artifacts) -> Result:
    """What a step returned, as it is kept. Raises: BadStep, NoMaterializer, WrongType."""
    try:
        return _store(value, order, artifacts)
    except RecursionError as error:
        cause = "its parts lie too deep in each other"
        raise _unkept(order.step, cause) from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise _unkept(order.step, cause_of(error)) from error


def _unkept(step: str, cause: str) -> BadStep:
    return BadStep(
        f"What step {step!r} returned can't be kept: {cause}.",
        hint="Return plain values, tables, models, or the paths of files.",
    )


def _store(value: Any, order: Order, artifacts: _Artifacts) -> Result:
    parameters: dict[str, Any] = {}
    made = {}
    named = _named(value, order)
    for name, kind in order.output_parameters.items():
        got = named.get(name)
        if type(got) not in _PLAIN:
            got = _plain(got)
        if got is not None and kind == "LIST" and isinstance(got, tuple | set | frozenset):
            got = list(got)
        parameters[name] = fitted_output(got, kind, order.step, name)
    for name, kind in order.output_artifacts.items():
        if named.get(name) is None:
            continue
        if name in order.output_lists:
            made[name] = [
                artifacts.files.save(f"{name}-{index}" if index else name, item, kind)
                for index, item in enumerate(_items(named[name], name, order))
            ]
        else:
            made[name] = [artifacts.files.save(name, named[name], kind)]
    return Result(parameters=parameters, artifacts=made)


def _items(value: Any, name: str, order: Order) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    raise BadStep(
        f"Step {order.step!r} returned a {type(value).__name__} as {name!r}, which its hint calls "
        "a list.",
        hint="Return a list, or change the hint.",
    )


def _named(value: Any, order: Order) -> dict[str, Any]:
    """What was returned, by output name."""
    names = order.embedded.outputs
    if not names:
        only = [*order.output_parameters, *order.output_artifacts]
        return {only[0]: value} if only else {}
    if isinstance(value, Mapping):
        found = {name: value.get(name) for name in names}
    elif isinstance(value, tuple | list):
        if len(value) != len(names):
            raise BadStep(
                f"Step {order.step!r} returned {len(value)} values, and its hint names "
                f"{len(names)}: {', '.join(names)}.",
                hint="Return as many values as the type hint names.",
            )
        found = dict(zip(names, value, strict=True))
    else:
        found = {name: getattr(value, name, None) for name in names}
    return found


def _plain(value: Any) -> Any:
    """NumPy's numbers, inside of lists and mappings too, as Python's."""
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _failure(error: BaseException, step: str, file: str, inputs: Mapping[str, Any]) -> StepFailed:
    frames = traceback.extract_tb(_own_part(error.__traceback__, file))
    own = [frame for frame in frames if frame.filename == (file or frame.filename)]
    last = own[-1] if own else None
    hint = ""
    if isinstance(error, SystemExit):
        cause = f"it called sys.exit({error.code!r})"
    elif isinstance(error, MemoryError):
        cause = "MemoryError: it needed more memory than it may take"
        hint = "Give the step less data, or more room: @step(memory='4G')."
    else:
        cause = cause_of(error)
    details = {
        "type": type(error).__name__,
        "file": last.filename if last else "",
        "line": last.lineno if last else None,
        "source": (last.line or "").strip() if last else "",
        "inputs": {name: shown(item) for name, item in inputs.items()},
    }
    if hint:
        details["hint"] = hint
    return StepFailed(step, cause[:2000], details=details)


def _own_part(trace: TracebackType | None, file: str) -> TracebackType | None:
    """The traceback from the first line of the user's own file on."""
    here = trace
    while here is not None and here.tb_frame.f_code.co_filename != file:
        here = here.tb_next
    return here or trace


def _print_trace(error: AthanorError, file: str) -> None:
    """The cause as Python shows it, for the log: the user's part of it."""
    cause = error.__cause__
    with contextlib.suppress(OSError, ValueError):
        if cause is not None:
            trace = _own_part(cause.__traceback__, file)
            if trace is not None:
                _traces.append(trace)
            traceback.print_exception(type(cause), cause, trace)
        # In the log itself nobody needs to be sent to the log.
        said = error.message if error.hint.startswith("Read its log") else str(error)
        print(f"athanor: {said}", file=sys.stderr, flush=True)  # noqa: T201 - the step's log
