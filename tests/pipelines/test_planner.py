"""The planner, over graphs of all shapes."""

from collections import deque
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from athanor.kernel.errors import AthanorError
from athanor.pipelines.errors import (
    BadPipeline,
    MissingInput,
    PipelineCycle,
    UnknownInput,
    UnknownReference,
    WrongType,
)
from athanor.pipelines.ir.spec import (
    ComponentInputs,
    ComponentOutputs,
    ComponentRef,
    ComponentSpec,
    ContainerSpec,
    DagOutputParameter,
    DagOutputs,
    DagSpec,
    DeploymentSpec,
    ExecutorSpec,
    InputArtifact,
    InputParameter,
    OutputParameter,
    ParameterIterator,
    ParameterSelector,
    PipelineInfo,
    PipelineSpec,
    TaskInputParameter,
    TaskInputs,
    TaskOutputParameter,
    TaskSpec,
    TriggerPolicy,
    ValueOrRuntimeParameter,
)
from athanor.pipelines.logic.graph import check, check_inputs, find_cycle, upstream_of
from athanor.pipelines.logic.planner import (
    NOTHING,
    OVER,
    Bindings,
    Launch,
    Move,
    Planner,
    Settled,
    replay,
)

ADD = ComponentSpec(
    input_definitions=ComponentInputs(
        parameters={
            "a": InputParameter(parameter_type="NUMBER_INTEGER", default_value=0),
            "b": InputParameter(parameter_type="NUMBER_INTEGER", default_value=0),
        }
    ),
    output_definitions=ComponentOutputs(
        parameters={"sum": OutputParameter(parameter_type="NUMBER_INTEGER")}
    ),
    executor_label="exec-add",
)


def spec_of(tasks: dict[str, TaskSpec], **components: ComponentSpec) -> PipelineSpec:
    return PipelineSpec(
        pipeline_info=PipelineInfo(name="p"),
        root=ComponentSpec(
            dag=DagSpec(tasks=tasks),
            input_definitions=ComponentInputs(
                parameters={"n": InputParameter(parameter_type="NUMBER_INTEGER", default_value=1)}
            ),
        ),
        components={"add": ADD, **components},
        deployment_spec=DeploymentSpec(
            executors={"exec-add": ExecutorSpec(container=ContainerSpec(image="x"))}
        ),
    )


def after(*names: str, component: str = "add", condition: str = "") -> TaskSpec:
    return TaskSpec(
        component_ref=ComponentRef(name=component),
        dependent_tasks=list(names),
        trigger_policy=TriggerPolicy(condition=condition) if condition else None,
    )


def taking(**sources: str | int) -> TaskSpec:
    parameters = {}
    for name, source in sources.items():
        if isinstance(source, int):
            value = ValueOrRuntimeParameter(constant=source)
            parameters[name] = TaskInputParameter(runtime_value=value)
        elif source.startswith("$"):
            parameters[name] = TaskInputParameter(component_input_parameter=source[1:])
        else:
            link = TaskOutputParameter(producer_task=source, output_parameter_key="sum")
            parameters[name] = TaskInputParameter(task_output_parameter=link)
    return TaskSpec(
        component_ref=ComponentRef(name="add"), inputs=TaskInputs(parameters=parameters)
    )


def drive(planner: Planner, failing: frozenset[str] = frozenset()) -> list[Move]:
    """Run a plan with an engine that adds."""
    moves = planner.start()
    queue = deque(move for move in moves if isinstance(move, Launch))
    while queue:
        launch = queue.popleft()
        if launch.path in failing:
            more = planner.finish(launch.path, "failed", error=AthanorError("broken"))
        else:
            values = launch.inputs.parameters
            outputs = Bindings(parameters={"sum": values["a"] + values["b"]})
            more = planner.finish(launch.path, "done", outputs)
        moves += more
        queue.extend(move for move in more if isinstance(move, Launch))
    return moves


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, TaskSpec]:
    count = draw(st.integers(1, 12))
    tasks: dict[str, TaskSpec] = {}
    for index in range(count):
        names = list(tasks)
        if not names or draw(st.booleans()):
            tasks[f"t{index}"] = taking(a=draw(st.integers(0, 9)), b="$n")
        elif draw(st.booleans()):
            tasks[f"t{index}"] = taking(
                a=draw(st.sampled_from(names)), b=draw(st.sampled_from(names))
            )
        else:
            tasks[f"t{index}"] = after(*draw(st.sets(st.sampled_from(names), min_size=1)))
    order = draw(st.permutations(list(tasks)))
    return {name: tasks[name] for name in order}


@given(graphs())
def test_every_task_runs_once_and_after_those_it_waits_for(tasks: dict[str, TaskSpec]) -> None:
    spec = spec_of(tasks)
    check(spec)
    planner = Planner(spec, NOTHING)
    launched = [move.path for move in drive(planner) if isinstance(move, Launch)]
    assert sorted(launched) == sorted(tasks)
    for name, task in tasks.items():
        for other in upstream_of(task):
            assert launched.index(other) < launched.index(name)
    assert planner.state == "done"


@given(graphs(), st.data())
def test_a_failure_skips_exactly_what_hangs_on_it(
    tasks: dict[str, TaskSpec], data: st.DataObject
) -> None:
    failing = frozenset(data.draw(st.sets(st.sampled_from(sorted(tasks)), min_size=1)))
    planner = Planner(spec_of(tasks), NOTHING)
    moves = drive(planner, failing)
    skipped = {move.path for move in moves if isinstance(move, Settled)}
    hit = set(failing)
    changed = True
    while changed:
        more = {n for n, task in tasks.items() if hit & set(upstream_of(task))} - hit
        changed, hit = bool(more), hit | more
    launched = {move.path for move in moves if isinstance(move, Launch)}
    assert launched | skipped == set(tasks)
    assert skipped == {n for n in tasks if hit & set(upstream_of(tasks[n]))}
    assert planner.state == "failed"


@given(graphs(), st.data())
def test_a_planner_fed_with_the_past_comes_to_the_same_place(
    tasks: dict[str, TaskSpec], data: st.DataObject
) -> None:
    first = Planner(spec_of(tasks), NOTHING)
    ready = deque(move for move in first.start() if isinstance(move, Launch))
    ended: dict[str, Settled] = {}
    for _ in range(data.draw(st.integers(0, len(tasks)))):
        if not ready:
            break
        launch = ready.popleft()
        values = launch.inputs.parameters
        outputs = Bindings(parameters={"sum": values["a"] + values["b"]})
        ended[launch.path] = Settled(path=launch.path, state="done", outputs=outputs)
        moves = first.finish(launch.path, "done", outputs)
        ready.extend(move for move in moves if isinstance(move, Launch))
    second = Planner(spec_of(tasks), NOTHING)
    _, left = replay(second, ended)
    assert {(move.path, str(move.inputs)) for move in left} == {
        (move.path, str(move.inputs)) for move in ready
    }
    assert second.state == first.state


def test_values_flow_through_nested_dags() -> None:
    inner = ComponentSpec(
        input_definitions=ComponentInputs(
            parameters={"x": InputParameter(parameter_type="NUMBER_INTEGER")}
        ),
        output_definitions=ComponentOutputs(
            parameters={"y": OutputParameter(parameter_type="NUMBER_INTEGER")}
        ),
        dag=DagSpec(
            tasks={"one": taking(a="$x", b=1), "two": taking(a="one", b=1)},
            outputs=DagOutputs(
                parameters={
                    "y": DagOutputParameter(
                        value_from_parameter=ParameterSelector(
                            producer_subtask="two", output_parameter_key="sum"
                        )
                    )
                }
            ),
        ),
    )
    value = ValueOrRuntimeParameter(constant=40)
    tasks = {
        "nested": TaskSpec(
            component_ref=ComponentRef(name="inner"),
            inputs=TaskInputs(parameters={"x": TaskInputParameter(runtime_value=value)}),
        )
    }
    spec = spec_of(tasks, inner=inner)
    check(spec)
    moves = drive(Planner(spec, NOTHING))
    paths = [move.path for move in moves if isinstance(move, Launch)]
    assert paths == ["nested/one", "nested/two"]
    end = moves[-1]
    assert isinstance(end, Settled)
    assert end.outputs.parameters == {"y": 42}


@pytest.mark.parametrize(
    ("condition", "state"),
    [
        ("inputs.parameter_values['a'] == 0", "launched"),
        ("inputs.parameter_values['a'] > 0", "skipped"),
        ("inputs.parameter_values['a'] ==", "failed"),
        ("inputs.parameter_values['nothing'] == 1", "failed"),
    ],
)
def test_a_condition_decides(condition: str, state: str) -> None:
    moves = drive(Planner(spec_of({"t": after(condition=condition)}), NOTHING))
    last = moves[-1]
    assert ("launched" if isinstance(last, Launch) else getattr(last, "state", "")) == state


def test_a_stopped_plan_begins_nothing() -> None:
    planner = Planner(spec_of({"a": after(), "b": after("a"), "c": after("b")}), NOTHING)
    planner.start()
    stopped = planner.stop()
    assert {move.path for move in stopped if isinstance(move, Settled)} == {"b", "c"}
    states = [planner.state]
    planner.finish("a", "stopped")
    assert [*states, planner.state] == ["running", "stopped"]


def test_a_long_chain_does_not_recurse() -> None:
    count = 3000
    tasks = {f"t{n}": after(*([f"t{n - 1}"] if n else [])) for n in range(count)}
    check(spec_of(tasks))
    planner = Planner(spec_of(tasks), NOTHING)
    launched = [move for move in drive(planner) if isinstance(move, Launch)]
    assert len(launched) == count
    failed = Planner(spec_of(tasks), NOTHING)
    drive(failed, frozenset({"t0"}))
    assert failed.state in OVER


def test_a_task_can_end_only_while_it_runs() -> None:
    planner = Planner(spec_of({"a": after()}), NOTHING)
    with pytest.raises(UnknownReference):
        planner.finish("a", "done")
    planner.start()
    with pytest.raises(BadPipeline):
        planner.start()


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"))))
def test_a_found_circle_is_one(edges: dict[str, list[str]]) -> None:
    ring = find_cycle(edges)
    if ring:
        assert ring[0] == ring[-1]
        assert all(after in edges[before] for before, after in pairwise(ring))
    else:
        left = dict(edges)
        while left:
            free = [name for name, others in left.items() if not set(others) & set(left)]
            assert free
            for name in free:
                del left[name]


@pytest.mark.parametrize(
    ("tasks", "failure", "words"),
    [
        ({"a": after("b"), "b": after("a")}, PipelineCycle, "a -> b -> a"),
        ({"a": after("nobody")}, UnknownReference, "'nobody'"),
        ({"a": after(component="ad")}, UnknownReference, "'ad'"),
        ({"a": taking(a="$m")}, UnknownReference, "'m'"),
        ({"a": taking(a="b"), "b": after(component="none")}, UnknownReference, "'none'"),
        (
            {
                "a": TaskSpec(
                    component_ref=ComponentRef(name="add"),
                    parameter_iterator=ParameterIterator(item_input="a"),
                )
            },
            UnknownReference,
            "input",
        ),
        (
            {
                "a": TaskSpec(
                    component_ref=ComponentRef(name="add"),
                    inputs=TaskInputs(
                        parameters={
                            "a": TaskInputParameter(
                                runtime_value=ValueOrRuntimeParameter(constant="five")
                            )
                        }
                    ),
                )
            },
            WrongType,
            "whole number",
        ),
    ],
)
def test_a_bad_graph_is_refused_before_it_runs(
    tasks: dict[str, TaskSpec], failure: type[Exception], words: str
) -> None:
    with pytest.raises(failure, match=words):
        check(spec_of(tasks))


def test_missing_and_unknown_inputs_are_named() -> None:
    needy = ComponentSpec(
        input_definitions=ComponentInputs(
            parameters={"must": InputParameter(parameter_type="STRING")}
        ),
        executor_label="exec-add",
    )
    with pytest.raises(MissingInput, match="must"):
        check(spec_of({"a": after(component="needy")}, needy=needy))
    with pytest.raises(UnknownInput, match="m"):
        check_inputs(spec_of({"a": after()}), {"m": 1}, {})


def test_a_run_that_lacks_inputs_is_told_how_to_give_all_of_them() -> None:
    wanted = ComponentInputs(
        parameters={"limit": InputParameter(parameter_type="STRING")},
        artifacts={"rows": InputArtifact()},
    )
    spec = spec_of({"a": after()})
    root = msgspec.structs.replace(spec.root, input_definitions=wanted)
    with pytest.raises(MissingInput, match="'rows'") as refused:
        check_inputs(msgspec.structs.replace(spec, root=root), {}, {}, whole=True)
    assert refused.value.hint == ("Give: --artifact rows=dataset:NAME@latest --param limit=VALUE")
    for inputs, way in (
        (({"rows": 1}, {}), "--artifact rows=dataset:NAME@latest"),
        (({}, {"limit": 1}), "--param limit=VALUE"),
    ):
        with pytest.raises(WrongType) as mistaken:
            check_inputs(msgspec.structs.replace(spec, root=root), *inputs)
        assert mistaken.value.hint == f"Give: {way}"
    with pytest.raises(WrongType):
        Planner(spec_of({"a": after()}), Bindings(parameters={"n": "one"}))


def test_a_component_may_not_hold_itself() -> None:
    inner = ComponentSpec(dag=DagSpec(tasks={"again": after(component="inner")}))
    with pytest.raises(PipelineCycle, match="contains the other"):
        check(spec_of({"a": after(component="inner")}, inner=inner))
