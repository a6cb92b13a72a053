"""What the architecture tests read the house by: its files, rooms, services and verbs."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "athanor"

Function = ast.FunctionDef | ast.AsyncFunctionDef

# Libraries that cost more to load than the rest of a start together.
HEAVY = frozenset(
    {
        "deltalake",
        "duckdb",
        "lightgbm",
        "mlflow",
        "numpy",
        "onnx",
        "onnxmltools",
        "onnxruntime",
        "pandas",
        "pyarrow",
        "scipy",
        "shap",
        "skl2onnx",
        "sklearn",
        "skops",
        "xgboost",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A public method of a service that somebody may ask for."""

    room: str
    service: str
    node: Function
    file: Path

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def full_name(self) -> str:
        return f"{self.room}.{self.service}.{self.name}"


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"), filename=str(file))


def python_files(folder: Path = SOURCE) -> list[Path]:
    return sorted(file for file in folder.rglob("*.py") if "__pycache__" not in file.parts)


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def place(file: Path, line: int | None = None) -> str:
    """Where something stands, as an editor opens it."""
    shown = str(file.relative_to(ROOT))
    return shown if line is None else f"{shown}:{line}"


def rooms() -> list[str]:
    return sorted(
        folder.name
        for folder in SOURCE.iterdir()
        if (folder / "__init__.py").is_file() and folder.name not in {"app", "testing"}
    )


def part(room: str, name: str) -> list[Path]:
    """The files of one part of a room: `service.py`, or all of `service/`."""
    single, folder = SOURCE / room / f"{name}.py", SOURCE / room / name
    return [single] if single.is_file() else python_files(folder) if folder.is_dir() else []


def functions(tree: ast.AST) -> Iterator[Function]:
    """Also those inside others."""
    return (
        node
        for node in statements(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def classes(tree: ast.AST) -> Iterator[ast.ClassDef]:
    """Also those inside others."""
    return (node for node in statements(tree) if isinstance(node, ast.ClassDef))


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """All but expressions, most of a tree: none of them holds a class or a function."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.expr):
            yield node
            yield from statements(node)


def public_methods(node: ast.ClassDef) -> list[Function]:
    return [
        item
        for item in node.body
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
        and not item.name.startswith("_")
    ]


def parameters(node: Function) -> list[str]:
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [argument.arg for argument in every if argument.arg not in {"self", "cls"}]


def without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0]
    documented = (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
    return body[1:] if documented else body


def verbs() -> list[Verb]:
    """Each public method of a service whose first parameter is `who`."""
    return [
        Verb(room=room, service=service.name, node=method, file=file)
        for room in rooms()
        for file in part(room, "service")
        for service in classes(parsed(file))
        if not service.name.startswith("_")
        for method in public_methods(service)
        if parameters(method)[:1] == ["who"]
    ]
