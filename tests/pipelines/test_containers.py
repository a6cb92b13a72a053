"""What a Kubeflow container's command says, and what its placeholders stand for."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from athanor.pipelines.errors import BadSelector, UnknownPlaceholder
from athanor.pipelines.ir.spec import ContainerSpec
from athanor.pipelines.ir.text import read_document
from athanor.pipelines.logic.containers import command_line, read_lightweight
from athanor.pipelines.logic.placeholders import fill, names_of, select
from athanor.pipelines.logic.platforms import settings_of, with_platform
from tests.pipelines.kubeflow import RUNTIME, component, dag, document, function, task

SOURCE = "def f() -> int:\n    return 1\n"


def container(packages: str) -> ContainerSpec:
    found = function("f", SOURCE, packages)["container"]
    return ContainerSpec(image=found["image"], command=found["command"], args=found["args"])


@pytest.mark.parametrize(
    ("packages", "wanted", "options"),
    [
        (RUNTIME, [], []),
        ("'kfp[all]>=2.1' 'pandas==2.2' 'numpy<3; python_version<\"3.13\"'", None, []),
        (
            "--index-url https://a/simple --trusted-host https://a/simple 'yapf'",
            ["yapf"],
            ["--index-url", "https://a/simple", "--trusted-host", "https://a/simple"],
        ),
        (f"{RUNTIME} && python3 -m pip install 'dill==0.3.7' 'kfp-pipeline-spec'", None, []),
    ],
)
def test_packages_are_read_from_the_command(
    packages: str, wanted: list[str] | None, options: list[str]
) -> None:
    found = read_lightweight(container(packages))
    assert found is not None
    assert found.function == "f"
    if wanted is not None:
        assert (found.packages, found.options) == (wanted, options)
    assert not [name for name in found.packages if name.startswith("kfp")]


def test_another_command_is_no_function() -> None:
    spec = ContainerSpec(image="x", command=["python3", "-m", "kfp.dsl.executor_main"])
    assert read_lightweight(spec) is None
    assert read_lightweight(ContainerSpec(image="x", command=["echo", "def f"])) is None


GIVEN: dict[str, Any] = {
    "inputs": {
        "parameterValues": {"a": "x y", "n": 3.0, "l": [1, "b"]},
        "artifacts": {"d": {"artifacts": [{"uri": "/tmp/d", "metadata": {"rows": 4}}]}},
    },
    "outputs": {
        "parameters": {"o": {"outputFile": "/out/o"}},
        "artifacts": {"m": {"artifacts": [{"uri": "/out/m"}]}},
        "outputFile": "/out/executor.json",
    },
    "known": {".pipeline_job_id": "j"},
}


@pytest.mark.parametrize(
    ("words", "filled"),
    [
        (["echo", "{{$.inputs.parameters['a']}}!"], ["echo", "x y!"]),
        (["{{$.inputs.parameters['n']}}", '{{$.inputs.parameters["l"]}}'], ["3", '[1, "b"]']),
        (["{{$.inputs.artifacts['d'].path}}"], ["/tmp/d"]),
        (["{{$.inputs.artifacts['d'].metadata['rows']}}"], ["4"]),
        (
            ["{{$.inputs.artifacts['d']}}"],
            ['[{"uri": "/tmp/d", "metadata": {"rows": 4}}]'],
        ),
        (["{{$.outputs.parameters['o'].output_file}}", "{{$.outputs.output_file}}"], None),
        (['{"Concat": ["p-", "{{$.inputs.parameters[\'a\']}}"]}'], ["p-x y"]),
        (
            ['{"IfPresent": {"InputName": "a", "Then": ["--a", "1"], "Else": ["no"]}}'],
            ["--a", "1"],
        ),
        (['{"IfPresent": {"InputName": "z", "Then": ["--z"]}}', "end"], ["end"]),
        (['{"plain": "json"}'], ['{"plain": "json"}']),
    ],
)
def test_placeholders_of_a_command(words: list[str], filled: list[str] | None) -> None:
    got = command_line(ContainerSpec(image="x", command=words), GIVEN)
    assert got == (filled or ["/out/o", "/out/executor.json"])


def test_an_unknown_placeholder_is_named() -> None:
    with pytest.raises(UnknownPlaceholder, match="outputs"):
        command_line(ContainerSpec(command=["{{$.outputs.parameters['q'].output_file}}"]), GIVEN)


@given(st.text(), st.text())
def test_values_are_not_filled_a_second_time(first: str, second: str) -> None:
    find = names_of({"a": first + "{{$.inputs.parameters['b']}}", "b": second}, {})
    assert (
        fill("<{{$.inputs.parameters['a']}}>", find) == f"<{first}{{{{$.inputs.parameters['b']}}}}>"
    )


@pytest.mark.parametrize(
    ("value", "selector", "picked"),
    [
        ({"a": {"b": [1, 2]}}, 'parseJson(string_value)["a"]["b"][1]', 2),
        (json.dumps({"a": "x"}), 'parseJson(string_value)["a"]', "x"),
        ([{"a": None}], 'parseJson(string_value)[0]["a"]', None),
    ],
)
def test_a_selector_picks(value: Any, selector: str, picked: Any) -> None:
    assert select(value, selector, "Task 't'") == picked


@pytest.mark.parametrize(
    ("value", "selector"),
    [
        ({"a": 1}, 'parseJson(string_value)["b"]'),
        ("no json", 'parseJson(string_value)["b"]'),
        ({"a": 1}, "__import__('os')"),
        ([1], "parseJson(string_value)[4]"),
    ],
)
def test_a_selector_that_picks_nothing_is_said_so(value: Any, selector: str) -> None:
    with pytest.raises(BadSelector, match="Task 't'"):
        select(value, selector, "Task 't'")


def test_pod_metadata_becomes_variables_of_the_step() -> None:
    text = document(
        dag({"only": task("only")}), {"only": component("run")}, {"run": function("f", SOURCE)}
    )
    fields = [
        {"name": "NOTE", "fieldPath": "metadata.annotations['note']"},
        {"name": "NONE", "fieldPath": "metadata.labels['none']"},
    ]
    settings = {"podMetadata": {"annotations": {"note": "seen"}}, "fieldPathAsEnv": fields}
    platforms = {"kubernetes": {"deploymentSpec": {"executors": {"run": settings}}}}
    whole = f"{text}---\n{yaml.safe_dump({'platforms': platforms})}"
    found = with_platform(read_document(whole)).deployment_spec.executors["run"].container
    assert found is not None
    assert [(item.name, item.value) for item in found.env] == [("NOTE", "seen"), ("NONE", "")]


@pytest.mark.parametrize(
    "source",
    [
        {"taskOutputParameter": {"producerTask": "make", "outputParameterKey": "name"}},
        {"componentInputParameter": "claim"},
    ],
)
def test_a_claim_is_mounted_as_earlier_compilers_named_it(source: dict[str, Any]) -> None:
    text = document(
        dag({"only": task("only")}), {"only": component("run")}, {"run": function("f", SOURCE)}
    )
    mounts = [{"mountPath": "/data", **source}]
    platforms = {"kubernetes": {"deploymentSpec": {"executors": {"run": {"pvcMount": mounts}}}}}
    whole = f"{text}---\n{yaml.safe_dump({'platforms': platforms})}"
    (mount,) = settings_of(with_platform(read_document(whole)).components["only"])["pvcMount"]
    assert mount["pvcNameParameter"] == source
