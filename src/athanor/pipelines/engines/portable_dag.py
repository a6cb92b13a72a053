"""Runs the tasks of a compiled pipeline where there is nothing of ours, such as in Airflow.

It goes along with an exported pipeline as text and needs Python alone. Each task of the pipeline
is one call of `run_task`; a task that is a DAG, a branch or a loop is worked through in that call.
What tasks give is kept as JSON files in the run's folder.
"""

import ast
import contextlib
import json
import operator
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

MARK = re.compile(r"\{\{\$(?P<body>[^{}]*)\}\}")
NAMED = re.compile(
    r"\.(inputs|outputs)\.(parameters|artifacts)\[(['\"])(.+?)\3\](?:\.(uri|path|output_file))?"
)
PICK = re.compile(r"\[(?:\"([^\"]*)\"|'([^']*)'|(\d+))\]")
APART = re.compile(r"('(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\")")
COMPARE = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
MISSING = object()
KNOWN: dict[str, str] = {}
"""What placeholders of the whole run stand for."""
CASTS = {"int": int, "double": float, "string": str, "bool": bool}


class Skipped(Exception):
    """The task's condition is false, or what it takes was not made."""


class Dag:
    """One DAG with what is known in it."""

    def __init__(self, spec: dict[str, Any], body: dict[str, Any], given: Any, place: Path) -> None:
        self.spec = spec
        self.body = body
        self.given = given
        self.place = place
        self.made: dict[str, Any] = {}

    def outputs_of(self, task: str) -> dict[str, Any]:
        """What a task gave; a file holds it where another process ran it."""
        if task not in self.made:
            path = self.place / task / "given.json"
            self.made[task] = json.loads(path.read_text("utf-8")) if path.exists() else None
        return self.made[task] or {"parameters": {}, "artifacts": {}}


def run_task(spec: dict[str, Any], name: str, parameters: dict[str, Any], place: Path) -> None:
    """Run one task of the pipeline's root. Raises: Skipped; RuntimeError where it fails."""
    job, begun = f"{spec['pipelineInfo']['name']}-{place.name}", place / "begun"
    with contextlib.suppress(FileExistsError):
        begun.touch(exist_ok=False)
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begun.stat().st_mtime))
    KNOWN.update(
        {
            ".pipeline_job_name": job,
            ".pipeline_job_resource_name": job,
            ".pipeline_job_uuid": place.name,
            ".pipeline_root": str(place),
            ".pipeline_job_create_time_utc": when,
            ".pipeline_job_schedule_time_utc": when,
        }
    )
    known = (spec["root"].get("inputDefinitions") or {}).get("parameters") or {}
    given = {key: item["defaultValue"] for key, item in known.items() if "defaultValue" in item}
    given |= {key: value for key, value in parameters.items() if value is not None}
    dag = Dag(spec, spec["root"]["dag"], {"parameters": given, "artifacts": {}}, place)
    work(dag, name)


def work(dag: Dag, name: str) -> None:
    """Run a task of a DAG, and keep what it gives."""
    task = dag.body["tasks"][name]
    place = dag.place / name
    place.mkdir(parents=True, exist_ok=True)
    component = dag.spec["components"][task["componentRef"]["name"]]
    KNOWN.update({".pipeline_task_name": name, ".pipeline_task_uuid": f"{dag.place.name}-{name}"})
    given = resolve(dag, task)
    condition = (task.get("triggerPolicy") or {}).get("condition")
    if condition and not holds(condition, given["parameters"]):
        raise Skipped(f"its condition is false: {condition}")
    loop = task.get("parameterIterator") or task.get("artifactIterator")
    if loop:
        rounds = [
            one(dag.spec, component, item, place / str(number))
            for number, item in enumerate(iterations(task, given))
        ]
        made = collected(component, rounds)
    else:
        made = one(dag.spec, component, given, place)
    dag.made[name] = made
    (place / "given.json").write_text(json.dumps(made), "utf-8")


def one(spec: dict[str, Any], component: dict[str, Any], given: Any, place: Path) -> dict[str, Any]:
    """Run a component once; a DAG task by task."""
    place.mkdir(parents=True, exist_ok=True)
    known = (component.get("inputDefinitions") or {}).get("parameters") or {}
    for name, item in known.items():
        if name not in given["parameters"] and "defaultValue" in item:
            given["parameters"][name] = item["defaultValue"]
    if "dag" not in component:
        return execute(spec, component, given, place)
    dag = Dag(spec, component["dag"], given, place)
    failed: Exception | None = None
    bad: set[str] = set()
    for name in in_order(dag.body["tasks"]):
        task = dag.body["tasks"][name]
        policy = (task.get("triggerPolicy") or {}).get("strategy")
        if bad & set(upstream(task)) and policy != "ALL_UPSTREAM_TASKS_COMPLETED":
            bad.add(name)
            continue
        try:
            work(dag, name)
        except Skipped:
            bad.add(name)
        except Exception as error:  # noqa: BLE001 - other branches go on; told at the end
            bad.add(name)
            failed = failed or error
    if failed is not None:
        raise failed
    return outputs(dag)


def execute(
    spec: dict[str, Any], component: dict[str, Any], given: Any, place: Path
) -> dict[str, Any]:
    """Run a component's command."""
    executor = spec["deploymentSpec"]["executors"][component["executorLabel"]]
    definitions = component.get("outputDefinitions") or {}
    if "importer" in executor:
        return imported(executor["importer"], definitions, given)
    told = {
        "inputs": {
            "parameterValues": given["parameters"],
            "artifacts": {name: {"artifacts": items} for name, items in given["artifacts"].items()},
        },
        "outputs": {
            "parameters": {
                name: {"outputFile": str(place / "parameters" / name)}
                for name in definitions.get("parameters") or {}
            },
            "artifacts": {
                name: {
                    "artifacts": [
                        {
                            "name": name,
                            "type": item.get("artifactType") or {},
                            "uri": str(place / "artifacts" / name),
                            "metadata": {},
                        }
                    ]
                }
                for name, item in (definitions.get("artifacts") or {}).items()
            },
            "outputFile": str(place / "executor_output.json"),
        },
    }
    for folder in ("parameters", "artifacts"):
        (place / folder).mkdir(exist_ok=True)
    container = executor["container"]
    written = [*container.get("command", ()), *container.get("args", ())]
    words = [word for item in written for word in expanded(item, told)]
    env = {item["name"]: str(item.get("value", "")) for item in container.get("env") or ()}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    done = subprocess.run(words, check=False, cwd=place, env=os.environ | {"PATH": path} | env)
    if done.returncode:
        raise RuntimeError(f"{component['executorLabel']} ended with status {done.returncode}")
    return taken(definitions, told, place)


def imported(
    importer: dict[str, Any], definitions: dict[str, Any], given: dict[str, Any]
) -> dict[str, Any]:
    """The artifact that an importer names."""
    source = importer["artifactUri"]
    if "runtimeParameter" in source:
        uri = given["parameters"].get(source["runtimeParameter"], "")
    else:
        uri = deep(source.get("constant", ""), given["parameters"])
    name = next(iter(definitions.get("artifacts") or ()), "artifact")
    artifact = {
        "name": name,
        "type": importer.get("typeSchema") or {},
        "uri": text_of(uri),
        "metadata": deep(importer.get("metadata") or {}, given["parameters"]),
    }
    return {"parameters": {}, "artifacts": {name: [artifact]}}


def expanded(part: Any, told: dict[str, Any]) -> list[str]:
    """The words that a part of a command stands for, of which some may depend on inputs."""
    if isinstance(part, list):
        return [word for item in part for word in expanded(item, told)]
    if isinstance(part, str) and part.startswith(('{"Concat"', '{"IfPresent"')):
        with contextlib.suppress(ValueError):
            return expanded(json.loads(part), told)
    if isinstance(part, dict) and "Concat" in part:
        return ["".join(word for item in part["Concat"] for word in expanded(item, told))]
    if isinstance(part, dict) and "IfPresent" in part:
        choice, there = part["IfPresent"], told["inputs"]
        name = choice.get("InputName", "")
        given = there["parameterValues"].get(name) is not None or name in there["artifacts"]
        return expanded(choice.get("Then" if given else "Else", []), told)
    return [filled(part if isinstance(part, str) else text_of(part), told)]


def taken(definitions: dict[str, Any], told: dict[str, Any], place: Path) -> dict[str, Any]:
    """What a command wrote."""
    file = place / "executor_output.json"
    said = json.loads(file.read_text("utf-8")) if file.exists() else {}
    values = dict(said.get("parameterValues") or {})
    for name, item in (definitions.get("parameters") or {}).items():
        written = place / "parameters" / name
        if name not in values and written.is_file():
            text = written.read_text("utf-8")
            values[name] = text if item.get("parameterType") == "STRING" else json.loads(text)
    artifacts = {
        name: (said.get("artifacts") or {}).get(name, item)["artifacts"]
        for name, item in told["outputs"]["artifacts"].items()
    }
    return {"parameters": values, "artifacts": artifacts}


def filled(word: str, told: dict[str, Any]) -> str:
    """A word of a command with its placeholders filled."""

    def value(found: re.Match[str]) -> str:
        body = found["body"]
        if not body:
            return json.dumps(told)
        if body == ".outputs.output_file":
            return str(told["outputs"]["outputFile"])
        named = NAMED.fullmatch(body)
        if named is None:
            return KNOWN.get(body, found[0])
        side, what, _, name, part = named.groups()
        if (side, what) == ("inputs", "parameters"):
            return text_of(told["inputs"]["parameterValues"].get(name, ""))
        if what == "parameters":
            return str(told["outputs"]["parameters"][name]["outputFile"])
        there = told[side]["artifacts"].get(name) or {}
        if not there.get("artifacts"):
            return ""
        artifact = there["artifacts"][0]
        return str(artifact["uri"] if part else json.dumps([artifact]))

    return MARK.sub(value, word)


def resolve(dag: Dag, task: dict[str, Any]) -> dict[str, Any]:
    """What a task is given."""
    wired = task.get("inputs") or {}
    parameters: dict[str, Any] = {}
    for name, source in (wired.get("parameters") or {}).items():
        value = wired_value(dag, source)
        if value is MISSING:
            continue
        for double, single, index in PICK.findall(source.get("parameterExpressionSelector", "")):
            value = value[int(index) if index else double or single]
        parameters[name] = value
    for name, source in (wired.get("parameters") or {}).items():
        if "constant" in (source.get("runtimeValue") or {}):
            parameters[name] = deep(parameters[name], parameters)
    artifacts: dict[str, Any] = {}
    for name, source in (wired.get("artifacts") or {}).items():
        if "taskOutputArtifact" in source:
            link = source["taskOutputArtifact"]
            found = dag.outputs_of(link["producerTask"])["artifacts"].get(link["outputArtifactKey"])
        else:
            found = dag.given["artifacts"].get(source["componentInputArtifact"])
        if found is not None:
            artifacts[name] = found
    return {"parameters": parameters, "artifacts": artifacts}


def wired_value(dag: Dag, source: dict[str, Any]) -> Any:
    """What an input is wired to; MISSING where nothing gave it."""
    if "taskOutputParameter" in source:
        link = source["taskOutputParameter"]
        there = dag.outputs_of(link["producerTask"])["parameters"]
        return there.get(link["outputParameterKey"], MISSING)
    if "componentInputParameter" in source:
        return dag.given["parameters"].get(source["componentInputParameter"], MISSING)
    if "taskFinalStatus" in source:
        producer = source["taskFinalStatus"]["producerTask"]
        there = (dag.place / producer / "given.json").exists()
        state = "COMPLETE" if there else "FAILED"
        return {"state": state, "pipelineTaskName": producer, "error": {}}
    return source["runtimeValue"]["constant"]


def deep(value: Any, parameters: dict[str, Any]) -> Any:
    """A constant with the values of other inputs in it."""
    if isinstance(value, list):
        return [deep(item, parameters) for item in value]
    if isinstance(value, dict):
        return {name: deep(item, parameters) for name, item in value.items()}
    if not isinstance(value, str) or "{{$" not in value:
        return value
    whole = MARK.fullmatch(value)
    named = NAMED.fullmatch(whole["body"]) if whole else None
    if named:
        return parameters.get(named[4], "")
    return filled(value, {"inputs": {"parameterValues": parameters}, "outputs": {}})


def iterations(task: dict[str, Any], given: dict[str, Any]) -> list[dict[str, Any]]:
    """What each round of a loop is given."""
    if "artifactIterator" in task:
        loop = task["artifactIterator"]
        items = given["artifacts"].get(loop["items"]["inputArtifact"]) or []
        return [
            {
                "parameters": dict(given["parameters"]),
                "artifacts": {**given["artifacts"], loop["itemInput"]: [item]},
            }
            for item in items
        ]
    loop = task["parameterIterator"]
    items = loop["items"].get("raw") or given["parameters"][loop["items"]["inputParameter"]]
    items = json.loads(items) if isinstance(items, str) else items
    return [
        {
            "parameters": {**given["parameters"], loop["itemInput"]: item},
            "artifacts": dict(given["artifacts"]),
        }
        for item in items
    ]


def collected(component: dict[str, Any], rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """What the rounds of a loop gave."""
    definitions = component.get("outputDefinitions") or {}
    parameters = {
        name: [item["parameters"][name] for item in rounds if name in item["parameters"]]
        for name in definitions.get("parameters") or {}
    }
    artifacts = {
        name: [found for item in rounds for found in item["artifacts"].get(name, [])]
        for name in definitions.get("artifacts") or {}
    }
    return {"parameters": parameters, "artifacts": artifacts}


def outputs(dag: Dag) -> dict[str, Any]:
    """What a DAG gives outwards."""
    wired = dag.body.get("outputs") or {}
    made: dict[str, Any] = {"parameters": {}, "artifacts": {}}
    for name, source in (wired.get("parameters") or {}).items():
        chosen = [source["valueFromParameter"]] if "valueFromParameter" in source else []
        chosen += (source.get("valueFromOneof") or {}).get("parameterSelectors") or []
        for item in chosen:
            there = dag.outputs_of(item["producerSubtask"])["parameters"]
            if item["outputParameterKey"] in there:
                made["parameters"][name] = there[item["outputParameterKey"]]
                break
    for name, source in (wired.get("artifacts") or {}).items():
        for item in source["artifactSelectors"]:
            there = dag.outputs_of(item["producerSubtask"])["artifacts"]
            if item["outputArtifactKey"] in there:
                made["artifacts"].setdefault(name, []).extend(there[item["outputArtifactKey"]])
    return made


def upstream(task: dict[str, Any]) -> list[str]:
    """The tasks that a task waits for."""
    names = dict.fromkeys(task.get("dependentTasks") or [])
    wired = task.get("inputs") or {}
    for source in (wired.get("parameters") or {}).values():
        for key in ("taskOutputParameter", "taskFinalStatus"):
            if key in source:
                names[source[key]["producerTask"]] = None
    for source in (wired.get("artifacts") or {}).values():
        if "taskOutputArtifact" in source:
            names[source["taskOutputArtifact"]["producerTask"]] = None
    return list(names)


def in_order(tasks: dict[str, Any]) -> list[str]:
    """Tasks so that each comes after those that it waits for."""
    done: dict[str, None] = {}
    while len(done) < len(tasks):
        ready = [n for n in tasks if n not in done and set(upstream(tasks[n])) <= done.keys()]
        if not ready:
            raise RuntimeError("the tasks wait for each other in a circle")
        done.update(dict.fromkeys(ready))
    return list(done)


def holds(condition: str, parameters: dict[str, Any]) -> bool:
    """Whether a condition is true. It is parsed and worked out, never run."""
    parts = APART.split(condition)
    for index in range(0, len(parts), 2):
        text = parts[index].replace("&&", " and ").replace("||", " or ")
        parts[index] = re.sub(r"!(?!=)", " not ", text)
    return bool(truth(ast.parse("".join(parts).strip(), mode="eval").body, parameters))


def truth(node: ast.AST, parameters: dict[str, Any]) -> Any:
    """The value of a part of a condition."""
    if isinstance(node, ast.BoolOp):
        values = (truth(item, parameters) for item in node.values)
        return all(values) if isinstance(node.op, ast.And) else any(values)
    if isinstance(node, ast.UnaryOp):
        value = truth(node.operand, parameters)
        return not value if isinstance(node.op, ast.Not) else -value
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        compare: Any = COMPARE[type(node.ops[0])]
        return compare(truth(node.left, parameters), truth(node.comparators[0], parameters))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        cast: Any = CASTS[node.func.id]
        return cast(truth(node.args[0], parameters))
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return parameters.get(str(node.slice.value))
    if isinstance(node, ast.Name):
        return {"true": True, "false": False, "null": None}[node.id]
    if isinstance(node, ast.Constant):
        return node.value
    raise RuntimeError(f"{ast.dump(node)} has no place in a condition")


def text_of(value: Any) -> str:
    """A value as it stands in a command."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
