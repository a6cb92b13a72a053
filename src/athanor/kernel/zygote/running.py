"""What happens inside a worker: its surroundings, the call, and the answer."""

import contextlib
import ctypes
import importlib
import linecache
import os
import resource
import select
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import athanor
from athanor.kernel import workers
from athanor.kernel.errors import AthanorError, error_to_dict
from athanor.kernel.workers import BadTarget, WorkFailed
from athanor.kernel.zygote.frames import Reader, encode, send

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "ARROW_IO_THREADS",
)
_PR_SET_PDEATHSIG = 1
# Made once: each fork would take as long for it as for all the rest of its beginning.
_prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None
_STATM_DATA = 5  # the sixth field of /proc/self/statm: private data and stack, in pages


def die_with_parent(parent: int, sign: int) -> None:
    """Ask Linux to send us a signal when the parent's thread that made us ends."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, int(sign))
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)


def signal_group(pid: int, sign: int) -> None:
    """Signal a worker and what it started; nothing happens where they are gone."""
    try:
        os.killpg(pid, sign)
    except ProcessLookupError:  # gone, or it has not made its group yet
        try:
            os.kill(pid, sign)
        except ProcessLookupError:
            return
    except PermissionError:  # macOS says this of a group of zombies
        return


def run_fresh(channel: socket.socket) -> NoReturn:
    """Be a worker of our own interpreter, whose log and session the server already set."""
    reader = Reader(channel)
    request = reader.next()
    if request is None:
        os._exit(1)
    _watch_lifeline(request["lifeline"])
    enter(request)
    serve(channel, reader, request["target"])


def _watch_lifeline(fd: int) -> None:
    """Kill our group when the other end of this pipe closes: the server is gone.

    The portable way, for systems that have no PR_SET_PDEATHSIG; and it takes our own children
    along, which that would not.
    """
    os.set_inheritable(fd, False)

    def watch() -> None:
        select.select([fd], [], [])
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def enter(request: Mapping[str, Any]) -> None:
    """Take the surroundings that the request names, except for log and session."""
    threads = int(request.get("threads", 1))
    if threads != 1:  # which our maker has set for all of us
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    env: Mapping[str, str] = request.get("env") or {}
    if env:
        os.environ.update(env)
    if request.get("cwd"):
        os.chdir(request["cwd"])
    if request.get("umask") is not None:
        os.umask(request["umask"])
    if request.get("memory_bytes"):
        _limit_memory(request["memory_bytes"])
    if env.get("PYTHONPATH"):
        paths = [path for path in env["PYTHONPATH"].split(os.pathsep) if path]
        importlib.invalidate_caches()  # folders may have come since the zygote looked
        sys.path[:0] = [path for path in paths if path not in sys.path]
    if threads > 1:
        _widen(threads)


def _widen(threads: int) -> None:
    """Give the numeric libraries that the zygote loaded with one thread each more of them."""
    if "numpy" in sys.modules:
        with contextlib.suppress(ImportError):
            importlib.import_module("threadpoolctl").threadpool_limits(threads)
    if arrow := sys.modules.get("pyarrow"):
        arrow.set_cpu_count(threads)


def _limit_memory(extra_bytes: int) -> None:
    # RLIMIT_DATA counts private writable memory only, so mapped files stay free. Where /proc is
    # missing (macOS) the limit is best effort.
    held = 0
    with contextlib.suppress(OSError):
        fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
        held = int(fields[_STATM_DATA]) * resource.getpagesize()
    limit = held + extra_bytes
    _soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def serve(channel: socket.socket, reader: Reader, target: str) -> NoReturn:
    """Read the payload, call the target, answer, and end the process."""
    code = 1
    try:
        payload = reader.next()
        if payload is not None:
            answer = _answer(channel, target, payload)
            code = 0 if "result" in answer else 1
            send(channel, _frame(target, answer))
    except OSError:
        pass  # nobody listens any more
    except BaseException:  # noqa: BLE001 (the last line of defence: tell it and end)
        traceback.print_exc()
    finally:
        _end(code)


def serve_silently(
    target: str, payload: Mapping[str, Any], function: Callable[..., Any] | None = None
) -> NoReturn:
    """Call the target and end the process: 0 where it returned, 1 where it raised.

    The function that it names may be given.
    """
    code = 1
    try:
        (function or resolve(target))(**payload)
        code = 0
    except BaseException:  # noqa: BLE001 (as above)
        traceback.print_exc()
    finally:
        _end(code)


def _end(code: int) -> NoReturn:
    # Without `suppress`: whatever else is called in a fork costs the pages that it touches.
    try:  # noqa: SIM105
        sys.stdout.flush()
    except Exception:  # noqa: BLE001, S110 (nobody is left to be told)
        pass
    try:  # noqa: SIM105
        sys.stderr.flush()
    except Exception:  # noqa: BLE001, S110 (same)
        pass
    os._exit(code)


def _answer(channel: socket.socket, target: str, payload: dict[str, Any]) -> dict[str, Any]:
    lock = threading.Lock()

    def deliver(message: dict[str, Any]) -> None:
        frame = encode({"message": message})
        with lock:
            send(channel, frame)

    workers.outbox[:] = [deliver]
    try:
        return {"result": resolve(target)(**payload)}
    except AthanorError as error:
        return {"error": error_to_dict(error)}
    except SystemExit as error:
        if error.code in (None, 0):
            return {"result": None}
        return {"error": error_to_dict(failure(error, f"It called sys.exit({error.code!r})."))}
    except BaseException as error:  # noqa: BLE001 (whatever user code raises is its answer)
        traceback.print_exception(error)
        return {"error": error_to_dict(failure(error))}
    finally:
        workers.outbox.clear()


def _frame(target: str, answer: dict[str, Any]) -> bytes:
    try:
        return encode(answer)
    except (TypeError, ValueError, OverflowError) as error:
        told = WorkFailed(
            f"What {target} returned can't be sent: {error}.",
            hint="Return plain data, or write a file and return its path.",
            details={"type": type(error).__name__, "message": str(error)},
        )
        return encode({"error": error_to_dict(told)})


def resolve(target: str) -> Callable[..., Any]:
    """The function that "module:function" names. Raises: BadTarget."""
    module_name, _, path = target.partition(":")
    hint = "Name it as module:function, of a module that can be imported."
    if not module_name or not path:
        raise BadTarget(f"The target {target!r} is not of the form module:function.", hint=hint)
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            message = f"The target {target!r} names no module that exists here."
            raise BadTarget(message, hint=hint) from error
        raise
    for name in path.split("."):
        found = getattr(found, name, None)
    if not callable(found):
        raise BadTarget(f"The module {module_name!r} has no function {path!r}.", hint=hint)
    function: Callable[..., Any] = found
    return function


def failure(error: BaseException, message: str = "") -> WorkFailed:
    """An unexpected exception, told with the line of the user's code that it came from."""
    name = type(error).__name__
    text = message or f"{name}: {error}".removesuffix(": ")
    details: dict[str, Any] = {
        "type": name,
        "message": str(error),
        "traceback": "".join(traceback.format_exception(error)),
    }
    place = _users_line(error.__traceback__)
    hint = ""
    if place:
        details.update(place)
        hint = "Look at {file}, line {line}, in {function}: {source}".format(**place)
    if isinstance(error, MemoryError):
        hint = f"It may not take more memory than it was given. {hint}".strip()
    return WorkFailed(text, hint=hint, details=details)


def _users_line(trace: TracebackType | None) -> dict[str, Any] | None:
    """The innermost frame outside of Athanor, the standard library and installed packages."""
    ours = str(Path(athanor.__file__).parent)
    library = str(Path(os.__file__).parent)
    frames = [
        (frame.f_code, line)
        for frame, line in traceback.walk_tb(trace)
        if not frame.f_code.co_filename.startswith((ours, library, "<"))
        and "site-packages" not in frame.f_code.co_filename
    ]
    if not frames:
        return None
    code, line = frames[-1]
    return {
        "file": code.co_filename,
        "line": line,
        "function": code.co_qualname if hasattr(code, "co_qualname") else code.co_name,
        "source": linecache.getline(code.co_filename, line).strip(),
    }
