"""`@step`: a plain function as a building block of pipelines."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar, overload

from athanor.pipelines.authoring.interface import Interface, interface_of
from athanor.pipelines.authoring.source import source_of
from athanor.pipelines.authoring.tracing import current_trace
from athanor.pipelines.ir.spec import ContainerSpec
from athanor.pipelines.logic.embedding import Embedded, embed

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOptions:
    """How a step is run."""

    cache: bool = True
    """Whether its outputs may come from an earlier run of equal work."""
    retries: int = 0
    """How often it is tried again after a failure; the pause doubles from one second."""
    timeout: float = 0.0
    """Seconds until it is stopped; 0 is no limit."""
    threads: int = 1
    """Threads that numeric libraries may use."""
    seed: int = 0
    """Where random numbers start, so that equal work gives equal results."""


class Step(Generic[P, R]):
    """A function that can be called as it stands, and composed inside a `@pipeline`."""

    def __init__(self, function: Callable[P, R], name: str, options: StepOptions) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name
        self.options = options

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function; inside of a pipeline being written down, add a task instead."""
        trace = current_trace()
        if trace is None:
            return self.function(*args, **kwargs)
        return trace.add_step(self, args, kwargs)  # type: ignore[return-value]

    def __repr__(self) -> str:
        return f"<step {self.name}>"

    @functools.cached_property
    def interface(self) -> Interface:
        """What the function takes and gives. Raises: BadStep."""
        return interface_of(self.function, loose=True)

    @functools.cached_property
    def container(self) -> ContainerSpec:
        """The function as a component's container. Raises: StepWithoutSource."""
        source = source_of(self.function)
        return embed(
            Embedded(
                function=self.function.__name__,
                source=source.text,
                file=source.file,
                lines=source.lines,
                modules=source.modules,
                outputs=list(self.interface.fields),
                seed=self.options.seed,
                threads=self.options.threads,
                timeout=self.options.timeout,
            )
        )


@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...


@overload
def step(
    function: None = None,
    /,
    *,
    name: str = "",
    cache: bool = True,
    retries: int = 0,
    timeout: float = 0.0,
    threads: int = 1,
    seed: int = 0,
) -> Callable[[Callable[P, R]], Step[P, R]]: ...


def step(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str = "",
    cache: bool = True,
    retries: int = 0,
    timeout: float = 0.0,
    threads: int = 1,
    seed: int = 0,
) -> Any:
    """Make a function a step.

    `@step`, `@step(retries=2)`, or `train = step(train)` from outside.

    The type hints are its interface: str, int, float, bool, list and dict are parameters; tables
    (pandas, Arrow), models, paths and whatever a materializer handles are artifacts. Several
    outputs are a NamedTuple, TypedDict, dataclass or fixed tuple. The function itself needs to
    know nothing of this, and can be called and tested as it stands.

    `timeout` in seconds (0: none), `threads` for numeric libraries, `seed` where random numbers
    start.
    """
    options = StepOptions(cache=cache, retries=retries, timeout=timeout, threads=threads, seed=seed)
    if function is None:
        return functools.partial(_wrap, name=name, options=options)
    return _wrap(function, name=name, options=options)


def _wrap(function: Callable[P, R], *, name: str, options: StepOptions) -> Step[P, R]:
    if isinstance(function, Step):
        function = function.function
    return Step(function, name or getattr(function, "__name__", "step"), options)
