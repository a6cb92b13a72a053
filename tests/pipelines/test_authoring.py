"""Writing pipelines as plain Python."""

import dataclasses
import pathlib
import textwrap
import time
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

from athanor.pipelines import If, operation, pipeline, sql_step, step
from athanor.pipelines.authoring.interface import Kind, interface_of, kind_of
from athanor.pipelines.authoring.loading import load_document
from athanor.pipelines.authoring.source import source_of
from athanor.pipelines.client import PipelinesClient
from athanor.pipelines.errors import (
    BadPipeline,
    BadStep,
    MissingInput,
    StepNeedsHint,
    StepWithoutSource,
    UnknownInput,
    WrongType,
)
from athanor.pipelines.ir.spec import PipelineSpec
from tests.pipelines import flows


def spec_of(function: Callable[..., Any]) -> PipelineSpec:
    return pipeline(function).compile().spec


@pytest.mark.parametrize(
    ("hint", "kind"),
    [
        (str, Kind(parameter="STRING")),
        (int, Kind(parameter="NUMBER_INTEGER")),
        (float, Kind(parameter="NUMBER_DOUBLE")),
        (bool, Kind(parameter="BOOLEAN")),
        (list[str], Kind(parameter="LIST")),
        (dict[str, int], Kind(parameter="STRUCT")),
        (Mapping[str, int], Kind(parameter="STRUCT")),
        (int | float, Kind(parameter="NUMBER_DOUBLE")),
        (str | None, Kind(parameter="STRING", optional=True)),
        (Literal["a", "b"], Kind(parameter="STRING", literals=("a", "b"))),
        (pd.DataFrame, Kind(artifact="table")),
        (pa.Table, Kind(artifact="table")),
        (pd.DataFrame | None, Kind(artifact="table", optional=True)),
        (LogisticRegression, Kind(artifact="model")),
        (Annotated[object, "model"], Kind(artifact="model")),
        (Annotated[int, 5], Kind(parameter="NUMBER_INTEGER")),
        (pathlib.Path, Kind(artifact="file")),
        (np.ndarray, Kind(artifact="any")),
        (object, Kind(artifact="any")),
        (Any, Kind(artifact="any")),
        ("pd.DataFrame", Kind(artifact="table")),
        ("list[int]", Kind(parameter="LIST")),
    ],
    ids=str,
)
def test_hints_tell_the_kind(hint: Any, kind: Kind) -> None:
    assert kind_of(hint) == kind


class Pair(NamedTuple):
    left: int
    right: pd.DataFrame


class Typed(TypedDict):
    left: int
    right: pd.DataFrame


@dataclasses.dataclass
class Record:
    left: int
    right: pd.DataFrame


@pytest.mark.parametrize("hint", [Pair, Typed, Record])
def test_several_outputs_have_the_names_of_their_fields(hint: type) -> None:
    def function() -> Any:
        return None

    function.__annotations__["return"] = hint
    interface = interface_of(function)
    assert interface.fields == ("left", "right")
    assert interface.outputs["left"].parameter == "NUMBER_INTEGER"
    assert interface.outputs["right"].artifact == "table"


def test_a_fixed_tuple_has_numbered_outputs() -> None:
    def function() -> tuple[int, str]:
        return 1, "a"

    assert interface_of(function).fields == ("output_1", "output_2")


def test_parameters_without_hint_or_default_are_named() -> None:
    def function(known: int, unknown) -> None: ...  # type: ignore[no-untyped-def] # noqa: ANN001

    with pytest.raises(StepNeedsHint, match="'unknown'"):
        interface_of(function)

    def many(*args: int) -> None: ...

    with pytest.raises(BadStep, match="args"):
        interface_of(many)


def test_a_step_stays_a_function() -> None:
    assert flows.split(pd.DataFrame({"a": range(10)})).train.shape == (7, 1)
    assert flows.shout.__name__ == "shout"  # type: ignore[attr-defined]
    assert flows.plain("a") == "a"
    assert flows.sums(4, 0.5) == {"train": 5, "test": 1}


def test_a_table_goes_where_it_is_wanted_and_a_text_does_not() -> None:
    with pytest.raises(WrongType, match="'table'"):
        spec_of(lambda: flows.total("five"))  # type: ignore[arg-type]

    def wrong() -> None:
        flows.shout(flows.make())  # type: ignore[arg-type]

    with pytest.raises(WrongType, match="'word'"):
        spec_of(wrong)


def test_missing_and_unknown_arguments_are_named() -> None:
    with pytest.raises(MissingInput, match="table"):
        spec_of(lambda: flows.total())  # type: ignore[call-arg] # noqa: PLW0108 - called empty
    with pytest.raises(UnknownInput, match="rowz"):
        spec_of(lambda: flows.make(rowz=1))  # type: ignore[call-arg]


def test_outputs_cannot_be_computed_with_while_writing() -> None:
    def compares() -> None:
        if flows.shout("a"):
            pass

    def prints() -> None:
        flows.shout(f"{flows.make()}")

    def loops() -> None:
        for _ in flows.make().Output:
            pass

    def guesses() -> None:
        flows.split(flows.make()).trainn  # type: ignore[attr-defined] # noqa: B018

    for function, words in (
        (compares, "If"),
        (prints, "step"),
        (loops, "not known yet"),
        (guesses, "Did you mean 'train'"),
    ):
        with pytest.raises(BadPipeline) as told:
            spec_of(function)
        assert words in str(told.value)


def test_a_list_of_artifacts_is_refused() -> None:
    def lists() -> None:
        flows.draw_all([flows.make()])  # type: ignore[list-item]

    with pytest.raises(WrongType, match="holds artifacts"):
        spec_of(lists)


def test_if_and_operation_stand_in_pipelines_only() -> None:
    with pytest.raises(BadPipeline, match="@pipeline"), If(True):
        pass
    with pytest.raises(BadPipeline, match="@pipeline"):
        operation("x")(a=1)

    def empty() -> None:
        with If(flows.draw_flag() == True):  # noqa: E712
            pass

    with pytest.raises(BadPipeline, match="no steps"):
        spec_of(empty)


def test_a_pipeline_calls_steps_and_returns_their_outputs() -> None:
    with pytest.raises(BadPipeline, match="calls no step"):
        spec_of(lambda: None)

    def constant() -> int:
        flows.make()
        return 5

    with pytest.raises(BadPipeline, match="not an output"):
        spec_of(constant)


def test_tasks_may_wait_without_taking_anything() -> None:
    def ordered() -> None:
        first = flows.make()
        flows.shout("a").after(first).named("Later")  # type: ignore[attr-defined]

    dag = spec_of(ordered).root.dag
    assert dag is not None
    assert dag.tasks["shout"].dependent_tasks == ["make"]
    assert dag.tasks["shout"].task_info is not None
    assert dag.tasks["shout"].task_info.name == "Later"


def test_equal_components_are_one() -> None:
    def twice() -> None:
        flows.shout("a")
        flows.shout("b")
        flows.make(1)
        flows.make(2)

    spec = spec_of(twice)
    assert list(spec.components) == ["comp-shout", "comp-make", "comp-make-2"]
    assert list(spec.deployment_spec.executors) == ["exec-shout", "exec-make"]
    assert spec.root.dag is not None
    assert list(spec.root.dag.tasks) == ["shout", "shout-2", "make", "make-2"]


def test_the_source_goes_with_what_it_uses_and_nothing_else() -> None:
    source = source_of(flows.shout.function)
    assert "def scaled" in source.text
    assert "FACTOR = 3" in source.text
    assert "pandas" not in source.text
    assert "athanor" not in source.text
    lines = pathlib.Path(flows.__file__).read_text().splitlines()
    for here, there in source.lines:
        first = source.text.splitlines()[here - 1]
        assert lines[there - 1] == first or first.startswith(("import", "from"))


def test_own_modules_go_along(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "mine_along"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "deep.py").write_text("from . import more\n\n\ndef deep() -> int:\n    return 1\n")
    (package / "more.py").write_text("NUMBER = 2\n")
    (tmp_path / "flow_along.py").write_text(
        textwrap.dedent(
            """
            import json

            from athanor import pipeline, step
            from mine_along.deep import deep


            @step(retries=1)
            def one() -> int:
                return deep()


            @pipeline
            def flow() -> int:
                return one()


            @pipeline
            def other() -> int:
                return one()


            if __name__ == "__main__":
                raise SystemExit("not here")
            """
        )
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BadPipeline, match="2 pipelines"):
        load_document(str(tmp_path / "flow_along.py"))
    spec = load_document(f"{tmp_path / 'flow_along.py'}:flow").spec
    container = spec.deployment_spec.executors["exec-one"].container
    assert container is not None
    assert container.command[-1].startswith("from mine_along.deep import deep")
    assert "json" not in container.command[-1]
    assert "mine_along/more.py" in container.args[-1]


def test_what_cannot_go_along_is_refused() -> None:
    number = 3

    def closure() -> int:
        return number

    for function, words in (
        (closure, "number"),
        (lambda: 1, "lambda"),
        (len, "not a function"),
    ):
        with pytest.raises(StepWithoutSource, match=words):
            source_of(function)


def test_files_that_are_no_pipeline_are_refused(tmp_path: pathlib.Path) -> None:
    for name, text, words in (
        ("a.py", "x = (", "Python"),
        ("b.py", "x = 1", "no pipeline"),
        ("c.py", "import not_there_at_all", "not_there_at_all"),
        ("d.yaml", "- 1", "list"),
    ):
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(BadPipeline, match=words):
            load_document(str(path))
    (tmp_path / "e.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadPipeline, match="text"):
        load_document(str(tmp_path / "e.yaml"))
    with pytest.raises(BadPipeline, match="no file"):
        load_document(str(tmp_path / "f.py"))


def test_defaults_are_written_and_checked() -> None:
    def defaults(rows: int = 3, name: str | None = None) -> None:
        flows.make(rows)

    inputs = spec_of(defaults).root.input_definitions
    assert inputs is not None
    assert inputs.parameters["rows"].default_value == 3
    assert inputs.parameters["name"].is_optional

    def wrong(rows: int = "three") -> None:  # type: ignore[assignment]
        flows.make(rows)

    with pytest.raises(WrongType):
        spec_of(wrong)


def test_literals_are_checked() -> None:
    def chooses(how: Literal["fast", "slow"]) -> str:
        return how

    wrapped = step(chooses)
    with pytest.raises(WrongType, match="fast"):
        spec_of(lambda: wrapped("quick"))  # type: ignore[arg-type]


def test_hints_are_read_once_more_where_the_step_runs() -> None:
    assert typing.get_type_hints(flows.split.function)["table"] is pd.DataFrame


def test_a_query_reads_instants_in_utc_wherever_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pa.table({"moment": pa.array([0], pa.timestamp("us", tz="UTC"))})
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        found = sql_step("SELECT CAST(moment AS VARCHAR) AS text, hour(moment) AS hour FROM rows")(
            rows=rows
        )
    finally:
        monkeypatch.undo()
        time.tzset()
    assert found.to_pylist() == [{"text": "1970-01-01 00:00:00+00", "hour": 0}]


MISTAKES = {
    "a forgotten call": ("return count(load)", r"<step load> itself. Call it: load\(...\)"),
    "a Python if": (
        "if count(load()) > 2:\n        load()",
        "Whether <task count> > 2 is not known",
    ),
    "and": ("with If(count(load()) > 1 and True):\n        load()", r"by &, \| and ~"),
    "arithmetic": ("return count(load()) + 1", "TypeError.*compute with it in a step"),
    "an f-string of a table": ('say(f"{load()}")', "an artifact, which can't be put into a text"),
    "a Python loop": ("for one in load():\n        count(one)", "with ParallelFor"),
    "no hint of two results": ("one, two = load()", "-> tuple"),
    "a name that is not there": ("return conut(load())", "NameError.*Correct the line"),
    "pandas outside of a step": ("return count(pd.DataFrame())", "a DataFrame that was made while"),
    "a method of pandas": ("return count(load().dropna())", "has no output 'dropna'"),
    "a value of a loop": (
        "with ParallelFor(['a', 'b']) as item:\n        text = say(item)\n    return count(text)",
        "Collected",
    ),
    "a list of tables": ("return many([load(), load()])", "pass Collected"),
    "nothing passed on": ("return count(nothing())", "gives nothing that could be passed on"),
    "a dataclass": ("return count(Config())", r"dataclasses.asdict"),
    "a wrong kind": ("return say(load())", r"takes a text \(str\), not a table artifact"),
}
"""What newcomers write in a pipeline, and what they are told."""


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_pipeline_is_told_with_its_line(
    tmp_path: pathlib.Path, mistake: str
) -> None:
    body, words = MISTAKES[mistake]
    path = tmp_path / "mistaken.py"
    head = """
        import dataclasses
        import pandas as pd
        from athanor import If, ParallelFor, pipeline, step

        @dataclasses.dataclass
        class Config:
            depth: int = 3

        @step
        def load() -> pd.DataFrame: return pd.DataFrame()
        @step
        def count(rows: pd.DataFrame) -> int: return len(rows)
        @step
        def many(rows: list[pd.DataFrame]) -> int: return len(rows)
        @step
        def say(text: str) -> str: return text
        @step
        def nothing() -> None: ...

        @pipeline
        def mistaken():
    """
    text = textwrap.dedent(head).rstrip() + f"\n    {body}\n"
    path.write_text(text)
    line = text.index(body.splitlines()[0])
    with pytest.raises(BadPipeline, match=words) as told:
        load_document(str(path))
    first = text[:line].count("\n") + 1
    file, number = told.value.details["file"], told.value.details["line"]
    assert file == str(path)
    assert first <= number <= first + body.count("\n")
    assert told.value.message.startswith(f"{path}:{number}: ")


def test_what_a_step_cannot_be_is_told(tmp_path: pathlib.Path) -> None:
    async def asked(n: int) -> int:
        return n

    def yields(n: int) -> typing.Iterator[int]:
        yield n

    class Trainer:
        def train(self, n: int) -> int:
            return n

    for function, words in (
        (asked, "async"),
        (yields, "yields"),
        (Trainer.train, "is a method"),
    ):
        with pytest.raises(BadStep, match=words):
            interface_of(function)
    for place, (setting, words) in enumerate(
        (
            ("retry=2", "Did you mean 'retries'"),
            ("retries='two'", "can't be 'two'.*It takes int"),
            ("timeout='5s'", "can't be '5s'.*It takes float"),
            ("env={'A': 1}", "'env'.*can't be"),
        )
    ):
        path = tmp_path / f"settings_{place}.py"
        path.write_text(f"from athanor import step\n\n@step({setting})\ndef one(): ...\n")
        with pytest.raises(BadStep, match=words) as told:
            load_document(str(path))
        assert told.value.message.startswith(f"{path}:3: ")


def test_outputs_are_had_as_in_kubeflow() -> None:
    @step
    def both(word: str, other: str) -> str:
        return word + other

    @pipeline
    def joined() -> str:
        one: Any = flows.shout("a")
        return both(one.output, one.outputs["Output"])

    inputs = joined.compile().spec.root.dag.tasks["both"].inputs  # type: ignore[union-attr]
    links = [inputs.parameters[name].task_output_parameter for name in ("word", "other")]  # type: ignore[union-attr]
    assert [(link.producer_task, link.output_parameter_key) for link in links if link] == [
        ("shout", "Output")
    ] * 2


def test_a_pipeline_is_submitted_from_python_with_its_inputs() -> None:
    made = flows.sums.submission({"rows": 4}, artifacts={"table": "dataset:churn@1"})
    assert made.spec is not None
    assert made.spec["pipelineInfo"]["name"] == flows.sums.name
    assert (made.parameters, made.artifacts) == ({"rows": 4}, {"table": "dataset:churn@1"})
    client = PipelinesClient(typing.cast("Any", None))  # which nobody asks
    with pytest.raises(BadPipeline, match="submit"):
        client.submit(typing.cast("Any", flows.sums))
