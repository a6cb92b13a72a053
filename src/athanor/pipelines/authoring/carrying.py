"""What goes along with a step so that it runs where there is nothing of ours.

A compiled step's command writes the step and `engines/portable.py` to files and starts that. It
installs what the step imports, where that is not there.
"""

import ast
import base64
import importlib.metadata
import shlex
import sys
import zlib
from collections.abc import Sequence
from functools import cache

from athanor.pipelines.authoring.interface import Interface
from athanor.pipelines.exports.sources import source_of
from athanor.pipelines.logic.embedding import Embedded
from athanor.pipelines.logic.libraries import DISTRIBUTIONS

_START = """\
# Stands in place of kfp.dsl.executor_main: the step needs nothing of Kubeflow's.
program_path=$(mktemp -d)
printf "%s" "$0" > "$program_path/ephemeral_component.py"
{install}# athanor/pipelines/engines/portable.py, without its comments, deflated.
python3 -c 'import base64, sys, zlib
sys.stdout.buffer.write(zlib.decompress(base64.b64decode(sys.argv[1])))' \
{portable} > "$program_path/portable.py"
python3 "$program_path/portable.py" \
--component_module_path "$program_path/ephemeral_component.py" "$@"
"""
_INSTALL = """\
if ! python3 -c {imports} 2>/dev/null; then
    python3 -m ensurepip >/dev/null 2>&1 || true
    python3 -m pip install --quiet --disable-pip-version-check {packages}
fi
"""


def carried(packages: Sequence[str]) -> str:
    """The shell text that runs a step anywhere; its source is the word behind it."""
    install = ""
    if packages:
        names = [_import_name(item) for item in packages]
        install = _INSTALL.format(
            imports=shlex.quote(f"import {', '.join(names)}"),
            packages=" ".join(shlex.quote(item) for item in packages),
        )
    return _START.format(install=install, portable=_packed())


@cache
def _packed() -> str:
    """The same in little space: it stands in the command of each step."""
    text = source_of("portable").encode()
    return base64.b64encode(zlib.compress(text, 9)).decode()


def artifacts_of(interface: Interface) -> set[str]:
    """The types of the artifacts that a step takes and gives."""
    kinds = [item.kind for item in interface.inputs.values() if item.kind is not None]
    return {kind.artifact for kind in [*kinds, *interface.outputs.values()] if kind.artifact}


def needs_of(embedded: Embedded, *, tables: bool) -> list[str]:
    """The libraries that a step imports and its tables need, pinned to what is installed here."""
    names: set[str] = set()
    for text in (embedded.source, *embedded.modules.values()):
        names |= imported_names(text)
    if tables:
        names.add("pyarrow")
    own = {path.split("/", maxsplit=1)[0].removesuffix(".py") for path in embedded.modules}
    found = []
    for name in sorted(names - own):
        distribution = DISTRIBUTIONS.get(name, name)
        if name == "athanor" or name in sys.stdlib_module_names:
            continue
        try:
            found.append(f"{distribution}=={importlib.metadata.version(distribution)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@cache
def imported_names(text: str) -> frozenset[str]:
    """The top-level names of the modules that a source imports."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return frozenset(names)


def _import_name(package: str) -> str:
    name = package
    for mark in "[=<>!~;@ ":
        name = name.split(mark, 1)[0]
    back = {value: key for key, value in DISTRIBUTIONS.items()}
    return back.get(name.lower(), name.replace("-", "_"))
