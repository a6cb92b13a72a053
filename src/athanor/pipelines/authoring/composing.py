"""`@pipeline`: a function that calls steps, as a pipeline; platform operations."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from athanor.pipelines.authoring.definitions import input_definitions, output_definitions, slug
from athanor.pipelines.authoring.interface import Interface, Kind, interface_of, kind_of
from athanor.pipelines.authoring.places import placed
from athanor.pipelines.authoring.scopes import Scope
from athanor.pipelines.authoring.tracing import Trace, bind, current_trace
from athanor.pipelines.authoring.values import Reference, Task
from athanor.pipelines.errors import BadPipeline
from athanor.pipelines.ir.spec import (
    ComponentSpec,
    DeploymentSpec,
    Document,
    PipelineInfo,
    PipelineSpec,
)
from athanor.pipelines.ir.text import submitted
from athanor.pipelines.logic.embedding import operation_container
from athanor.pipelines.logic.graph import check
from athanor.pipelines.logic.platforms import secrets_platform
from athanor.pipelines.types import Submission

P = ParamSpec("P")
R = TypeVar("R")
SDK_VERSION = "athanor-1"


class Pipeline(Generic[P, R]):
    """A function that composes steps.

    Called, it runs them one after the other, right here; one with If, ParallelFor or ExitHandler
    is run by the engine alone.
    """

    def __init__(self, function: Callable[P, R], name: str) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the plain functions here and now; inside of another pipeline, be one of its tasks."""
        trace = current_trace()
        if trace is None:
            return self.function(*args, **kwargs)
        return cast("R", self._nested(trace, args, kwargs))

    def __repr__(self) -> str:
        return f"<pipeline {self.name}>"

    def compile(self) -> Document:
        """Write the pipeline down.

        Raises: BadPipeline and its kinds.
        """
        with placed(self.name, self.function):
            return self._compiled()

    def submission(
        self,
        parameters: Mapping[str, Any] | None = None,
        *,
        artifacts: Mapping[str, str] | None = None,
        cache: bool = True,
    ) -> Submission:
        """The pipeline with its inputs, as a client submits it.

        `client.pipelines.submit(churn.submission({"strength": 0.5}))`; `artifacts` are references
        such as `{"customers": "dataset:customers@latest"}`.
        Raises: BadPipeline and its kinds.
        """
        return Submission(
            **submitted(self.compile()),
            parameters=dict(parameters or {}),
            artifacts=dict(artifacts or {}),
            cache=cache,
        )

    def _compiled(self) -> Document:
        interface = interface_of(self.function)
        trace = Trace()
        kinds = {name: item.kind for name, item in interface.inputs.items() if item.kind}
        trace.root.inputs = dict(kinds)
        with trace.recording():
            inputs = {name: Reference(trace.root, "", name, kind) for name, kind in kinds.items()}
            result = cast("Callable[..., Any]", self.function)(**inputs)
        outputs = _outputs(trace.root, result, interface)
        if not trace.root.tasks:
            raise BadPipeline(
                f"Pipeline {self.name!r} calls no step.",
                hint="Call functions decorated with @step in its body.",
            )
        trace.finish()
        defaults = {name: item.default for name, item in interface.inputs.items()}
        optional = {name for name, item in interface.inputs.items() if item.has_default}
        spec = PipelineSpec(
            pipeline_info=PipelineInfo(
                name=slug(self.name), description=(self.function.__doc__ or "").strip()
            ),
            root=ComponentSpec(
                dag=trace.root.dag(),
                input_definitions=input_definitions(
                    kinds, defaults, optional, where=f"pipeline {self.name!r}"
                ),
                output_definitions=output_definitions(outputs),
            ),
            components=trace.components,
            deployment_spec=DeploymentSpec(executors=trace.executors),
            schema_version="2.1.0",
            sdk_version=SDK_VERSION,
        )
        check(spec)
        return Document(spec=spec, platforms=secrets_platform(trace.secrets, trace.volumes))

    def _nested(self, trace: Trace, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Task:
        """Add this pipeline as a task of another one."""
        if self.function in trace.nested:
            names = [getattr(item, "__name__", "?") for item in trace.nested]
            ring = " -> ".join([*names, self.name])
            raise BadPipeline(
                f"Pipeline {self.name!r} calls itself: {ring}.",
                hint="Use ParallelFor to repeat steps.",
            )
        interface = interface_of(self.function)
        given = bind(self.name, interface, args, kwargs, what="Pipeline")
        outer = trace.scope
        inner = trace.add_block(outer.free_name(slug(self.name)), "pipeline")
        kinds = {name: item.kind for name, item in interface.inputs.items() if item.kind}
        defaults = {name: item.default for name, item in interface.inputs.items()}
        for name, kind in kinds.items():
            value = given.get(name, defaults[name])
            if value is not None:
                trace.connect(self.name, inner.own_task, name, value, kind)
            inner.inputs[name] = kind if value is not None else replace(kind, optional=True)
        inputs = {name: Reference(inner, "", name, kind) for name, kind in kinds.items()}
        trace.nested.append(self.function)
        try:
            with placed(self.name, self.function), trace.inside(inner):
                result = cast("Callable[..., Any]", self.function)(**inputs)
        finally:
            trace.nested.pop()
        return Task(outer, inner.own_task, _outputs(inner, result, interface))


@overload
def pipeline(function: Callable[P, R], /) -> Pipeline[P, R]: ...


@overload
def pipeline(
    function: None = None, /, *, name: str = ""
) -> Callable[[Callable[P, R]], Pipeline[P, R]]: ...


def pipeline(function: Callable[..., Any] | None = None, /, *, name: str = "") -> Any:
    """Make a function that calls steps a pipeline: `@pipeline` or `@pipeline(name="churn")`.

    Its parameters are the pipeline's inputs, its result the pipeline's outputs. It is called once
    to be written down; what it computes itself, it computes then.
    """
    if function is None:
        return functools.partial(pipeline_of, name=name)
    return pipeline_of(function, name=name)


def pipeline_of(function: Callable[P, R], *, name: str = "") -> Pipeline[P, R]:
    """A function as a pipeline."""
    return Pipeline(function, name or getattr(function, "__name__", "pipeline"))


def operation(name: str, *, outputs: Mapping[str, Any] | None = None) -> Callable[..., Any]:
    """Have the platform itself do a step, such as registering a model.

    `operation("model.register")(model=model, name="churn")` adds a task.

    `outputs` are the hints of what it gives by name, e.g. `{"version": int, "report": object}`.
    """
    kinds = {key: kind_of(hint) for key, hint in (outputs or {}).items()}

    def call(**inputs: Any) -> Task:
        trace = current_trace()
        if trace is None:
            raise BadPipeline(
                f"The operation {name!r} can be called only inside of a @pipeline.",
                hint="Submit the pipeline; the platform runs the operation.",
            )
        given = {
            key: value.single() if isinstance(value, Task) else value
            for key, value in inputs.items()
            if value is not None
        }
        return trace.add_operation(name, operation_container(name), given, kinds)

    return call


def _outputs(scope: Scope, result: Any, interface: Interface) -> dict[str, Kind]:
    """Note what a pipeline returns as its outputs."""
    if result is None:
        return {}
    named: dict[str, Any]
    if isinstance(result, Mapping):
        named = dict(result)
    elif isinstance(result, tuple) and hasattr(result, "_asdict"):
        named = result._asdict()
    elif isinstance(result, tuple | list):
        names = interface.fields or [f"output_{index}" for index in range(1, len(result) + 1)]
        named = dict(zip(names, result, strict=False))
    else:
        named = {"Output": result}
    kinds = {}
    for name, item in named.items():
        value = item.single() if isinstance(item, Task) else item
        task, key, selector = "", "", ""
        if isinstance(value, Reference):
            task, key, selector = scope.bring(value)
        if not isinstance(value, Reference) or not task or selector:
            raise BadPipeline(
                f"The pipeline returns {name!r}, which is not an output of one of its steps.",
                hint="Return what a step (outside of an If) returned.",
            )
        scope.outputs[name] = ([(task, key)], value.kind)
        kinds[name] = value.kind
    return kinds
