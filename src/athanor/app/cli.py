"""The command line: a table of commands, each loaded when it is called.

Errors print what happened and what to do, never a traceback.
"""

import gc
import importlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import Any, NoReturn

from athanor.kernel.errors import AthanorError, Invalid, nearest


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: where it is, and its line in the help."""

    target: str
    help: str
    panel: str


COMMANDS = {
    "up": Entry(
        "athanor.app.commands:up", "Serve a workspace: API, studio, pipelines, endpoints.", "Server"
    ),
    "down": Entry("athanor.app.commands:down", "End the workspace's server.", "Server"),
    "status": Entry(
        "athanor.app.commands:status", "What there is, and whether it is well.", "Server"
    ),
    "settings": Entry(
        "athanor.app.commands:settings", "Every setting with its value and source.", "Server"
    ),
    "demo": Entry(
        "athanor.app.demo.commands:demo", "Drive the whole loop once, step by step.", "Start here"
    ),
    "backup": Entry(
        "athanor.app.keeping.commands:backup", "Copy the workspace while it is served.", "Server"
    ),
    "restore": Entry(
        "athanor.app.keeping.commands:restore", "Make a workspace of a backup.", "Server"
    ),
    "clean": Entry(
        "athanor.app.keeping.commands:clean", "Remove what nobody needs any more.", "Server"
    ),
    "data": Entry(
        "athanor.data.commands:commands", "Datasets: add, list, profile, check, watch.", "Work"
    ),
    "recipe": Entry(
        "athanor.data.commands.recipes:commands", "Recipes: prepare tables without code.", "Work"
    ),
    "sql": Entry("athanor.data.commands:run_sql", "Query datasets, runs and predictions.", "Work"),
    "tables": Entry("athanor.data.commands:print_tables", "What SQL may read.", "Work"),
    "train": Entry(
        "athanor.app.gallery.commands:train", "Train a classifier on a dataset.", "Work"
    ),
    "run": Entry(
        "athanor.app.running.commands:commands", "Run a file of your own as a recorded run.", "Work"
    ),
    "person": Entry(
        "athanor.app.persons.commands:commands", "A person's rows: trace, erase.", "Work"
    ),
    "feature": Entry(
        "athanor.features.commands:commands", "Features: define, join, bring online.", "Work"
    ),
    "pipeline": Entry(
        "athanor.pipelines.commands:commands", "Pipelines: run, watch, schedule.", "Work"
    ),
    "model": Entry(
        "athanor.registry.commands:commands", "Models: list, compare, promote, roll back.", "Work"
    ),
    "report": Entry("athanor.responsible.commands:commands", "Evaluation reports.", "Work"),
    "deploy": Entry("athanor.serving.commands:deploy", "Put a model behind an endpoint.", "Work"),
    "endpoint": Entry(
        "athanor.serving.commands:commands", "Endpoints: list, predict, label, roll back.", "Work"
    ),
    "batch": Entry(
        "athanor.serving.commands.batches:commands", "Predict whole tables: run, resume.", "Work"
    ),
    "monitor": Entry("athanor.monitoring.commands:commands", "Monitors: list, show, run.", "Watch"),
    "alert": Entry(
        "athanor.monitoring.commands:alert_commands", "Alerts: list, show, close.", "Watch"
    ),
    "lineage": Entry("athanor.lineage.commands:commands", "What came from what.", "Watch"),
    "import": Entry(
        "athanor.app.moving.commands:import_commands",
        "Bring in an MLflow store: runs, files, models.",
        "Arrive and leave",
    ),
    "export": Entry(
        "athanor.app.moving.commands:export_commands",
        "Write an MLflow store of what is here.",
        "Arrive and leave",
    ),
    "push": Entry(
        "athanor.app.moving.commands:push",
        "Send runs recorded here to a shared server.",
        "Arrive and leave",
    ),
    "event": Entry("athanor.app.commands:events", "What happened last; --follow goes on.", "Watch"),
}


USAGE = """\
Athanor: the whole life of a machine-learning model, from one command.

Usage: athanor [--workspace DIR | --url URL] COMMAND [ARGS]...
"""

# Understood by every command, wherever they stand; `up` and `demo` take them as their own.
INTERRUPTED = 130
"""The exit code after Ctrl-C."""
_EVERYWHERE = {"--workspace": "ATHANOR_WORKSPACE", "--url": "ATHANOR_URL"}


_READERS = frozenset({"status", "tables", "event"})
_READING = frozenset(
    {"list", "show", "versions", "profile", "history", "compare", "logs", "trace", "diff", "status"}
)
"""Commands and subcommands that read alone: where there is no workspace they make none."""


class UnknownCommand(Invalid):
    """No command has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is no command {name!r}.",
            hint=nearest(name, COMMANDS) or "See all commands: athanor --help",
        )


class Unusable(Invalid):
    """The system refuses a file or folder that the command needs."""

    def __init__(self, error: OSError) -> None:
        super().__init__(
            f"Can't use {error.filename}: {error.strerror or error}.",
            hint="Give a place that is there, has room, and that you may read and write.",
        )


def main() -> NoReturn:
    """The entry point of `athanor`."""
    # A command makes little but the code that it loads; looking there for garbage took a tenth.
    gc.set_threshold(200_000, 20, 20)
    try:
        code = _run(sys.argv[1:])
    except AthanorError as error:
        _tell(error)
        code = 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        code = INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except Exception as error:
        if os.environ.get("ATHANOR_DEBUG"):
            raise
        code = _tell_unnamed(error)
    _close()
    sys.exit(code)


def _tell_unnamed(error: Exception) -> int:
    """Tell of an error that has no name of ours; the exit code."""
    if isinstance(error, OSError) and error.filename:
        _tell(Unusable(error))
        return 1
    print(f"Error: something went wrong inside Athanor: {error!r}", file=sys.stderr)
    print("  See where: set ATHANOR_DEBUG=1 and run it again.", file=sys.stderr)
    return 70


def call(*args: str) -> int:
    """Run a command in this process; its exit code. What it prints goes to `sys.stdout`.

    Raises: the AthanorError that the command line would print.
    """
    return _run(list(args))


def _run(args: list[str]) -> int:
    args = _take_everywhere(args)
    if not args or args[0] in {"--help", "-h", "help"}:
        print(_help())
        return 0
    if args[0] in {"--version", "-V"}:
        print(f"athanor {metadata.version('athanor-ml')}")
        return 0
    name = args[0]
    if name not in COMMANDS:
        raise UnknownCommand(name)
    try:
        _command(name, args[1:])(args=args[1:], prog_name=f"athanor {name}")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


def _command(name: str, args: list[str]) -> Callable[..., Any]:
    """The command of this name, loaded now."""
    import typer.main  # noqa: PLC0415 - the help alone does without

    from athanor.app.connect import open_for_reading, open_transport  # noqa: PLC0415 - as above
    from athanor.kernel import console  # noqa: PLC0415 - as above

    reads = name in _READERS or (args and args[0] in _READING)
    console.connect_by(open_for_reading if reads else open_transport)
    module_name, _, attribute = COMMANDS[name].target.partition(":")
    module = importlib.import_module(module_name)
    found = getattr(module, attribute)
    alone = getattr(module, "alone", {}).get(name)
    if alone is not None and args and not args[0].startswith("-") and args[0] not in _names(found):
        found = alone
    if not isinstance(found, typer.Typer):
        app = typer.Typer(add_completion=False)
        app.command()(found)
        found = app
    return typer.main.get_command(found)


def _names(group: Any) -> set[str]:
    """The names of a group's subcommands."""
    return {
        item.name or (item.callback.__name__ if item.callback else "")
        for item in group.registered_commands
    }


def _take_everywhere(args: list[str]) -> list[str]:
    """Move the options that every command understands into the environment."""
    if args and args[0] in {"up", "demo"}:
        return args
    kept: list[str] = []
    rest = iter(args)
    for arg in rest:
        if arg == "--":
            kept.append(arg)
            break
        name, equals, value = arg.partition("=")
        if name not in _EVERYWHERE:
            kept.append(arg)
            continue
        given = value if equals else next(rest, "")
        if not given:
            raise Invalid(f"{name} needs a value.", hint=f"Example: athanor {name} PLACE status")
        os.environ[_EVERYWHERE[name]] = given
    return kept + list(rest)


def _help() -> str:
    lines = [USAGE]
    for panel in dict.fromkeys(entry.panel for entry in COMMANDS.values()):
        lines.append(f"{panel}:")
        lines += [
            f"  {name:<10} {entry.help}" for name, entry in COMMANDS.items() if entry.panel == panel
        ]
        lines.append("")
    lines.append("Each command explains itself: athanor COMMAND --help")
    return "\n".join(lines)


def _tell(error: AthanorError) -> None:
    print(f"Error: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"  {error.hint}", file=sys.stderr)


def _close() -> None:
    """Close what commands opened; the module is there only if one did."""
    connect = sys.modules.get("athanor.app.connect")
    if connect is not None:
        connect.close_all()


if __name__ == "__main__":
    main()
