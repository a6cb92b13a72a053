"""What stands for values while a pipeline is written down."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from athanor.kernel.errors import nearest
from athanor.pipelines.authoring.interface import Kind
from athanor.pipelines.errors import BadPipeline

if TYPE_CHECKING:
    from athanor.pipelines.authoring.tracing import Scope

_HINT = "Use `with If(value == constant):` to branch, and a step to compute."


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A comparison of an output with a constant or another output."""

    left: "Reference"
    mark: str
    right: Any

    def __bool__(self) -> bool:
        raise BadPipeline("The value of an output is not known yet.", hint=_HINT)


class Reference:
    """A value that will be known when the pipeline runs."""

    def __init__(self, scope: "Scope", task: str, key: str, kind: Kind) -> None:
        self.scope = scope
        self.task = task
        """The task that makes it; empty for an input of the pipeline."""
        self.key = key
        self.kind = kind

    def __repr__(self) -> str:
        origin = f"output of task {self.task!r}" if self.task else "pipeline input"
        return f"<{self.key}: {origin}>"

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]
        return Condition(left=self, mark="==", right=other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return Condition(left=self, mark="!=", right=other)

    def __lt__(self, other: object) -> Condition:
        return Condition(left=self, mark="<", right=other)

    def __le__(self, other: object) -> Condition:
        return Condition(left=self, mark="<=", right=other)

    def __gt__(self, other: object) -> Condition:
        return Condition(left=self, mark=">", right=other)

    def __ge__(self, other: object) -> Condition:
        return Condition(left=self, mark=">=", right=other)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise BadPipeline(f"The value of {self!r} is not known yet.", hint=_HINT)

    def __iter__(self) -> Iterator[Any]:
        raise BadPipeline(f"The items of {self!r} are not known yet.", hint=_HINT)

    def __str__(self) -> str:
        raise BadPipeline(
            f"{self!r} can't be put into a text while the pipeline is written down.",
            hint="Make the text in a step.",
        )


class Task:
    """A task of a pipeline being written down; its outputs are attributes."""

    def __init__(self, scope: "Scope", name: str, outputs: Mapping[str, Kind]) -> None:
        self._scope = scope
        self._name = name
        self._outputs = dict(outputs)

    def __repr__(self) -> str:
        return f"<task {self._name}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.output(name)

    def __iter__(self) -> Iterator[Reference]:
        return iter([self.output(name) for name in self._outputs])

    def __str__(self) -> str:
        return str(self.single())

    @property
    def task_name(self) -> str:
        """Its name in the pipeline."""
        return self._name

    def output(self, name: str) -> Reference:
        """The output of this name.

        Raises: BadPipeline when there is none.
        """
        if name not in self._outputs:
            names = ", ".join(self._outputs) or "none"
            raise BadPipeline(
                f"Task {self._name!r} has no output {name!r}.",
                hint=nearest(name, self._outputs) or f"It has: {names}.",
            )
        return Reference(self._scope, self._name, name, self._outputs[name])

    def single(self) -> Reference:
        """Its only output.

        Raises: BadPipeline when it has none or several.
        """
        if len(self._outputs) != 1:
            names = ", ".join(self._outputs) or "none"
            raise BadPipeline(
                f"Task {self._name!r} has {len(self._outputs)} outputs; say which one you mean.",
                hint=f"Write task.NAME; it has: {names}.",
            )
        return self.output(next(iter(self._outputs)))

    def after(self, *others: "Task") -> "Task":
        """Wait for other tasks, too."""
        self._scope.order(self._name, [other.task_name for other in others])
        return self

    def named(self, name: str) -> "Task":
        """Show the task under another name."""
        self._scope.show_as(self._name, name)
        return self

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]
        return self.single() == other

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return self.single() != other

    def __lt__(self, other: object) -> Condition:
        return self.single() < other

    def __le__(self, other: object) -> Condition:
        return self.single() <= other

    def __gt__(self, other: object) -> Condition:
        return self.single() > other

    def __ge__(self, other: object) -> Condition:
        return self.single() >= other

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise BadPipeline(f"The result of {self!r} is not known yet.", hint=_HINT)
