"""Pipelines that were written for Kubeflow run unmodified: loops, branches, commands, importers."""

from pathlib import Path
from typing import Any

import pytest

from athanor.kernel import OWNER
from athanor.pipelines import PipelineRun, Submission, Task, pipeline
from athanor.testing.pipelines import Room
from tests.pipelines.corpus import tables
from tests.pipelines.kubeflow import (
    command,
    component,
    constant,
    dag,
    document,
    function,
    made,
    outer,
    output,
    task,
)

DOUBLE = component("double", inputs={"num": "NUMBER_INTEGER"}, outputs={"Output": "NUMBER_INTEGER"})
TOTAL = component("total", inputs={"nums": "LIST"}, outputs={"Output": "NUMBER_INTEGER"})
EXECUTORS = {
    "double": function("double", "def double(num: int) -> int:\n    return 2 * num\n"),
    "total": function("total", "def total(nums: List[int]) -> int:\n    return sum(nums)\n"),
}


def run(room: Room, text: str, **parameters: Any) -> PipelineRun:
    submitted = room.pipelines.submit(
        OWNER, Submission(yaml=text, parameters=parameters, cache=False)
    )
    return room.finished(submitted, 120)


def steps(done: PipelineRun) -> dict[str, Task]:
    return {found.name: found for found in done.tasks if found.kind != "dag"}


def loop(items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"parameterIterator": {"itemInput": "item", "items": items}, **more}


def collecting(body: dict[str, Any], **root: Any) -> str:
    """A loop over `body`, whose outputs are added up."""
    return document(
        dag(
            {
                "for-loop-1": task("loop", **root),
                "total": task("total", "for-loop-1", wired={"nums": output("for-loop-1", "all")}),
            },
            given={
                "parameters": {
                    name: {
                        "valueFromParameter": {"producerSubtask": who, "outputParameterKey": key}
                    }
                    for name, who, key in (
                        ("Output", "total", "Output"),
                        ("each", "for-loop-1", "all"),
                    )
                }
            },
            inputs={"numbers": {"parameterType": "LIST", "defaultValue": [1, 2, 3]}},
            outputs={"Output": "NUMBER_INTEGER", "each": "LIST"},
        ),
        {"loop": body, "double": DOUBLE, "total": TOTAL, "big": BIG},
        EXECUTORS,
    )


GIVEN = {
    "parameters": {
        "all": {"valueFromParameter": {"producerSubtask": "double", "outputParameterKey": "Output"}}
    }
}
BODY = dag(
    {"double": task("double", wired={"num": outer("item")})},
    given=GIVEN,
    inputs={"item": "NUMBER_INTEGER"},
    outputs={"all": "NUMBER_INTEGER"},
)
BIG = dag(
    {"double": task("double", wired={"num": outer("item")})},
    given=GIVEN,
    inputs={"item": "NUMBER_INTEGER"},
    outputs={"all": "LIST"},
)


def test_a_loop_over_constants_collects_in_order(room: Room) -> None:
    done = run(room, collecting(BODY, **loop({"raw": "[3, 1, 2]"})))
    assert (done.state, done.outputs) == ("done", {"Output": 12, "each": [6, 2, 4]})
    assert {"for-loop-1/0/double", "for-loop-1/2/double"} < steps(done).keys()


@pytest.mark.parametrize("numbers", [[], [5], list(range(7))])
def test_a_loop_over_a_value_is_as_long_as_it(room: Room, numbers: list[int]) -> None:
    text = collecting(
        BODY,
        **loop({"inputParameter": "over"}, iteratorPolicy={"parallelismLimit": 2}),
        wired={"over": outer("numbers")},
    )
    done = run(room, text, numbers=numbers)
    assert done.outputs == {"Output": 2 * sum(numbers), "each": [2 * item for item in numbers]}


def test_iterations_whose_condition_is_false_are_left_out(room: Room) -> None:
    condition = "int(inputs.parameter_values['item']) >= 2"
    body = dag(
        {
            "only-big": task(
                "big",
                wired={"item": outer("item")},
                triggerPolicy={"condition": condition},
            )
        },
        given={
            "parameters": {
                "all": {
                    "valueFromParameter": {
                        "producerSubtask": "only-big",
                        "outputParameterKey": "all",
                    }
                }
            }
        },
        inputs={"item": "NUMBER_INTEGER"},
        outputs={"all": "LIST"},
    )
    done = run(room, collecting(body, **loop({"raw": "[1, 2, 3]"})))
    assert done.outputs == {"Output": 10, "each": [4, 6]}


def test_what_is_no_list_is_said_so(room: Room) -> None:
    text = collecting(BODY, **loop({"inputParameter": "over"}), wired={"over": constant("five")})
    done = run(room, text)
    assert done.state == "failed"
    assert done.error is not None
    assert "no list" in done.error["message"]


def test_an_exit_task_is_told_how_it_ended_and_the_run_has_failed(room: Room) -> None:
    body = "def tell(status: PipelineTaskFinalStatus) -> str:\n    return status.state\n"
    text = document(
        dag(
            {
                "work": task("fail"),
                "tell": task(
                    "tell",
                    "work",
                    wired={"status": {"taskFinalStatus": {"producerTask": "work"}}},
                    triggerPolicy={"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
                ),
            }
        ),
        {
            "fail": component("fail"),
            "tell": component(
                "tell",
                inputs={"status": {"parameterType": "TASK_FINAL_STATUS", "isOptional": True}},
                outputs={"Output": "STRING"},
            ),
        },
        {
            "fail": function("fail", "def fail():\n    raise ValueError('no')\n"),
            "tell": function("tell", body),
        },
    )
    done = run(room, text)
    assert done.state == "failed"
    assert steps(done)["tell"].outputs == {"Output": "FAILED"}
    assert "ValueError: no" in str(steps(done)["work"].error)


def test_artifacts_keep_their_content_metadata_and_lists(room: Room) -> None:
    make = (
        "def make(num: int, out: Output[Dataset]):\n"
        "    out.metadata['rows'] = num\n"
        "    with open(out.path, 'w') as stream:\n        stream.write('x' * num)\n"
    )
    count = (
        "def count(given: Input[List[Dataset]]) -> dict:\n"
        "    return {'sizes': [len(open(one.path).read()) for one in given],\n"
        "            'rows': [one.metadata['rows'] for one in given],\n"
        "            'kinds': [type(one).__name__ for one in given]}\n"
    )
    text = document(
        dag(
            {
                "for-loop-1": task("loop", **loop({"raw": "[2, 5]"})),
                "count": task("count", artifacts={"given": made("for-loop-1", "all")}),
            }
        ),
        {
            "loop": dag(
                {"make": task("make", wired={"num": outer("item")})},
                given={
                    "artifacts": {
                        "all": {
                            "artifactSelectors": [
                                {"producerSubtask": "make", "outputArtifactKey": "out"}
                            ]
                        }
                    }
                },
                inputs={"item": "NUMBER_INTEGER"},
                outputs={"all": "system.Dataset[]"},
            ),
            "make": component(
                "make", inputs={"num": "NUMBER_INTEGER"}, outputs={"out": "system.Dataset"}
            ),
            "count": component(
                "count", inputs={"given": "system.Dataset[]"}, outputs={"Output": "STRUCT"}
            ),
        },
        {"make": function("make", make), "count": function("count", count)},
    )
    done = run(room, text)
    assert steps(done)["count"].outputs["Output"] == {
        "sizes": [2, 5],
        "rows": [2, 5],
        "kinds": ["Dataset", "Dataset"],
    }


def test_an_artifact_that_a_function_returns_keeps_its_content_and_metadata(room: Room) -> None:
    make = (
        "def make(data: str) -> Dataset:\n"
        "    found = Dataset(uri=dsl.get_uri(), metadata={'length': len(data)})\n"
        "    with open(found.path, 'w') as stream:\n        stream.write(data)\n"
        "    return found\n"
    )
    look = (
        "def look(given: Dataset) -> str:\n"
        "    return open(given.path).read() + str(given.metadata['length'])\n"
    )
    text = document(
        dag(
            {
                "make": task("make", wired={"data": constant("abc")}),
                "look": task("look", artifacts={"given": made("make", "Output")}),
            }
        ),
        {
            "make": component(
                "make", inputs={"data": "STRING"}, outputs={"Output": "system.Dataset"}
            ),
            "look": component(
                "look", inputs={"given": "system.Dataset"}, outputs={"Output": "STRING"}
            ),
        },
        {"make": function("make", make), "look": function("look", look)},
    )
    done = run(room, text)
    assert done.state == "done", done.error
    assert steps(done)["look"].outputs == {"Output": "abc3"}


def test_commands_run_on_this_machine_with_their_placeholders(room: Room) -> None:
    script = (
        'mkdir -p "$(dirname "$1")" && printf "%s" "$0" > "$1" '
        '&& mkdir -p "$(dirname "$2")" && echo data > "$2"'
    )
    text = document(
        dag(
            {
                "write": task("write", wired={"text": constant("n = {{$.pipeline_task_name}}")}),
                "read": task("read", artifacts={"data": made("write", "data")}),
            }
        ),
        {
            "write": component(
                "write",
                inputs={"text": "STRING"},
                outputs={"said": "STRING", "data": "system.Artifact"},
            ),
            "read": component("read", inputs={"data": "system.Artifact"}),
        },
        {
            "write": command(
                *("sh", "-c", script, "{{$.inputs.parameters['text']}}"),
                args=(
                    "{{$.outputs.parameters['said'].output_file}}",
                    "{{$.outputs.artifacts['data'].path}}",
                ),
            ),
            "read": command("cat", "{{$.inputs.artifacts['data'].path}}"),
        },
    )
    done = run(room, text)
    assert done.state == "done", done.error
    assert steps(done)["write"].outputs == {"said": "n = write"}
    assert room.pipelines.logs(OWNER, done.id, "read") == "data\n"


def test_a_command_that_is_not_here_is_named_with_its_image(room: Room) -> None:
    text = document(
        dag({"only": task("only")}),
        {"only": component("only")},
        {"only": command("gsutil-of-nobody", "cat")},
    )
    done = run(room, text)
    assert done.error is not None
    assert "gsutil-of-nobody" in done.error["message"]
    assert "alpine" in str(steps(done)["only"].error)


def test_what_a_step_returned_is_never_taken_for_a_placeholder(room: Room) -> None:
    sly = "def sly() -> str:\n    return \"{{$.inputs.parameters['secret']}}\"\n"
    echo = "def echo(text: str, secret: str) -> str:\n    return text\n"
    text = document(
        dag(
            {
                "sly": task("sly"),
                "echo": task("echo", wired={"text": output("sly"), "secret": constant("hidden")}),
            }
        ),
        {
            "sly": component("sly", outputs={"Output": "STRING"}),
            "echo": component(
                "echo", inputs={"text": "STRING", "secret": "STRING"}, outputs={"Output": "STRING"}
            ),
        },
        {"sly": function("sly", sly), "echo": function("echo", echo)},
    )
    done = run(room, text)
    assert steps(done)["echo"].outputs == {"Output": "{{$.inputs.parameters['secret']}}"}


def test_an_importer_notes_what_lies_elsewhere(room: Room) -> None:
    look = (
        "def look(given: Input[Dataset]) -> str:\n"
        "    return given.uri + ' ' + str(given.metadata['year'])\n"
    )
    text = document(
        dag(
            {
                "importer": task("importer", wired={"uri": constant("gs://bucket/data.csv")}),
                "look": task("look", artifacts={"given": made("importer", "artifact")}),
            }
        ),
        {
            "importer": component(
                "importer", inputs={"uri": "STRING"}, outputs={"artifact": "system.Dataset"}
            ),
            "look": component(
                "look", inputs={"given": "system.Dataset"}, outputs={"Output": "STRING"}
            ),
        },
        {
            "importer": {
                "importer": {
                    "artifactUri": {"runtimeParameter": "uri"},
                    "typeSchema": {"schemaTitle": "system.Dataset"},
                    "metadata": {"year": 2026},
                }
            },
            "look": function("look", look),
        },
    )
    done = run(room, text)
    assert steps(done)["look"].outputs == {"Output": "gs://bucket/data.csv 2026"}


def test_the_platforms_own_environment_stays_as_it_is(room: Room, tmp_path: Path) -> None:
    text = document(
        dag({"only": task("only")}),
        {"only": component("only", outputs={"Output": "LIST"})},
        {
            "only": command(
                *(
                    "sh",
                    "-c",
                    'python3 -c "import sys, json; print(json.dumps(sys.prefix))" > "$0"',
                ),
                args=("{{$.outputs.parameters['Output'].output_file}}",),
            )
        },
    )
    text = text.replace("parameterType: LIST", "parameterType: STRING")
    done = run(room, text)
    assert done.state == "done", done.error
    prefix = steps(done)["only"].outputs["Output"]
    assert str(room.folder) in prefix or str(tmp_path) in prefix


@pytest.mark.soak
def test_a_step_that_fails_in_an_environment_of_its_own_says_where(room: Room) -> None:
    body = "def only():\n    import six\n    raise ValueError('cell \x1b[31m4\x1b[0m broke')\n"
    text = document(
        dag({"only": task("only")}),
        {"only": component("only")},
        {"only": function("only", body, packages="'six==1.16.0'")},
    )
    done = run(room, text)
    assert done.error is not None
    assert "failed at <only>:9: ValueError: cell 4 broke" in done.error["message"]


def test_a_table_has_one_digest_however_it_was_written(room: Room) -> None:
    body = (
        "def made(out: Output[Dataset]):\n    import pandas as pd\n"
        "    pd.DataFrame({'name': ['n0', 'n1'], 'size': range(2)}).to_parquet(out.path)\n"
    )
    text = document(
        dag(
            {"made": task("made")},
            given={
                "artifacts": {
                    "Output": {
                        "artifactSelectors": [
                            {"producerSubtask": "made", "outputArtifactKey": "out"}
                        ]
                    }
                }
            },
            outputs={"Output": "system.Dataset"},
        ),
        {"made": component("made", outputs={"out": "system.Dataset"})},
        {"made": function("made", body)},
    )
    theirs = run(room, text)
    ours = room.run(returned_table)
    assert theirs.state == ours.state == "done", (theirs.error, ours.error)
    assert theirs.outputs["Output"]["type"] == "table"
    assert theirs.outputs["Output"]["digest"] == ours.outputs["Output"]["digest"]


@pipeline
def returned_table() -> object:
    return tables.made(2)
