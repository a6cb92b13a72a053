"""Pipelines of Kubeflow's SDK with what its backend would give.

python pipelines.py FOLDER compiles all of them into the folder, with their wants in cases.json.
"""

# Kubeflow's SDK lives in an environment of its own, and a component brings its imports along.
# ruff: noqa: ANN201, B006, E741, F401, FBT002, PLC0415, PTH123, SIM117, UP006, UP014, UP035, UP045
# mypy: ignore-errors

import json
import pathlib
import sys
from typing import Any, Dict, List, NamedTuple, Optional

from kfp import compiler, dsl
from kfp.dsl import Dataset, Input, Model, Output

CASES: Dict[str, Any] = {}


def case(given: Dict[str, Any], want: Dict[str, Any]) -> Any:
    def keep(pipeline: Any) -> Any:
        CASES[pipeline.name] = (pipeline, given, want)
        return pipeline

    return keep


@dsl.component
def add(a: int, b: int = 1) -> int:
    return a + b


@dsl.component
def echo(text: str) -> str:
    return text


@dsl.component
def shown(items: list) -> str:
    import json

    return json.dumps(items)


@dsl.component
def picked(items: list, place: int) -> int:
    return list(range(10))[items[place]]


@dsl.component
def deep(x: dict) -> int:
    return x["a"]["b"] + x["l"][0] + len(x["l"][1])


@dsl.component
def made(text: str, out: Output[Dataset]):
    with open(out.path, "w") as stream:
        stream.write(text)
    out.metadata["n"] = len(text)


@dsl.component
def read(data: Input[Dataset]) -> str:
    return f"{open(data.path).read()}|{data.metadata.get('n')}|{type(data).__name__}"


@dsl.component
def read_all(data: Input[List[Dataset]]) -> str:
    return ",".join(open(one.path).read() for one in data)


@case({}, {"Output": 2})
@dsl.pipeline
def whole_numbers_in_a_default(items: list = [1, 2, 3]) -> int:
    return picked(items=items, place=1).output


@case({}, {"Output": 5})
@dsl.pipeline
def outputs_inside_of_a_constant() -> int:
    n = add(a=1)
    return deep(x={"a": {"b": n.output}, "l": [n.output, echo(text="t").output]}).output


@case({}, {"Output": '3 x 2.5 true [1, 2] {"a": 1}'})
@dsl.pipeline
def values_in_a_text(
    i: int = 3, s: str = "x", f: float = 2.5, b: bool = True, l: list = [1, 2], d: dict = {"a": 1}
) -> str:
    return echo(text=f"{i} {s} {f} {b} {l} {d}").output


@case({}, {"Output": "many|4|Dataset"})
@dsl.pipeline
def one_of_artifacts(n: int = 5) -> str:
    with dsl.If(n == 1):
        first = made(text="one")
    with dsl.Else():
        second = made(text="many")
    return read(data=dsl.OneOf(first.outputs["out"], second.outputs["out"])).output


@case({}, {"Output": "[3, 4]"})
@dsl.pipeline
def collected_over_skipped() -> str:
    with dsl.ParallelFor([1, 2, 3]) as i:
        with dsl.If(i > 1):
            found = add(a=i)
    return shown(items=dsl.Collected(found.output)).output


@case({}, {"Output": "[[11, 12], [21, 22]]"})
@dsl.pipeline
def nested_loops() -> str:
    with dsl.ParallelFor([10, 20], parallelism=2) as i:
        with dsl.ParallelFor([1, 2], parallelism=1) as j:
            found = add(a=i, b=j)
    return shown(items=dsl.Collected(found.output)).output


@case({"l": [{"a": 1, "b": [1, 2]}, {"a": 3, "b": [4]}]}, {"Output": "[[2, 3], [7]]"})
@dsl.pipeline
def fields_of_items(l: List[dict]) -> str:
    with dsl.ParallelFor(l) as i:
        with dsl.ParallelFor(i.b) as j:
            found = add(a=i.a, b=j)
    return shown(items=dsl.Collected(found.output)).output


@dsl.pipeline
def inner(names: list) -> List[Dataset]:
    with dsl.ParallelFor(names) as i:
        found = made(text=i)
    return dsl.Collected(found.outputs["out"])


@dsl.pipeline
def joined(data: Input[List[Dataset]]) -> str:
    return read_all(data=data).output


@case({}, {"Output": "p,q"})
@dsl.pipeline
def lists_of_artifacts_between_pipelines() -> str:
    return joined(data=inner(names=["p", "q"]).output).output


@case({"s": "x' or True or '"}, {"Output": "else"})
@dsl.pipeline
def a_condition_that_is_no_code(s: str) -> str:
    with dsl.If(s == "a"):
        first = echo(text="if")
    with dsl.Else():
        second = echo(text="else")
    return dsl.OneOf(first.output, second.output)


@dsl.component
def optional(a: Optional[str] = None, b: Optional[int] = None, d: int = 7) -> str:
    return f"{a} {b} {d}"


@case({}, {"Output": "None None 7"})
@dsl.pipeline
def inputs_left_out(a: Optional[str] = None) -> str:
    return optional(a=a).output


@dsl.container_component
def command(name: str, out: dsl.OutputPath(str), greet: Optional[str] = None):
    return dsl.ContainerSpec(
        image="alpine",
        command=["sh", "-c", 'mkdir -p "$(dirname "$0")"; printf "%s" "$*" > "$0"', out],
        args=[
            dsl.ConcatPlaceholder(["--name=", name]),
            dsl.IfPresentPlaceholder(
                input_name="greet", then=["--greet", greet], else_=["--silent"]
            ),
        ],
    )


@case({}, {"Output": "--name=bob --silent", "other": "--name=bob --greet hi"})
@dsl.pipeline
def commands() -> NamedTuple("Given", Output=str, other=str):
    given = NamedTuple("Given", Output=str, other=str)
    first, second = command(name="bob"), command(name="bob", greet="hi")
    return given(first.outputs["out"], second.outputs["out"])


@case({"l": [{"a": 5}, {"a": 6}]}, {"Output": '[["5-x", "5-y"], ["6-x", "6-y"]]'})
@dsl.pipeline
def items_in_texts(l: list, f: str = "x") -> str:
    with dsl.If(f == "x"):
        with dsl.ParallelFor([{"b": 1}, {"b": 2}]) as k:
            echo(text=f"n{k.b}")
    with dsl.ParallelFor(l) as i:
        with dsl.ParallelFor(["x", "y"]) as j:
            found = echo(text=f"{i.a}-{j}")
    return shown(items=dsl.Collected(found.output)).output


@case({}, {"Output": "[]"})
@dsl.pipeline
def an_empty_loop(l: list = []) -> str:
    with dsl.ParallelFor(l) as i:
        found = add(a=i)
    return shown(items=dsl.Collected(found.output)).output


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    told = {}
    for name, (pipeline, given, want) in CASES.items():
        compiler.Compiler().compile(pipeline, str(folder / f"{name}.yaml"))
        told[name] = {"given": given, "want": want}
    (folder / "cases.json").write_text(json.dumps(told))
