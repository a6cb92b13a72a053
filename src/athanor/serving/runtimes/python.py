"""A user's own Python around a model, or in the place of one.

`load`, `preprocess`, `predict`, `postprocess`, each optional, as functions of a file or as methods
of its class. Read also by the Python of an environment of its own, which has numpy, pandas and
msgspec.
"""

import importlib
import importlib.util
import inspect
import json
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from athanor.data import PREPARING
from athanor.serving.logic.frames import Hello, Reply
from athanor.serving.runtimes.answers import column_of, numbers_of, values_of

Row = list[Any]

CODE, DESCRIPTION, INNER = "code", "code.json", "model"
"""Inside the model folder: the user's files, what they are, the model that they stand around."""
HOOKS = ("load", "preprocess", "predict", "postprocess")
_EXAMPLE = "input_example.json"
_FRAMES = frozenset({"frame", "df", "dataframe"})
_ALONE = "none"


class CodeFailed(Exception):
    """The user's code failed: where, in which function, at which record."""


class Bare:
    """Code without a model around which it stands."""

    classes: tuple[Any, ...] = ()
    handed: Any = None
    """What `predict(model, data)` gets where the code has no `load`."""

    def answers(self, data: Any) -> Any:
        """Without a model, what `preprocess` gave is the answer."""
        return data


class Inner:
    """The registered model that the code stands around, as this platform loads it."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.handed = model.estimator
        self.classes = tuple(model.classes)

    def answers(self, data: Any) -> Any:
        """One {"label", "probabilities", "score"} a record, as the model alone answers."""
        if isinstance(data, pd.DataFrame):
            return self._model.predict_table(data)
        return self._model.predict_records(data)


class Foreign:
    """The same, as MLflow loads it."""

    classes: tuple[Any, ...] = ()

    def __init__(self, model: Any) -> None:
        self.handed = model

    def answers(self, data: Any) -> Any:
        """Whatever the model says."""
        return self.handed.predict(data if isinstance(data, pd.DataFrame) else pd.DataFrame(data))


class PythonRuntime:
    """The user's code, loaded once a worker."""

    def __init__(self, folder: Path, inner: Bare | Inner | Foreign) -> None:
        """Import the code and call its `load`.

        Raises: CodeFailed.
        """
        told = json.loads((folder / DESCRIPTION).read_text("utf-8"))
        self._columns = [(item["name"], item["type"]) for item in told["inputs"]]
        self._names = [name for name, _ in self._columns]
        self._root = folder / CODE
        self._quiet = False
        self._inner = inner
        self._hooks = self._imported(told["entry"])
        within = folder / INNER
        self._model = inner.handed
        if load := self._hooks.get("load"):
            self._model = self._called(load, within if within.is_dir() else self._root)
        own = not self._hooks.keys() & {"predict", "postprocess"}
        self._classes = list(inner.classes) if own else []
        self.hello = Hello(self._classes, _ALONE, texts=self._tells_texts(folder))

    def _tells_texts(self, folder: Path) -> bool:
        """Whether a row that the model was trained on is answered by what is no number."""
        self._quiet = True
        try:
            told = json.loads((folder / _EXAMPLE).read_text("utf-8"))
            records = [dict(zip(told["columns"], row, strict=True)) for row in told["data"][:1]]
            return bool(self._reply(self.rows(records)).values)
        except (OSError, ValueError, KeyError, TypeError, CodeFailed):
            return False  # nothing is known: the plane learns it from the first answer
        finally:
            self._quiet = False

    def rows(self, records: Sequence[Mapping[Any, Any]]) -> list[Row]:
        """Records as `predict` takes them."""
        if not self._names:
            return [[dict(record)] for record in records]
        return [[record.get(name) for name in self._names] for record in records]

    def predict(self, rows: list[Row]) -> Reply:
        """The answers for these rows.

        Raises: CodeFailed, which names the record that it failed at.
        """
        try:
            return self._reply(rows)
        except CodeFailed as error:
            at = self._blamed(rows)
            where = f"in record {at}" if at is not None else f"in a call of {len(rows)} records"
            text = f"{error} ({where})"
            raise CodeFailed(text) from error

    def _reply(self, rows: list[Row]) -> Reply:
        found = self._answers(rows)
        if self._classes:
            places = {label: place for place, label in enumerate(self._classes)}
            chances = [list(item["probabilities"].values()) for item in found]
            numbers = np.asarray(chances, dtype="<f8").tobytes()
            return Reply([places[item["label"]] for item in found], numbers)
        if not self._hooks.keys() & {"predict", "postprocess"} and isinstance(self._inner, Inner):
            found = [item["score"] for item in found]  # a regressor's values
        return self._told(found, len(rows))

    def _told(self, found: Any, count: int) -> Reply:
        numbers = numbers_of(found, count)
        if numbers is not None and numbers.ndim == 1 and np.asarray(found).dtype.kind != "b":
            return Reply([], np.ascontiguousarray(numbers, dtype="<f8").tobytes())
        try:
            return Reply([], b"", "", values_of(found, count))
        except ValueError as error:
            last = next(name for name in reversed(HOOKS) if name in self._hooks)
            text = f"{last} has to give one answer for each record; {error}"
            raise CodeFailed(text) from None

    def _answers(self, rows: list[Row]) -> Any:
        hooks = self._hooks
        data: Any = None
        if preprocess := hooks.get("preprocess"):
            data = self._called(preprocess, self._given(preprocess, rows, 0))
        if predict := hooks.get("predict"):
            place = _count(predict) - 1
            if data is None:
                data = self._given(predict, rows, place)
            found = self._called(predict, *([self._model] if place else []), data)
        else:
            if data is None:
                foreign = isinstance(self._inner, Foreign)
                data = self._frame(rows) if foreign else self._records(rows)
            found = self._guarded(self._inner.answers, data)
        if postprocess := hooks.get("postprocess"):
            found = self._called(postprocess, found)
        return found

    def _given(self, hook: Callable[..., Any], rows: list[Row], place: int) -> Any:
        """The rows as this function wants them: a frame where it says so, else records."""
        wanted = list(inspect.signature(hook).parameters.values())[place]
        annotated = getattr(wanted.annotation, "__name__", str(wanted.annotation))
        if wanted.name in _FRAMES or "DataFrame" in annotated:
            return self._frame(rows)
        return self._records(rows)

    def _records(self, rows: list[Row]) -> list[dict[str, Any]]:
        if not self._names:  # records as they were sent
            return [dict(row[0]) for row in rows]
        return [dict(zip(self._names, row, strict=True)) for row in rows]

    def _frame(self, rows: list[Row]) -> pd.DataFrame:
        if not self._names:
            return pd.DataFrame.from_records(self._records(rows))
        columns = {
            name: column_of(kind, [row[place] for row in rows])
            for place, (name, kind) in enumerate(self._columns)
        }
        return pd.DataFrame(columns, index=pd.RangeIndex(len(rows)))

    def _blamed(self, rows: list[Row]) -> int | None:
        """A record at which the code fails alone, found by halves; None where there is none."""
        start, end, self._quiet = 0, len(rows), True
        try:
            while end - start > 1:
                middle = (start + end) // 2
                if self._fails(rows[start:middle]):
                    end = middle
                elif self._fails(rows[middle:end]):
                    start = middle
                else:
                    return None
            return start
        finally:
            self._quiet = False

    def _fails(self, rows: list[Row]) -> bool:
        try:
            self._reply(rows)
        except CodeFailed:
            return True
        return False

    def _called(self, hook: Callable[..., Any], *given: Any) -> Any:
        return self._guarded(hook, *given)

    def _guarded(self, function: Callable[..., Any], *given: Any) -> Any:
        try:
            return function(*given)
        except Exception as error:
            if not self._quiet:
                traceback.print_exc(file=sys.stdout)
            raise CodeFailed(self._place_of(error)) from error
        finally:
            sys.stdout.flush()

    def _place_of(self, error: BaseException) -> str:
        """File, line and function of the user's own that an error comes from, and the error."""
        what = f"{type(error).__name__}: {error}".split("\n", 1)[0][:300]
        root = f"{self._root}/"
        if isinstance(error, SyntaxError) and str(error.filename).startswith(root):
            file = str(error.filename).removeprefix(root)
            return f"{file}, line {error.lineno}: SyntaxError: {error.msg}"
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if frame.filename.startswith(root):
                file = frame.filename.removeprefix(root)
                return f"{file}, line {frame.lineno}, in {frame.name}: {what}"
        return what

    def _imported(self, entry: str) -> Mapping[str, Callable[..., Any]]:
        sys.path.insert(0, str(self._root))
        path = self._root / entry
        name = path.parent.name if path.name == "__init__.py" else path.stem
        name = f"athanor_code_{name}" if name in sys.modules else name
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            text = f"{entry} is no Python file"
            raise CodeFailed(text)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        self._guarded(spec.loader.exec_module, module)
        hooks: Mapping[str, Callable[..., Any]] = self._guarded(_hooks_of, module)
        if not hooks:
            text = f"{entry} has none of the functions {', '.join(HOOKS)}, nor a class with them"
            raise CodeFailed(text)
        return hooks


def _hooks_of(module: ModuleType) -> dict[str, Callable[..., Any]]:
    """The functions of a module that have a meaning here, or the methods of its one class.

    Of several classes the one named `Model` counts. It is made without arguments.
    """
    found = {name: getattr(module, name) for name in HOOKS if callable(getattr(module, name, None))}
    if found:
        return found
    classes = [
        item
        for item in vars(module).values()
        if inspect.isclass(item)
        and item.__module__ == module.__name__
        and any(callable(getattr(item, name, None)) for name in HOOKS)
    ]
    named = [item for item in classes if item.__name__ == "Model"]
    if not classes or (len(classes) > 1 and not named):
        return {}
    made = (named or classes)[0]()
    return {name: getattr(made, name) for name in HOOKS if callable(getattr(made, name, None))}


def _count(hook: Callable[..., Any]) -> int:
    """How many arguments a function takes at most by place, 1 or 2."""
    kinds = [item.kind for item in inspect.signature(hook).parameters.values()]
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return min(2, max(1, sum(kind in positional for kind in kinds)))


class ForMlflow:
    """The same, with the interface of MLflow's models."""

    def __init__(self, runtime: PythonRuntime) -> None:
        self._runtime = runtime

    def predict(self, model_input: Any, params: Any = None) -> Any:  # noqa: ARG002 - MLflow's form
        """A label, a value, or whatever the code answers, for each row of a frame.

        Raises: CodeFailed.
        """
        frame = pd.DataFrame(model_input)
        records = frame.astype(object).where(frame.notna(), None).to_dict("records")
        reply = self._runtime.predict(self._runtime.rows(records))
        if reply.labels:
            return [self._runtime.hello.classes[place] for place in reply.labels]
        values: list[Any] = list(reply.values)
        return values or np.frombuffer(reply.numbers, dtype="<f8")


def _load_pyfunc(path: str) -> ForMlflow:
    """For `mlflow.pyfunc.load_model`, which names it so."""
    return ForMlflow(load(Path(path)))


def is_code(folder: Path) -> bool:
    """Whether a model folder holds a user's own Python."""
    return (folder / DESCRIPTION).is_file()


def is_recipe(folder: Path) -> bool:
    """Whether all its code is what a recipe stands in, to which nobody has to agree."""
    files = list((folder / CODE).rglob("*.py"))
    return bool(files) and all(file.read_text("utf-8", "replace") == PREPARING for file in files)


def load(folder: Path) -> PythonRuntime:
    """The code in this folder, around its model if it has one.

    Somebody agreed to the code, and to what the model inside would run: without that, nobody comes
    here.

    Raises: CodeFailed; what the model's library raises.
    """
    within = folder / INNER
    return PythonRuntime(folder, _inner(within) if within.is_dir() else Bare())


def _inner(folder: Path) -> Inner | Foreign:
    try:
        # By its path: an environment of its own may not have what it needs.
        packaging = importlib.import_module("athanor.registry.packaging")
        model = packaging.opened(folder, pickles=True)
    except ImportError:
        model = None
    if model is not None:
        return Inner(model)
    foreign = importlib.import_module("athanor.serving.runtimes.foreign")
    return Foreign(foreign.loaded(folder))
