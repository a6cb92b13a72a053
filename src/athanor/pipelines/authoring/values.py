"""What stands for values while a pipeline is written down."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from athanor.kernel.errors import nearest
from athanor.pipelines.authoring.interface import SINGLE, Kind
from athanor.pipelines.errors import BadPipeline

if TYPE_CHECKING:
    from athanor.pipelines.authoring.scopes import Scope
    from athanor.pipelines.authoring.settings import Changes

_HINT = (
    "A pipeline is written down before it runs: branch by `with If(value == constant):`, join "
    "conditions by &, | and ~ (not by and, or, not), and compute in a step."
)
LATER = "What steps give is known only when the pipeline runs: compute with it in a step."
_HOLDERS = ("STRUCT", "LIST")
_MARKS = {"==", "!=", "<", "<=", ">", ">="}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A comparison of outputs and constants; `&`, `|` and `~` join and turn comparisons."""

    left: Any
    mark: str
    """`==`, `!=`, `<`, `<=`, `>`, `>=`; `&&` and `||` between conditions, `!` before one."""
    right: Any = None

    def __and__(self, other: object) -> "Condition":
        return Condition(left=self, mark="&&", right=other)

    def __or__(self, other: object) -> "Condition":
        return Condition(left=self, mark="||", right=other)

    def __invert__(self) -> "Condition":
        return Condition(left=self, mark="!")

    def __bool__(self) -> bool:
        told = f"{self.left!r} {self.mark} {self.right!r:.60}" if self.mark in _MARKS else "this"
        raise BadPipeline(f"Whether {told} is not known yet.", hint=_HINT)


class Compared:
    """What can be compared, and asked for no value while a pipeline is written down."""

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

    def __and__(self, other: object) -> Condition:
        return truth_of(self) & truth_of(other)

    def __or__(self, other: object) -> Condition:
        return truth_of(self) | truth_of(other)

    def __invert__(self) -> Condition:
        return ~truth_of(self)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise BadPipeline(f"The value of {self!r} is not known yet.", hint=_HINT)


class Reference(Compared):
    """A value that will be known when the pipeline runs."""

    def __init__(
        self, scope: "Scope", task: str, key: str, kind: Kind, *, selector: str = ""
    ) -> None:
        self.scope = scope
        self.task = task
        """The task that makes it; empty for an input of the DAG."""
        self.key = key
        self.kind = kind
        self.selector = selector
        """What is picked from it, such as `["a"][0]`."""
        self.collected = False
        """Whether it stands for what all rounds of a loop gave."""

    def __repr__(self) -> str:
        origin = f"output of task {self.task!r}" if self.task else "pipeline input"
        return f"<{self.key}{self.selector}: {origin}>"

    def __getitem__(self, key: str | int) -> "Reference":
        """A field of a mapping, or an item of a list, by a constant.

        Raises: BadPipeline where it holds no items.
        """
        if self.kind.parameter not in _HOLDERS and not self.kind.guessed:
            raise BadPipeline(
                f"{self!r} is {self.kind.words} and holds no items.",
                hint="Pick items of what is hinted as a list or dict.",
            )
        if '"' in str(key):
            raise BadPipeline(
                f"{key!r} picks nothing from {self!r}.",
                hint="Give a name without quotes, or a whole number.",
            )
        picked = f"[{key}]" if isinstance(key, int) else f'["{key}"]'
        found = self.kind.item if isinstance(key, int) else None
        kind = found or Kind(parameter="STRING", guessed=True)
        return Reference(self.scope, self.task, self.key, kind, selector=self.selector + picked)

    def __iter__(self) -> Iterator[Any]:
        raise BadPipeline(
            f"The items of {self!r} are not known yet.",
            hint="Go through them by `with ParallelFor(items) as item:`.",
        )

    def __str__(self) -> str:
        if not self.kind.parameter:
            raise BadPipeline(
                f"{self!r} is an artifact, which can't be put into a text.",
                hint="Make the text in a step.",
            )
        return self.scope.token_of(self)


class Task(Compared):
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
        return self.named_output(name)

    def __getitem__(self, key: str | int) -> Any:
        """An output by its name; of a task with one output, an item of that."""
        if isinstance(key, str) and key in self._outputs:
            return self.named_output(key)
        if isinstance(key, int) and len(self._outputs) > 1:
            return list(self)[key]
        return self.single()[key]

    def __iter__(self) -> Iterator[Reference]:
        """Its outputs, in the order of the hint.

        Raises: BadPipeline where it gives one value alone.
        """
        if list(self._outputs) == [SINGLE]:
            raise BadPipeline(
                f"Task {self._name!r} gives one output, which can't be taken apart here.",
                hint="If its step returns several values, say so behind its parameters: "
                "`-> tuple[DataFrame, DataFrame]`, or a NamedTuple. Go through the items of a list "
                "by `with ParallelFor(items) as item:`.",
            )
        return iter([self.outputs[name] for name in self._outputs])

    def __str__(self) -> str:
        return str(self.single())

    @property
    def task_name(self) -> str:
        """Its name in the pipeline."""
        return self._name

    @property
    def settings(self) -> "Changes":
        """What is set for this task alone."""
        return self._scope.tasks[self._name].changes

    @property
    def outputs(self) -> Mapping[str, Reference]:
        """Its outputs by name, as Kubeflow's SDK has them."""
        return {
            name: Reference(self._scope, self._name, name, kind)
            for name, kind in self._outputs.items()
        }

    @property
    def output(self) -> Reference:
        """Its only output, as Kubeflow's SDK has it.

        Raises: BadPipeline when it has none or several.
        """
        return self.outputs.get("output") or self.single()

    def named_output(self, name: str) -> Reference:
        """The output of this name.

        Raises: BadPipeline when there is none.
        """
        if name not in self._outputs:
            names = ", ".join(self._outputs) or "none"
            raise BadPipeline(
                f"Task {self._name!r} has no output {name!r}.",
                hint=nearest(name, self._outputs) or f"It has: {names}. {LATER}",
            )
        return self.outputs[name]

    def single(self) -> Reference:
        """Its only output.

        Raises: BadPipeline when it has none or several.
        """
        if not self._outputs:
            raise BadPipeline(
                f"Task {self._name!r} gives nothing that could be passed on.",
                hint="Let its step return a value; to wait for it without one, call "
                ".after(task) on the task that waits.",
            )
        if len(self._outputs) > 1:
            raise BadPipeline(
                f"Task {self._name!r} has {len(self._outputs)} outputs; say which one you mean.",
                hint=f"Write task.NAME; it has: {', '.join(self._outputs)}.",
            )
        return next(iter(self.outputs.values()))

    def after(self, *others: "Task") -> "Task":
        """Wait for other tasks, too."""
        self._scope.order(self._name, [other.task_name for other in others])
        return self

    def named(self, name: str) -> "Task":
        """Show the task under another name."""
        self._scope.show_as(self._name, name)
        return self

    def ignore_upstream_failure(self) -> "Task":
        """Run once all tasks before it have ended, however they did."""
        self._scope.tasks[self._name].regardless = True
        return self

    def set_display_name(self, name: str) -> "Task":
        """Show the task under another name."""
        return self.named(name)

    def set_caching_options(self, enable_caching: bool, cache_key: str = "") -> "Task":  # noqa: FBT001 - as Kubeflow's SDK has it
        """Whether its outputs may come from an earlier equal task; under a key of your own."""
        self.settings.cache, self.settings.cache_key = enable_caching, cache_key
        return self

    def set_retry(
        self,
        num_retries: int,
        backoff_duration: str | None = None,
        backoff_factor: float | None = None,
        backoff_max_duration: str | None = None,
    ) -> "Task":
        """Try it again after a failure; durations are texts such as `5s`."""
        self.settings.retries = num_retries
        self.settings.backoff = backoff_duration or "1s"
        self.settings.factor = backoff_factor or 2.0
        self.settings.most = backoff_max_duration or ""
        return self

    def set_timeout(self, seconds: float) -> "Task":
        """Stop it after so many seconds."""
        self.settings.timeout = float(seconds)
        return self

    def set_env_variable(self, name: str, value: str) -> "Task":
        """Set a variable of its environment."""
        self.settings.env[name] = value
        return self

    def set_cpu_limit(self, cpu: str | float) -> "Task":
        """The cores that it may use at most, and that it waits for: `2`, `0.5`, `"500m"`."""
        self.settings.cpu = str(cpu)
        return self

    def set_memory_limit(self, memory: str) -> "Task":
        """The memory that it may use at most, and that it waits for: `512M`, `2Gi`."""
        self.settings.memory = memory
        return self

    def set_accelerator_limit(self, limit: int, accelerator: str = "nvidia.com/gpu") -> "Task":
        """The accelerators that it waits for."""
        self.settings.gpu, self.settings.accelerator = int(limit), accelerator
        return self


def truth_of(value: object) -> Condition:
    """A value as a condition: an output that is true or false is compared with true.

    Raises: BadPipeline for constants.
    """
    if isinstance(value, Task):
        value = value.single()
    if isinstance(value, Reference):
        return Condition(left=value, mark="==", right=True)
    if isinstance(value, Condition):
        return value
    raise BadPipeline(
        f"The condition of an If is the constant {value!r}.",
        hint="Compare what a step returned, as in If(score > 0.8); for a constant use if.",
    )
