"""`@step`: a plain function as a building block of pipelines."""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, overload

import msgspec

from athanor.kernel.errors import nearest
from athanor.pipelines.authoring.carrying import artifacts_of, carried, needs_of
from athanor.pipelines.authoring.interface import Interface, interface_of
from athanor.pipelines.authoring.settings import StepSettings, resources_of
from athanor.pipelines.authoring.source import source_of
from athanor.pipelines.authoring.tracing import current_trace
from athanor.pipelines.errors import BadStep
from athanor.pipelines.ir.spec import ContainerSpec, EnvVar
from athanor.pipelines.logic.embedding import Embedded, embed

P = ParamSpec("P")
R = TypeVar("R")


class Step(Generic[P, R]):
    """A function that can be called as it stands, and composed inside a `@pipeline`."""

    def __init__(self, function: Callable[P, R], settings: StepSettings) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = str(settings.get("name") or getattr(function, "__name__", "step"))
        self.settings = settings

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
        """The function as a component's container. Raises: StepWithoutSource, BadStep."""
        source = source_of(self.function)
        return self._contained(
            Embedded(
                function=self.function.__name__,
                source=source.text,
                file=source.file,
                lines=source.lines,
                modules=source.modules,
                outputs=list(self.interface.fields),
            )
        )

    def using(self, **settings: Unpack[StepSettings]) -> "Step[P, R]":
        """The same step with other settings: `train.using(cpu=4)(data)`.

        Raises: BadStep for a setting that does not exist.
        """
        return Step(self.function, _checked({**self.settings, **settings}))

    def _contained(self, embedded: Embedded) -> ContainerSpec:
        """A function in a container, with this step's settings."""
        settings = self.settings
        packages = list(settings.get("packages", ()))
        tables = "table" in artifacts_of(self.interface)
        embedded = dataclasses.replace(
            embedded,
            seed=settings.get("seed", 0),
            threads=settings.get("threads", 1),
            timeout=settings.get("timeout", 0.0),
            packages=packages,
        )
        container = embed(
            embedded,
            bootstrap=carried(packages or needs_of(embedded, tables=tables)),
            image=settings.get("image", ""),
        )
        env = [EnvVar(name=key, value=value) for key, value in settings.get("env", {}).items()]
        resources = resources_of(
            cpu=settings.get("cpu", ""),
            memory=settings.get("memory", ""),
            gpu=settings.get("gpu", 0),
        )
        return msgspec.structs.replace(container, env=env, resources=resources)


@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...


@overload
def step(
    function: None = None, /, **settings: Unpack[StepSettings]
) -> Callable[[Callable[P, R]], Step[P, R]]: ...


def step(function: Callable[..., Any] | None = None, /, **settings: Unpack[StepSettings]) -> Any:
    """Make a function a step.

    `@step`, `@step(retries=2)`, or `train = step(train)` from outside.

    The type hints are its interface: str, int, float, bool, list and dict are parameters; tables
    (pandas, Arrow), models, paths and whatever a materializer handles are artifacts, and a list of
    these a list of artifacts. Several outputs are a NamedTuple, TypedDict, dataclass or fixed
    tuple. The function itself needs to know nothing of this, and can be called and tested as it
    stands. The settings are those of `StepSettings`.

    Raises: BadStep for a setting that does not exist.
    """
    checked = _checked(settings)
    if function is None:
        return functools.partial(_wrap, settings=checked)
    return _wrap(function, settings=checked)


def _wrap(function: Callable[P, R], *, settings: StepSettings) -> Step[P, R]:
    if isinstance(function, Step):
        return function.using(**settings)
    return Step(function, settings)


def _checked(settings: Any) -> StepSettings:
    """Settings whose names and values can be used. Raises: BadStep."""
    known = StepSettings.__annotations__
    for name in settings:
        if name not in known:
            raise BadStep(
                f"A step has no setting {name!r}.",
                hint=nearest(name, known) or f"There are: {', '.join(known)}.",
            )
    try:
        msgspec.convert(settings, StepSettings)
    except msgspec.ValidationError as error:
        wrong, _, place = str(error).partition(" - at `$.")
        name = place.rstrip("`").partition("[")[0]
        raise BadStep(
            f"The setting {name!r} of a step can't be {settings.get(name)!r:.60}: {wrong}.",
            hint=f"It takes {inspect.formatannotation(known[name])}.",
        ) from None
    resources_of(cpu=settings.get("cpu", ""), memory=settings.get("memory", ""))
    found: StepSettings = settings
    return found
