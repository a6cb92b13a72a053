"""Where in a file something went wrong while a pipeline was written down."""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from athanor.kernel.errors import AthanorError
from athanor.pipelines.authoring.values import LATER
from athanor.pipelines.errors import BadPipeline, cause_of


@contextmanager
def placed(name: str, function: Callable[..., Any]) -> Iterator[None]:
    """Errors raised inside begin with the file and line of the function that was at fault.

    An exception of the function's own becomes a BadPipeline.
    """
    code = getattr(function, "__code__", None)
    file, head = (code.co_filename, code.co_firstlineno) if code is not None else ("", 0)
    try:
        yield
    except AthanorError as error:
        put(error, file, line_in(error, file) or head)
        raise
    except Exception as error:
        bad = BadPipeline(
            f"Pipeline {name!r} can't be written down: {cause_of(error)}",
            hint="Correct the line." if isinstance(error, NameError | ImportError) else LATER,
        )
        put(bad, file, line_in(error, file) or head)
        raise bad from error


def put(error: AthanorError, file: str, line: int) -> None:
    """Have an error begin with its place, unless it has one."""
    if file and line and "line" not in error.details:
        error.message = f"{file}:{line}: {error.message}"
        error.details |= {"file": file, "line": line}


def line_in(error: BaseException, file: str) -> int:
    """The last line of a file that was run before an error; 0 if none was."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == file]
    return next((line for line in reversed(lines) if line), 0)
