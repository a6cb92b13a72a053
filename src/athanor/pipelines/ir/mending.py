"""Items of loops in texts, which Kubeflow's compiler wires to nothing.

An f-string of a loop's item, or of a field of it, is handed into the loop from outside, where there
is no such thing: its runners refuse the pipeline, or write something else. What the author meant is
plain, since the loop itself has the item.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_ITEM = "loop-item"
_FIELD = "-subvar-"


def mend_items(data: dict[str, Any]) -> None:
    """Have loops in a specification's plain data take their items from themselves."""
    components = _mapping(data, "components")
    seen: set[str] = set()
    waiting = [_mapping(data, "root")]
    while waiting:
        parent = waiting.pop()
        for task, name in _lost(parent, components):
            component = _mapping(components, str(_mapping(task, "componentRef").get("name")))
            del task["inputs"]["parameters"][name]
            _take_inside(component, _mapping(task, "parameterIterator").get("itemInput"), name)
        for task in _tasks(parent):
            inner = str(_mapping(task, "componentRef").get("name"))
            if inner not in seen:
                seen.add(inner)
                waiting.append(_mapping(components, inner))


def _lost(
    parent: Mapping[str, Any], components: Mapping[str, Any]
) -> list[tuple[dict[str, Any], str]]:
    """Inputs of tasks that are an item, or a field of one, and come from nowhere."""
    outer = _mapping(_mapping(parent, "inputDefinitions"), "parameters")
    tasks = _mapping(_mapping(parent, "dag"), "tasks")
    found = []
    for task in _tasks(parent):
        for name, source in _mapping(_mapping(task, "inputs"), "parameters").items():
            if _ITEM not in name or not isinstance(source, dict):
                continue
            key = source.get("componentInputParameter")
            link = _mapping(source, "taskOutputParameter")
            if link:
                maker = _mapping(_mapping(tasks, str(link.get("producerTask"))), "componentRef")
                made = _mapping(_mapping(components, str(maker.get("name"))), "outputDefinitions")
                lost = link.get("outputParameterKey") not in _mapping(made, "parameters")
            else:
                lost = bool(key) and key not in outer
            if lost:
                found.append((task, name))
    return found


def _take_inside(component: Mapping[str, Any], item: Any, name: str) -> None:
    """Have a component not wait for the item: it has it, or hands it to a loop further inside."""
    if name == item:
        return
    inputs = _mapping(_mapping(component, "inputDefinitions"), "parameters")
    inputs.pop(name, None)
    if not isinstance(item, str) or not name.startswith(item + _FIELD):
        return
    inputs.setdefault(item, {"parameterType": "STRUCT"})
    field = name.removeprefix(item + _FIELD)
    for task in _tasks(component):
        for source in _mapping(_mapping(task, "inputs"), "parameters").values():
            if isinstance(source, dict) and source.get("componentInputParameter") == name:
                source["componentInputParameter"] = item
                source["parameterExpressionSelector"] = f'parseJson(string_value)["{field}"]'


def _tasks(component: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    tasks = _mapping(_mapping(component, "dag"), "tasks")
    return (task for task in tasks.values() if isinstance(task, dict))


def _mapping(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What stands there if it is a mapping, and else an empty one."""
    found = data.get(name)
    return found if isinstance(found, dict) else {}
