"""Containers of Kubeflow components: which are plain Python functions, and what commands say.

A lightweight component's command installs packages and hands its source to `kfp.dsl.executor_main`;
such a function needs no container. Any other command is run as it stands, with its placeholders
filled.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import UNSET

from athanor.pipelines.errors import UnknownPlaceholder
from athanor.pipelines.ir.spec import ContainerSpec
from athanor.pipelines.logic.placeholders import fill
from athanor.pipelines.logic.values import as_text

_MAIN = "kfp.dsl.executor_main"
_INSTALL = re.compile(r"pip install\s+(?P<rest>[^\n]*)")
_RUNTIME = re.compile(r"^kfp(\[[^\]]*\])?\s*(==|>=|<=|~=|>|<|!=|@|$)")
_NOT_NEEDED = ("typing-extensions", "kfp-pipeline-spec")
_VALUED = {"--index-url", "-i", "--extra-index-url", "--trusted-host", "--find-links", "-f"}
_NAMED = re.compile(
    r"\{\{\$\.(?P<side>inputs|outputs)\.(?P<what>parameters|artifacts)"
    r"\[(['\"])(?P<name>[^'\"\]]+)\3\][^{}]*\}\}"
)
_MARK = re.compile(
    r"\.(?P<side>inputs|outputs)\.(?P<what>parameters|artifacts)\[(['\"])(?P<name>.+?)\3\]"
    r"(?:\.(?P<part>uri|path|output_file|metadata|name))?(?:\[(['\"])(?P<key>.+?)\6\])?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lightweight:
    """A Python function in a lightweight component."""

    function: str
    source: str
    packages: list[str] = field(default_factory=list)
    """What it wants installed beside Kubeflow's own runtime, as pip names it."""
    options: list[str] = field(default_factory=list)
    """Indexes to install from, as pip's options."""


def read_lightweight(container: ContainerSpec) -> Lightweight | None:
    """The function in a container, or None where the container is something else."""
    words = [*container.command, *container.args]
    if not any(_MAIN in word for word in words) or "--function_to_execute" not in words:
        return None
    at = words.index("--function_to_execute")
    if at + 1 >= len(words) or _MAIN in container.command[-1:]:
        return None
    source = container.command[-1] if container.command else ""
    if "def " not in source and "lambda" not in source:
        return None
    packages, options = _installed(container.command[:-1])
    return Lightweight(function=words[at + 1], source=source, packages=packages, options=options)


def is_runtime(package: str) -> bool:
    """Whether a package is Kubeflow's own runtime, in whose place ours is given."""
    return bool(_RUNTIME.match(package))


def named_in(words: list[str]) -> Iterator[tuple[str, str, str, str]]:
    """What a command's placeholders name.

    Each with the placeholder, `inputs` or `outputs`, `parameters` or `artifacts`, and the name.
    """
    for word in words:
        for found in _NAMED.finditer(word):
            yield found[0], found["side"], found["what"], found["name"]


def command_line(container: ContainerSpec, executor_input: Mapping[str, Any]) -> list[str]:
    """A container's command and arguments with their placeholders filled.

    `executor_input` is the protocol's ExecutorInput as plain data. An argument that says `Concat`
    or `IfPresent` becomes what these come to: one word, several, or none.
    Raises: UnknownPlaceholder.
    """

    def find(body: str) -> Any:
        return _value(body, executor_input)

    words: list[str] = []
    for word in [*container.command, *container.args]:
        words += [as_text(fill(item, find)) for item in _structured(word, executor_input)]
    return words


def _installed(words: list[str]) -> tuple[list[str], list[str]]:
    packages: list[str] = []
    options: list[tuple[str, ...]] = []
    for word in words:
        for match in _INSTALL.finditer(word):
            parts = _split(match["rest"])
            for part in parts:
                if part in _VALUED:
                    options.append((part, next(parts, "")))
                elif part.split("=", 1)[0] in _VALUED:
                    options.append((part,))
                elif not part.startswith("-") and not _given_by_us(part):
                    packages.append(part)
    said = [word for option in dict.fromkeys(options) for word in option]
    return list(dict.fromkeys(packages)), said if packages else []


def _given_by_us(package: str) -> bool:
    name = re.split(r"[\[<>=!~;@ ]", package, maxsplit=1)[0].lower().replace("_", "-")
    return is_runtime(package) or name in _NOT_NEEDED


def _split(text: str) -> Iterator[str]:
    """The words of a shell command up to where the next one begins."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="&|;")
    lexer.whitespace_split = True
    try:
        for word in lexer:
            if not word.strip("&|;"):
                return
            yield word
    except ValueError:  # a quote that is not closed: what came before it counts
        return


def _structured(word: str, given: Mapping[str, Any]) -> Iterator[str]:
    """The words that an argument stands for."""
    if not word.startswith('{"'):
        yield word
        return
    try:
        found = json.loads(word)
    except ValueError:
        yield word
        return
    if isinstance(found, dict) and found.keys() & {"Concat", "IfPresent"}:
        yield from _expanded(found, given)
    else:
        yield word


def _expanded(part: Any, given: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(part, list):
        for item in part:
            yield from _expanded(item, given)
    elif isinstance(part, dict) and "Concat" in part:
        yield "".join(word for item in part["Concat"] for word in _expanded(item, given))
    elif isinstance(part, dict) and "IfPresent" in part:
        choice = part["IfPresent"]
        there = _is_there(str(choice.get("InputName", "")), given)
        yield from _expanded(choice.get("Then" if there else "Else", []), given)
    else:
        yield part if isinstance(part, str) else as_text(part)


def _is_there(name: str, given: Mapping[str, Any]) -> bool:
    inputs = given.get("inputs", {})
    return inputs.get("parameterValues", {}).get(name) is not None or bool(
        inputs.get("artifacts", {}).get(name, {}).get("artifacts")
    )


def _value(body: str, given: Mapping[str, Any]) -> Any:
    """What a placeholder of a command stands for."""
    if not body:
        return json.dumps(given, ensure_ascii=False)
    if body == ".outputs.output_file":
        return given["outputs"]["outputFile"]
    known = given.get("known", {})
    if body in known:
        return known[body]
    match = _MARK.fullmatch(body)
    if match is None:
        return UNSET
    side, name = given[match["side"]], match["name"]
    if match["what"] == "parameters":
        if match["side"] == "inputs":
            return side.get("parameterValues", {}).get(name, "")
        return side.get("parameters", {}).get(name, {}).get("outputFile", UNSET)
    found = side.get("artifacts", {}).get(name, {}).get("artifacts") or []
    if match["part"] is None:
        return json.dumps(found, ensure_ascii=False)
    if not found:
        return "" if match["side"] == "inputs" else UNSET
    artifact = found[0]
    if match["part"] == "metadata":
        metadata = artifact.get("metadata", {})
        return metadata if match["key"] is None else metadata.get(match["key"], "")
    if match["part"] == "name":
        return artifact.get("name", "")
    if match["part"] in {"uri", "path"}:
        return artifact.get(match["part"]) or artifact["uri"]
    raise UnknownPlaceholder("{{$" + body + "}}")
