"""Compiling a model for the data plane, in a worker: build, prove, keep.

Needs scikit-learn, pandas and numpy: named by its path, never imported by the server.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from athanor.registry.packaging import LoadedModel, opened
from athanor.serving.runtimes import compiled
from athanor.serving.runtimes.compiled import DESCRIPTION, PROGRAM, Description
from athanor.serving.runtimes.folding.linear import head_of
from athanor.serving.runtimes.folding.nodes import Unfoldable
from athanor.serving.runtimes.folding.programs import program
from athanor.serving.runtimes.folding.steps import encoded, hints_of
from athanor.serving.runtimes.native import NativeRuntime
from athanor.serving.runtimes.proof import Hints, Proof, proof_rows, prove
from athanor.serving.runtimes.trees.building import build_trees
from athanor.serving.types import InputColumn

logger = logging.getLogger(__name__)

REPORT = "proof.json"
_FOLDED_TOLERANCE = 1e-9
_FOREIGN = "only the library that it comes from loads it"
_LIBRARIES = ("scikit-learn", "numpy", "lightgbm", "xgboost-cpu", "xgboost", "onnxruntime")


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a compiler wrote, before it is proved."""

    description: Description
    program: str
    files: dict[str, bytes]
    hints: Hints
    tolerance: float


Compiler: TypeAlias = Callable[[LoadedModel, Sequence[InputColumn]], Built]


def compile_model(folder: str, into: str, *, pickles: bool = False) -> dict[str, Any]:
    """Compile the model in `folder` into the empty folder `into`, if that can be proved equal.

    Gives {"kind": "folded" | "trees" | "native", "why_not": {kind: reason}, "proof": {...} or
    None, "libraries": {...}}, which `into` holds as `proof.json`, too.

    Raises: BadModelFolder, UnsafeModel: the model can't be loaded at all.
    """
    model = opened(Path(folder), pickles=pickles)
    if model is None:
        return _reported(Path(into), "native", dict.fromkeys(_COMPILERS, _FOREIGN), None)
    native = NativeRuntime(model)
    columns = [InputColumn(name=c.name, type=c.type, required=c.required) for c in model.signature]
    target = Path(into)
    why_not: dict[str, str] = {}
    proof: Proof | None = None
    kind = "native"
    for name, compiler in _COMPILERS.items():
        try:
            built = compiler(model, columns)
            _write(built, target)
            rows = proof_rows(columns, _sample(Path(folder), columns), built.hints)
            proof = prove(
                compiled.load(target), native, rows, runtime=name, tolerance=built.tolerance
            )
        except Unfoldable as reason:
            why_not[name] = str(reason)
            continue
        except Exception as error:  # the native path is there whatever happens here
            logger.exception("Compiling as %s failed", name)
            why_not[name] = f"the compiler failed: {type(error).__name__}: {error}"
            continue
        if proof.passed:
            kind = name
            break
        why_not[name] = f"its answers are not the model's: {proof.reason}"
    return _reported(target, kind, why_not, proof)


def _reported(
    target: Path, kind: str, why_not: Mapping[str, str], proof: Proof | None
) -> dict[str, Any]:
    report = {
        "kind": kind,
        "why_not": dict(why_not),
        "proof": None if proof is None else asdict(proof),
        "libraries": _libraries(),
        "format_version": 1,
    }
    if kind == "native":
        for path in target.iterdir():
            path.unlink()
    (target / REPORT).write_text(json.dumps(report, indent=1))
    return report


def _folded(model: LoadedModel, columns: Sequence[InputColumn]) -> Built:
    estimator = model.estimator
    made, final = encoded(estimator, columns)
    head = head_of(final)
    text = program(made, head, len(columns))
    outputs = output_names(model, len(head.plus)) if not model.classes else []
    return Built(
        description=Description("folded", list(model.classes), outputs),
        program=text,
        files={},
        hints=hints_of(made, {}),
        tolerance=_FOLDED_TOLERANCE,
    )


def output_names(model: LoadedModel, count: int) -> list[str]:
    """The names of several values of one row; none where there is one value."""
    if count == 1:
        return []
    return [f"{model.target or 'output'}_{place}" for place in range(count)]


def _trees(model: LoadedModel, columns: Sequence[InputColumn]) -> Built:
    made, final = encoded(model.estimator, columns)
    steps = getattr(model.estimator, "steps", [])
    before = steps[-2][1] if len(steps) > 1 else None
    built = build_trees(final, made, before)
    outputs = output_names(model, built.outputs) if not model.classes else []
    return Built(
        description=Description("trees", list(model.classes), outputs, built.settings),
        program=built.program,
        files=built.files,
        hints=hints_of(made, built.thresholds),
        tolerance=built.tolerance,
    )


_COMPILERS: dict[str, Compiler] = {"folded": _folded, "trees": _trees}
"""By kind; the first that passes its proof is taken."""


def _write(built: Built, target: Path) -> None:
    (target / PROGRAM).write_text(built.program, "utf-8")
    for name, content in built.files.items():
        (target / name).write_bytes(content)
    (target / DESCRIPTION).write_bytes(msgspec.json.encode(built.description))


def _sample(folder: Path, columns: Sequence[InputColumn]) -> list[list[Any]]:
    """The rows that were kept with the model, where they fit its columns."""
    try:
        told = json.loads((folder / "input_example.json").read_text("utf-8"))
        places = [told["columns"].index(column.name) for column in columns]
        rows = [[row[place] for place in places] for row in told["data"]]
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return []
    return [row for row in rows if all(map(_plain, row, columns))]


def _plain(value: Any, column: InputColumn) -> bool:
    if value is None:
        return True
    if column.type in {"string", "datetime"}:
        return isinstance(value, str)
    return isinstance(value, bool) if column.type == "boolean" else isinstance(value, int | float)


def _libraries() -> dict[str, str]:
    return dict(_installed())


def _installed() -> Iterator[tuple[str, str]]:
    for name in _LIBRARIES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue
