"""Steps and pipelines that the tests run."""

import os
import pathlib
import random
import signal
import sys
import time
import warnings
from typing import Annotated, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from athanor.pipelines import If, operation, pipeline, step

warnings.filterwarnings("ignore", message="never shown")

FACTOR = 3


def scaled(number: int) -> int:
    return number * FACTOR


class Parts(NamedTuple):
    train: pd.DataFrame
    test: pd.DataFrame


@step
def loaded() -> dict[str, bool]:
    names = {"tarfile": "tarfile", "numpy": "numpy", "storage": "athanor.kernel.storage"}
    there = {word: name in sys.modules for word, name in names.items()}
    import tarfile  # noqa: PLC0415 - what is there before that is looked at

    del tarfile
    return there


@pipeline
def bare() -> dict[str, bool]:
    return loaded()


@step
def make(rows: int = 10) -> pd.DataFrame:
    return pd.DataFrame({"a": range(rows), "b": [f"x{i}" for i in range(rows)]})


@step
def split(table: pd.DataFrame, share: float = 0.3) -> Parts:
    cut = int(len(table) * share)
    return Parts(table.iloc[cut:], table.iloc[:cut])


@step
def total(table: pd.DataFrame) -> int:
    return int(table["a"].sum())


@pipeline
def sums(rows: int = 10, share: float = 0.5) -> dict[str, int]:
    parts = split(make(rows), share)
    return {"train": total(parts.train), "test": total(parts.test)}


@step
def shout(word: str, times: int = 2) -> str:
    print(f"shouting {word}")
    return word.upper() * scaled(times)


@step
def arrow_rows(table: pa.Table) -> int:
    return int(table.num_rows)


@step
def as_file(word: str) -> pathlib.Path:
    path = pathlib.Path("word.txt")
    path.write_text(word)
    return path


@step
def read_file(path: pathlib.Path) -> str:
    return path.read_text()


@step
def as_report(word: str) -> Annotated[pathlib.Path, "report"]:
    folder = pathlib.Path("report")
    folder.mkdir()
    (folder / "report.json").write_text(f'"{word}"')
    (folder / "report.html").write_text(f"<p>{word}</p>")
    return folder


@pipeline
def kinds(word: str = "hello") -> dict[str, Any]:
    rows = arrow_rows(make(7))
    return {
        "rows": rows,
        "shout": shout(word),
        "file": read_file(as_file(word)),
        "report": as_report(word),
    }


@step
def draw() -> list[float]:
    return [random.random(), float(np.random.rand())]  # noqa: NPY002 - the global state is seeded


@step(cache=False)
def draw_again() -> list[float]:
    return [random.random(), float(np.random.rand())]  # noqa: NPY002 - the global state is seeded


@pipeline
def draws() -> dict[str, list[float]]:
    return {"first": draw(), "second": draw_again()}


@step
def fail(word: str) -> str:
    number = len(word)
    return str(number / (number - number))


@pipeline
def failing(word: str = "oops") -> str:
    bad = fail(word)
    return shout(bad)


@step(retries=2)
def unsteady(folder: str) -> int:
    tries = pathlib.Path(folder) / "tries"
    with tries.open("a") as stream:
        stream.write("x")
    count = len(tries.read_text())
    if count < 3:
        raise ConnectionError(f"try {count}")
    return count


@pipeline
def retried(folder: str) -> int:
    return unsteady(folder)


@step(timeout=0.5)
def slow() -> int:
    time.sleep(60)
    return 1


@pipeline
def too_slow() -> int:
    return slow()


@step
def sleeps(seconds: float, folder: str) -> int:
    pathlib.Path(folder, f"pid-{os.getpid()}").touch()
    time.sleep(seconds)
    return 1


@pipeline
def sleeping(seconds: float, folder: str) -> int:
    first = sleeps(seconds, folder)
    return shout_after(first)


@step
def shout_after(number: int) -> int:
    return number


@step
def dies(folder: str, number: int) -> int:
    with pathlib.Path(folder, "deaths").open("a") as stream:
        stream.write("x")
    os.kill(os.getpid(), number)
    time.sleep(10)
    return 1


@pipeline
def dying(folder: str, number: int = int(signal.SIGSEGV)) -> int:
    return dies(folder, number)


@step
def forks(folder: str) -> str:
    child = os.fork()
    if child == 0:
        pathlib.Path(folder, "child").touch()
        return "child"
    os.waitpid(child, 0)
    return "parent"


@pipeline
def forking(folder: str) -> str:
    return forks(folder)


class Odd:
    pass


@step
def odd() -> Odd:
    return Odd()


@pipeline
def unstorable() -> None:
    odd()


@step
def lies() -> int:
    return "three"  # type: ignore[return-value]


@pipeline
def lying() -> int:
    return lies()


@step
def leaves() -> int:
    raise SystemExit(3)


@pipeline
def leaving() -> int:
    return leaves()


@step
def score(number: int) -> float:
    return number / 10


@pipeline
def branching(number: int) -> float:
    value = score(number)
    with If(value > 0.5):
        shout("good")
    with If(value <= 0.5):
        shout("bad")
    return value


@pipeline
def registering(rows: int = 5) -> int:
    table = make(rows)
    done = operation("thing.register", outputs={"version": int})(table=table, name="churn")
    return score_int(done.version)


@step
def score_int(number: int) -> int:
    return number + 100


@pipeline
def summing(table: pd.DataFrame) -> int:
    return total(table)


def plain(word: str, times: int = 1) -> str:
    """Knows nothing of steps."""
    return word * times


@step
def noted(name: str, folder: str, *, seconds: float = 0.1) -> int:
    """Leaves a line when it is done, so that a second time would show."""
    time.sleep(seconds)
    with pathlib.Path(folder, "done").open("a") as stream:
        stream.write(f"{name}\n")
    return len(name)


@step
def noted_table(number: int, folder: str, *, seconds: float = 0.1) -> pd.DataFrame:
    time.sleep(seconds)
    with pathlib.Path(folder, "done").open("a") as stream:
        stream.write(f"table {number}\n")
    return pd.DataFrame({"a": range(number)})


@step
def joined(left: pd.DataFrame, right: pd.DataFrame, folder: str) -> pd.DataFrame:
    with pathlib.Path(folder, "done").open("a") as stream:
        stream.write("joined\n")
    return pd.concat([left, right], ignore_index=True)


@pipeline
def long_work(folder: str, seconds: float = 0.1) -> Any:
    first = noted("first", folder, seconds=seconds)
    left = noted_table(first, folder, seconds=seconds)
    second = noted("second", folder, seconds=seconds)
    right = noted_table(second, folder, seconds=seconds)
    return joined(left, right, folder)


@step
def draw_all(numbers: list[float]) -> float:
    return sum(numbers)


@step
def draw_flag() -> bool:
    return True


@step
def array() -> np.ndarray:
    return np.arange(6, dtype="float32").reshape(2, 3)


@step
def series(array: np.ndarray) -> pd.Series:
    return pd.Series(array[1, :2].astype("int64"), index=["a", "b"], name="visits")


@step
def described(array: np.ndarray, series: pd.Series) -> list[Any]:
    figures = float(array[1].sum() + array[0, 2] + series["a"])
    return [str(array.dtype), [*array.shape], series.name, series.tolist(), figures]


@pipeline
def arrays() -> list[Any]:
    made = array()
    return described(made, series(made))


@step
def read_beside() -> str:
    return pathlib.Path("customers.csv").read_text("utf-8")


@pipeline
def reading_beside() -> str:
    return read_beside()


@step
def forgetful(rows: int) -> pd.DataFrame:
    pd.DataFrame({"a": range(rows)})
    return None  # type: ignore[return-value]


@pipeline
def returning_nothing() -> int:
    return total(forgetful(3))
