"""`python -m athanor.pipelines.engines.local.debugging FOLDER`: an attempt in a terminal."""

import os
import pdb  # noqa: T100 - this is what it is for
import sys
from pathlib import Path

from athanor.kernel.errors import error_from_dict
from athanor.kernel.reaching import NOWHERE, RUN
from athanor.pipelines.engines.local.child import perform
from athanor.pipelines.engines.local.exchange import TASK_FILE, read_order
from athanor.pipelines.logic.values import shown


def main() -> int:
    """Run the attempt; 0 where it succeeds."""
    folder = Path(sys.argv[1])
    order = read_order((folder / TASK_FILE).read_bytes())
    os.environ.update(order.env)
    os.environ[RUN] = NOWHERE
    os.environ.setdefault("OMP_NUM_THREADS", str(order.embedded.threads))
    for name, value in order.parameters.items():
        _say(f"  {name} = {shown(value, 200)}")
    for name, items in order.artifacts.items():
        _say(f"  {name} = {', '.join(f'{item.type} {item.digest[:19]}' for item in items)}")
    result, trace = perform(folder, order)
    if result.error is None:
        for name, value in result.parameters.items():
            _say(f"  -> {name} = {shown(value, 200)}")
        for name, made in result.artifacts.items():
            _say(f"  -> {name} = {', '.join(f'{one.type} {one.digest[:19]}' for one in made)}")
        _say("It succeeded this time.")
        return 0
    error = error_from_dict(result.error)
    if error.hint:
        _say(f"hint: {error.hint}")
    if trace is not None and "--pdb" in sys.argv:
        pdb.post_mortem(trace)
    return 1


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
