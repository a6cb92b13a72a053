"""A pipeline as a DAG file of Apache Airflow.

Each task of the pipeline is one of Airflow's; branches, loops and inner pipelines are worked
through inside of theirs. The file needs Airflow and Python alone.
"""

import json
import re
from typing import Any

from athanor.pipelines.errors import NotSupportedYet
from athanor.pipelines.exports.sources import source_of
from athanor.pipelines.ir.spec import Document, TaskSpec
from athanor.pipelines.ir.text import plain
from athanor.pipelines.logic.embedding import read_embedded, read_operation
from athanor.pipelines.logic.graph import upstream_of
from athanor.pipelines.logic.retries import seconds

_HEAD = '''\
"""{title}

Written by `athanor pipeline compile --to airflow`; compile it anew instead of editing it.
"""

import datetime
import json
import os
import pathlib
import types

from airflow.sdk import DAG
{operators}
try:
    from airflow.sdk.exceptions import AirflowSkipException
except ImportError:
    from airflow.exceptions import AirflowSkipException

SPEC = json.loads({spec!r})
_TASKS = types.ModuleType("athanor_tasks")
exec({runtime!r}, _TASKS.__dict__)


def run(step, params, run_id, **_):
    """Run one task; what the tasks of a run give is kept in a folder that all workers share."""
    root = os.environ.get("ATHANOR_AIRFLOW_ROOT") or os.path.join(
        os.environ.get("AIRFLOW_HOME", os.path.expanduser("~/airflow")), "athanor"
    )
    place = pathlib.Path(root, SPEC["pipelineInfo"]["name"], run_id.replace(":", "-"))
    place.mkdir(parents=True, exist_ok=True)
    try:
        _TASKS.run_task(SPEC, step, dict(params), place)
    except _TASKS.Skipped as reason:
        raise AirflowSkipException(str(reason)) from None


with DAG(
    dag_id={name!r},
    description={description!r},
    schedule=None,
    catchup=False,
    start_date=datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc),
    params={params!r},
    tags=["athanor"],
) as dag:
    tasks = {{}}
'''
_OPERATORS = """
try:
    from airflow.providers.standard.operators.python import PythonOperator
except ImportError:
    from airflow.operators.python import PythonOperator
"""
_TASK = """\
    tasks[{name!r}] = PythonOperator(
        task_id={id!r},
        task_display_name={shown!r},
        python_callable=run,
        op_args=[{name!r}],
        trigger_rule={rule!r},
        retries={retries},
        retry_delay=datetime.timedelta(seconds={delay}),
        execution_timeout={limit},
    )
"""


def airflow_file(document: Document) -> str:
    """The text of the DAG file.

    Raises: NotSupportedYet for platform operations, which Airflow can't do.
    """
    spec = document.spec
    for label, executor in spec.deployment_spec.executors.items():
        ours = executor.container is not None and read_operation(executor.container) is not None
        if ours or (executor.container is None and executor.importer is None):
            raise NotSupportedYet(
                f"Executor {label!r}", "what only the platform can do", "Leave it out for Airflow."
            )
    inputs = spec.root.input_definitions
    params = {
        name: plain(item).get("defaultValue")
        for name, item in (inputs.parameters if inputs else {}).items()
    }
    info = spec.pipeline_info
    tasks = spec.root.dag.tasks if spec.root.dag else {}
    parts = [
        _HEAD.format(
            title=_line(info.description) or info.name,
            operators=_OPERATORS,
            spec=json.dumps(plain(spec), sort_keys=True),
            runtime=source_of("portable_dag"),
            name=re.sub(r"[^A-Za-z0-9_.-]", "-", info.name),
            description=info.description,
            params=params,
        )
    ]
    parts += [_task(document, name, task) for name, task in tasks.items()]
    for name, task in tasks.items():
        parts += [f"    tasks[{other!r}] >> tasks[{name!r}]\n" for other in upstream_of(task)]
    return "".join(parts)


def _line(text: str) -> str:
    """The first line of a text, as it may stand in a docstring."""
    first = next(iter(text.strip().splitlines()), "")
    return first.replace("\\", "/").replace('"', "'")


def _task(document: Document, name: str, task: TaskSpec) -> str:
    policy, retry = task.trigger_policy, task.retry_policy
    regardless = policy is not None and policy.strategy == "ALL_UPSTREAM_TASKS_COMPLETED"
    component = document.spec.components[task.component_ref.name if task.component_ref else ""]
    executor = document.spec.deployment_spec.executors.get(component.executor_label)
    embedded: Any = None
    if executor is not None and executor.container is not None:
        embedded = read_embedded(executor.container)
    limit = "None"
    if embedded is not None and embedded.timeout:
        limit = f"datetime.timedelta(seconds={embedded.timeout})"
    return _TASK.format(
        name=name,
        id=re.sub(r"[^A-Za-z0-9_.-]", "-", name),
        shown=(task.task_info.name if task.task_info else "") or name,
        rule="all_done" if regardless else "all_success",
        retries=retry.max_retry_count if retry else 0,
        delay=seconds(retry.backoff_duration) if retry else 0.0,
        limit=limit,
    )
