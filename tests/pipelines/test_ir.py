"""Specifications as text."""

import contextlib
import types
import typing
from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from athanor.pipelines.errors import BadPipeline, BadSpecFile
from athanor.pipelines.ir.mending import mend_items
from athanor.pipelines.ir.spec import Document, PipelineSpec
from athanor.pipelines.ir.text import plain, read_document, read_spec, write_document
from athanor.testing.pipelines import yaml_of
from tests.pipelines import flows

FLOWS = [flows.sums, flows.kinds, flows.branching, flows.registering, flows.long_work]


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_what_is_written_is_read_back(flow: Any) -> None:
    document = flow.compile()
    text = write_document(document)
    assert read_document(text) == document
    assert write_document(read_document(text)) == text


JSON = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3) | st.just([{"a": 1.5}])


def records(kind: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of a field's type, records of the protocol included."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return JSON
    if kind is msgspec.UnsetType:
        return st.just(msgspec.UNSET)
    if origin in {typing.Union, types.UnionType}:
        return st.one_of([records(item, depth) for item in inner])
    if origin is typing.Literal:
        return st.sampled_from(inner)
    if origin is list:
        return st.lists(records(inner[0], depth), max_size=2 - min(depth, 2) // 2)
    if origin is dict:
        return st.dictionaries(st.text(max_size=3), records(inner[1], depth), max_size=2)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        hints = typing.get_type_hints(kind)
        fields = {name: records(hint, depth + 1) for name, hint in hints.items()}
        return st.fixed_dictionaries({}, optional=fields).map(lambda given: kind(**given))
    return st.floats(-9, 9) if kind is float else st.from_type(kind)


@given(records(PipelineSpec))
def test_every_specification_survives(spec: PipelineSpec) -> None:
    assert read_spec(msgspec.json.decode(msgspec.json.encode(spec))) == spec
    assert plain(read_spec(plain(spec))) == plain(spec)


FULL = """
components:
  comp-loop:
    dag:
      outputs:
        parameters:
          all:
            valueFromOneof:
              parameterSelectors:
              - {outputParameterKey: Output, producerSubtask: a}
      tasks:
        a:
          cachingOptions: {cacheKey: mine, enableCache: true}
          componentRef: {name: comp-a}
          iteratorPolicy: {parallelismLimit: 2}
          parameterIterator:
            itemInput: x
            items: {raw: '["a", "b"]'}
          retryPolicy:
            backoffDuration: 5s
            backoffFactor: 2.0
            backoffMaxDuration: 3600s
            maxRetryCount: 3
          triggerPolicy:
            condition: inputs.parameter_values['x'] == 'a'
            strategy: ALL_UPSTREAM_TASKS_COMPLETED
  comp-a:
    executorLabel: exec-a
    inputDefinitions:
      parameters:
        x: {defaultValue: 0.0, isOptional: true, parameterType: NUMBER_DOUBLE}
        y: {defaultValue: '', parameterType: STRING}
deploymentSpec:
  executors:
    exec-a:
      container:
        args: ['{{$.inputs.parameters[''x'']}}']
        env:
        - {name: A, value: b}
        image: alpine
        resources:
          accelerator: {count: '1', type: NVIDIA}
          resourceCpuLimit: '2'
    exec-b:
      importer:
        artifactUri: {constant: 's3://x'}
        metadata: {a: [1, null]}
        reimport: true
        typeSchema: {schemaTitle: system.Model, schemaVersion: 0.0.1}
pipelineInfo: {name: full}
root:
  dag:
    tasks: {}
schemaVersion: 2.1.0
sdkVersion: kfp-2.17.0
---
platforms:
  kubernetes:
    deploymentSpec:
      executors:
        exec-a:
          secretAsEnv:
          - secretName: s
    pipelineConfig:
      workspace:
        size: 1Gi
"""


def test_features_that_are_not_executed_here_survive_all_the_same() -> None:
    first, second = yaml.safe_load_all(FULL)
    first["root"]["dag"].pop("tasks")
    written = list(yaml.safe_load_all(write_document(read_document(FULL))))
    assert written == [first, second]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("- a\n- b\n", "list"),
        ("just words", "str"),
        ("a: [1, 2", "line"),
        ("root: {dag: {tasks: 5}}", "root.dag.tasks"),
        ("pipelineInfo: {name: 3}", "pipelineInfo.name"),
        ("componentz: {}", "componentz"),
        ("root: {dag: {tasks: {a: {triggerPolicy: {strategy: SOMETIMES}}}}}", "SOMETIMES"),
        ("a: 1\n---\nb: 2\n", "unknown field"),
        ("a: &a [*a]\n", "can't|unknown|itself"),
        ("!!python/object:os.system {}", "could not determine|can't|constructor"),
        ("\x00", "can't|not allowed|special"),
    ],
)
def test_bad_texts_are_told_by_place(text: str, words: str) -> None:
    with pytest.raises(BadSpecFile, match=words) as told:
        read_document(text, "x.yaml")
    assert str(told.value).startswith("x.yaml is not a Kubeflow Pipelines v2 specification")


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(BadPipeline):
        read_document(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["root", "dag", "tasks", "components", "inputs", "pipelineInfo", "a"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
def test_no_data_breaks_the_reader(data: object) -> None:
    with contextlib.suppress(BadSpecFile):
        read_spec(data)


def test_a_second_pipeline_in_one_text_is_refused() -> None:
    text = yaml_of(flows.sums)
    with pytest.raises(BadSpecFile, match="more than one"):
        read_document(text + "\n---\n" + text)


def test_the_source_can_be_read_in_the_text() -> None:
    text = yaml_of(flows.kinds)
    (spec,) = yaml.safe_load_all(text)
    source = spec["deploymentSpec"]["executors"]["exec-shout"]["container"]["command"][-1]
    assert "def scaled(number: int) -> int:\n    return number * FACTOR" in source
    assert "FACTOR = 3" in source
    assert "warnings.filterwarnings" in source
    assert "athanor" not in source
    assert "@step" not in source
    assert Path(flows.__file__).name in text
    assert isinstance(read_document(text), Document)


def test_whole_numbers_that_kubeflow_writes_as_fractions_are_whole_again() -> None:
    inputs = {"parameters": {"l": {"parameterType": "LIST", "defaultValue": [1.0, {"a": 2.5}]}}}
    data = {"pipelineInfo": {"name": "p"}, "root": {"inputDefinitions": inputs}}
    theirs, ours = (read_spec({**data, "sdkVersion": sdk}) for sdk in ("kfp-2.17.0", "athanor-1"))
    assert [repr(default_of(spec)) for spec in (theirs, ours)] == [
        "[1, {'a': 2.5}]",
        "[1.0, {'a': 2.5}]",
    ]


def default_of(spec: PipelineSpec) -> Any:
    """The default of the input `l`."""
    assert spec.root.input_definitions is not None
    return spec.root.input_definitions.parameters["l"].default_value


def test_a_loops_item_in_a_text_comes_from_the_loop() -> None:
    """Kubeflow's compiler hands such items in from outside, where nothing has them."""
    item, field = (
        "pipelinechannel--loop-item-param-2",
        "pipelinechannel--loop-item-param-2-subvar-a",
    )
    nowhere = {"componentInputParameter": "loop-item-param-2-subvar-a"}
    data: dict[str, Any] = {
        "components": {
            "comp-condition-1": {
                "dag": {
                    "tasks": {
                        "for-loop-2": {
                            "componentRef": {"name": "comp-for-loop-2"},
                            "inputs": {"parameters": {field: {"componentInputParameter": field}}},
                            "parameterIterator": {"itemInput": item},
                        }
                    }
                },
                "inputDefinitions": {"parameters": {field: {"parameterType": "STRING"}}},
            },
            "comp-for-loop-2": {
                "dag": {
                    "tasks": {
                        "echo": {
                            "inputs": {"parameters": {field: {"componentInputParameter": field}}}
                        }
                    }
                },
                "inputDefinitions": {"parameters": {field: {"parameterType": "STRING"}}},
            },
        },
        "root": {
            "dag": {
                "tasks": {
                    "condition-1": {
                        "componentRef": {"name": "comp-condition-1"},
                        "inputs": {"parameters": {field: nowhere}},
                    }
                }
            }
        },
    }
    mend_items(data)
    inner = data["components"]["comp-for-loop-2"]
    assert data["components"]["comp-condition-1"]["inputDefinitions"]["parameters"] == {}
    assert inner["inputDefinitions"]["parameters"] == {item: {"parameterType": "STRUCT"}}
    assert inner["dag"]["tasks"]["echo"]["inputs"]["parameters"][field] == {
        "componentInputParameter": item,
        "parameterExpressionSelector": 'parseJson(string_value)["a"]',
    }
    again = deepcopy(data)
    mend_items(again)
    assert again == data
