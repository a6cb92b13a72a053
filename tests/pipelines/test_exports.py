"""Pipelines in the forms of others: what is exported runs there, and gives the same."""

import json
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pyarrow.parquet
import pytest
from sklearn.linear_model import LogisticRegression

from athanor.kernel import OWNER
from athanor.kernel.environments import environment_with
from athanor.lineage.logic.digests import table_digest
from athanor.pipelines import Pipeline, pipeline, step
from athanor.pipelines.errors import BadPipeline, NotSupportedYet
from athanor.pipelines.exports.airflow import airflow_file
from athanor.pipelines.exports.image import context_of, with_image
from athanor.pipelines.exports.sources import source_of
from athanor.pipelines.ir.spec import Document
from athanor.pipelines.ir.text import plain
from athanor.testing.pipelines import Room
from tests.pipelines import flows
from tests.pipelines.corpus import branches, exits, loops, nested, tables

ROOT = Path(__file__).parents[2]


def _outputs(pipeline: Pipeline[..., Any], place: Path, **parameters: Any) -> Any:
    """What a pipeline gives when the runtime of exported DAG files runs it, task by task."""
    tasks = _runtime()
    spec = plain(pipeline.compile().spec)
    for name in tasks.in_order(spec["root"]["dag"]["tasks"]):
        tasks.run_task(spec, name, parameters, place)
    return _given(pipeline, place)


def _given(pipeline: Pipeline[..., Any], place: Path) -> Any:
    """What lies in the folder of a run."""
    tasks = _runtime()
    spec = plain(pipeline.compile().spec)
    dag = tasks.Dag(spec, spec["root"]["dag"], {"parameters": {}, "artifacts": {}}, place)
    return tasks.outputs(dag)["parameters"]


def _runtime() -> Any:
    tasks = types.ModuleType("exported_tasks")
    exec(source_of("portable_dag"), tasks.__dict__)  # noqa: S102 - as the DAG file does
    return tasks


def test_branches_run_task_by_task(tmp_path: Path) -> None:
    assert _outputs(branches.a_chosen_branch, tmp_path, value=2) == {"Output": "two"}


@pytest.mark.soak
@pytest.mark.parametrize(
    ("pipeline", "gives"),
    [
        (loops.a_loop_in_a_loop, [11, 21, 12, 22]),
        (loops.a_condition_in_a_loop, 14),
        (loops.a_loop_over_a_field, 12),
        (nested.a_pipeline_in_a_loop, 8),
        (exits.an_exit_task_after_success, 8),
        (tables.tables_of_a_loop, 6),
        (tables.a_file, "note.txt: hello"),
    ],
    ids=lambda item: getattr(item, "name", ""),
)
def test_everything_runs_task_by_task(
    pipeline: Pipeline[..., Any], gives: object, tmp_path: Path
) -> None:
    assert _outputs(pipeline, tmp_path) == {"Output": gives}


def test_a_dag_file_is_python_that_names_each_task() -> None:
    text = airflow_file(branches.a_chosen_branch.compile())
    compile(text, "dag.py", "exec")
    assert "task_id='condition-branches-1'" in text
    assert "tasks['number'] >> tasks['condition-branches-1']" in text
    with pytest.raises(NotSupportedYet, match="platform"):
        airflow_file(flows.registering.compile())


@pytest.mark.soak
def test_airflows_own_loader_takes_the_dag_file(tmp_path: Path) -> None:
    python = ROOT / ".venvs" / "airflow" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"Airflow is not installed in {python.parents[1]}")
    (tmp_path / "dags").mkdir()
    for found in (branches.a_chosen_branch, exits.an_exit_task_after_success):
        text = airflow_file(found.compile())
        (tmp_path / "dags" / f"{found.name}.py").write_text(text)
    look = (
        "import json, sys\n"
        "from airflow.dag_processing.dagbag import DagBag\n"
        "bag = DagBag(sys.argv[1])\n"
        "print(json.dumps([bag.import_errors, sorted(bag.dags)]))\n"
    )
    env = os.environ | {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    done = subprocess.run(
        [str(python), "-c", look, str(tmp_path / "dags")],
        check=True,
        capture_output=True,
        text=True,
        env=env,
    )
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert told == [{}, ["a-chosen-branch", "an-exit-task-after-success"]]


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_airflow_runs_the_dag_file_and_it_gives_the_same(tmp_path: Path) -> None:
    python = ROOT / ".venvs" / "airflow" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"Airflow is not installed in {python.parents[1]}")
    (tmp_path / "dags").mkdir()
    text = airflow_file(branches.a_chosen_branch.compile())
    (tmp_path / "dags" / "chosen.py").write_text(text)
    act = (
        "import json, sys\n"
        "from airflow.dag_processing.dagbag import DagBag\n"
        "ended = DagBag(sys.argv[1]).dags['a-chosen-branch'].test(run_conf={'value': 2})\n"
        "print()\n"
        "print(json.dumps([ended.state, ended.run_id]))\n"
    )
    env = os.environ | {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    airflow = str(python.with_name("airflow"))
    subprocess.run([airflow, "db", "migrate"], check=True, capture_output=True, env=env)
    done = subprocess.run(
        [str(python), "-c", act, str(tmp_path / "dags")],
        check=True,
        capture_output=True,
        text=True,
        env=env,
    )
    state, run_id = json.loads(done.stdout.strip().splitlines()[-1])
    assert state == "success", done.stdout[-3000:]
    place = tmp_path / "athanor" / "a-chosen-branch" / run_id.replace(":", "-")
    assert _given(branches.a_chosen_branch, place) == {"Output": "two"}


@step
def fitted(rows: int) -> LogisticRegression:
    """A model."""
    table = pd.DataFrame({"a": range(rows)})
    return LogisticRegression().fit(table, table["a"] > rows // 2)


@pipeline
def models_out(rows: int = 40) -> LogisticRegression:
    """One model."""
    return fitted(rows)


_WITHOUT_US = """
import runpy, sys
from pathlib import Path
sys.path[:] = [p for p in sys.path if p and not (Path(p) / "athanor").exists()]
sys.meta_path[:] = [f for f in sys.meta_path if "editable" not in str(f).lower()]
script, sys.argv = sys.argv[1], sys.argv[1:]
sys.path.insert(0, str(Path(script).parent))
import athanor
assert Path(athanor.__file__).parent.parent == Path(script).parent
runpy.run_path(script, run_name="__main__")
"""


def test_equal_steps_give_equal_contexts(tmp_path: Path) -> None:
    document = flows.sums.compile()
    first, again = (context_of(document, "split") for _ in range(2))
    assert first.digest == again.digest
    assert first.digest != context_of(document, "total").digest
    assert "pandas==" in first.files["requirements.txt"]
    named = with_image(document, "split", "registry.example/split:1").spec
    images = {item.container.image for item in named.deployment_spec.executors.values()}  # type: ignore[union-attr]
    assert "registry.example/split:1" in images
    with pytest.raises(BadPipeline, match="splitt"):
        context_of(document, "splitt")


def test_a_contexts_step_runs_on_its_own(tmp_path: Path) -> None:
    context = context_of(nested.a_pipeline_used_twice.compile(), "double")
    context.write(tmp_path)
    told = {
        "inputs": {"parameterValues": {"value": 21}},
        "outputs": {"parameters": {"Output": {}}, "outputFile": str(tmp_path / "out.json")},
    }
    words = [
        *(sys.executable, "-P", "-I", str(tmp_path / "portable.py")),
        *("--component_module_path", str(tmp_path / "step.py")),
        *("--function_to_execute", "double"),
        *("--athanor_step", f"@{tmp_path / 'settings.json'}"),
        *("--executor_input", json.dumps(told)),
    ]
    subprocess.run(words, check=True)
    assert json.loads((tmp_path / "out.json").read_text())["parameterValues"] == {"Output": 42}


def test_a_contexts_step_brings_what_reads_and_writes_models(tmp_path: Path) -> None:
    context = context_of(models_out.compile(), "fitted")
    context.write(tmp_path)
    assert "skops==" in context.files["requirements.txt"]
    assert "athanor/registry/packaging/materializer.py" in context.files
    assert "athanor" not in " ".join(
        context_of(nested.a_pipeline_used_twice.compile(), "double").files
    )
    told = {
        "inputs": {"parameterValues": {"rows": 40}},
        "outputs": {
            "artifacts": {"Output": {"artifacts": [{"uri": str(tmp_path / "made")}]}},
            "outputFile": str(tmp_path / "out.json"),
        },
    }
    # Without our own package, which is installed here as a path alone.
    hidden = {**os.environ, "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    words = ["-c", _WITHOUT_US, str(tmp_path / "portable.py")]
    words += ["--component_module_path", str(tmp_path / "step.py")]
    words += ["--function_to_execute", "fitted", "--athanor_step", f"@{tmp_path}/settings.json"]
    words += ["--executor_input", json.dumps(told)]
    subprocess.run([sys.executable, *words], check=True, env=hidden)
    assert (tmp_path / "made" / "MLmodel").exists()


@pytest.mark.soak
def test_steps_of_contexts_give_the_same_in_a_fresh_environment(room: Room, tmp_path: Path) -> None:
    document = flows.sums.compile()
    first = _in_fresh_environment(document, "make", {"rows": 30}, {}, tmp_path)
    second = _in_fresh_environment(
        document, "split", {"share": 0.3}, {"table": first["Output"]}, tmp_path
    )
    done = room.run(flows.sums, rows=30, share=0.3)
    made = {
        f"{task.name} {name}": room.lineage.artifact(OWNER, one).digest
        for task in done.tasks
        for name, ids in task.made.items()
        for one in ids
    }
    assert {
        "make Output": _digest(first["Output"]),
        "split train": _digest(second["train"]),
        "split test": _digest(second["test"]),
    } == made


def _in_fresh_environment(
    document: Document,
    step: str,
    parameters: dict[str, Any],
    tables: dict[str, Path],
    folder: Path,
) -> dict[str, Path]:
    """Do what the Dockerfile of a step's context says, without a container; its output files."""
    context = context_of(document, step)
    place = folder / step
    context.write(place)
    python = environment_with(
        folder / "environments", context.files["requirements.txt"].split(), whose=step
    )
    names = {"make": ["Output"], "split": ["train", "test"]}[step]
    told = {
        "inputs": {
            "parameterValues": parameters,
            "artifacts": {
                name: {"artifacts": [{"uri": str(path), "metadata": {}}]}
                for name, path in tables.items()
            },
        },
        "outputs": {
            "artifacts": {name: {"artifacts": [{"uri": str(place / name)}]} for name in names},
            "outputFile": str(place / "out.json"),
        },
    }
    words = [
        *(str(python), "-I", str(place / "portable.py")),
        *("--component_module_path", str(place / "step.py")),
        *("--function_to_execute", step),
        *("--athanor_step", f"@{place / 'settings.json'}"),
        *("--executor_input", json.dumps(told)),
    ]
    subprocess.run(words, check=True, env={"PATH": os.environ["PATH"]})
    return {name: place / name for name in names}


def _digest(path: Path) -> str:
    """The digest of a table in a file, as the engine tells it."""
    return table_digest(pyarrow.parquet.read_table(path))


def test_what_goes_along_to_airflow_imports_and_builds_commands(tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("hello")
    out = "{{$.outputs.parameters['out'].output_file}}"
    greeting = {"IfPresent": {"InputName": "greet", "Then": ["--greet"], "Else": ["--silent"]}}
    job = {"Concat": ["job=", "{{$.pipeline_job_name}}"]}
    script = 'mkdir -p "$(dirname "$0")"; echo "$(cat "$1") $2 $3" > "$0"'
    source = "{{$.inputs.artifacts['data'].uri}}"
    spec = {
        "pipelineInfo": {"name": "imports"},
        "components": {
            "comp-importer": {
                "executorLabel": "exec-importer",
                "outputDefinitions": {"artifacts": {"artifact": {}}},
            },
            "comp-shows": {
                "executorLabel": "exec-shows",
                "outputDefinitions": {"parameters": {"out": {"parameterType": "STRING"}}},
            },
        },
        "deploymentSpec": {
            "executors": {
                "exec-importer": {
                    "importer": {"artifactUri": {"constant": str(tmp_path / "data.txt")}}
                },
                "exec-shows": {
                    "container": {
                        "command": ["sh", "-c", script],
                        "args": [out, source, json.dumps(greeting), json.dumps(job)],
                    }
                },
            }
        },
        "root": {
            "dag": {
                "tasks": {
                    "importer": {"componentRef": {"name": "comp-importer"}},
                    "shows": {
                        "componentRef": {"name": "comp-shows"},
                        "inputs": {
                            "artifacts": {
                                "data": {
                                    "taskOutputArtifact": {
                                        "producerTask": "importer",
                                        "outputArtifactKey": "artifact",
                                    }
                                }
                            }
                        },
                    },
                }
            }
        },
    }
    place = tmp_path / "run-7"
    place.mkdir()
    for task in ("importer", "shows"):
        _runtime().run_task(spec, task, {}, place)
    made = json.loads((place / "shows" / "given.json").read_text())
    assert made["parameters"] == {"out": "hello --silent job=imports-run-7\n"}


def test_a_description_of_any_kind_stands_in_the_dag_file() -> None:
    document = flows.sums.compile()
    info = msgspec.structs.replace(
        document.spec.pipeline_info, description='C:\\new "quoted" \\N\nand more'
    )
    odd = Document(spec=msgspec.structs.replace(document.spec, pipeline_info=info))
    compile(airflow_file(odd), "dag.py", "exec")
