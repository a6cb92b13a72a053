"""The shapes as Metaflow runs them."""

# mypy: ignore-errors
# The library is in an environment of its own.

import subprocess
import sys
from pathlib import Path

COUNT = {"one": 1, "chain": 20, "fan": 100}[sys.argv[1]]
HEAD = "from metaflow import FlowSpec, step\n\n\nclass Shape(FlowSpec):\n"
STEP = (
    "    @step\n    def {name}(self{more}):\n        {body}\n"
    "        self.next(self.{next}{loop})\n\n"
)
END = "    @step\n    def end(self):\n        pass\n\n\nif __name__ == '__main__':\n    Shape()\n"


def text() -> str:
    """The flow's file: Metaflow reads its shape from the source."""
    if sys.argv[1] == "fan":
        start = STEP.format(
            name="start",
            more="",
            body=f"self.items = list(range({COUNT}))",
            next="one",
            loop=", foreach='items'",
        )
        one = STEP.format(name="one", more="", body="self.value = self.input", next="join", loop="")
        join = STEP.format(name="join", more=", inputs", body="pass", next="end", loop="")
        return HEAD + start + one + join + END
    names = ["start", *(f"s{index}" for index in range(COUNT)), "end"]
    parts = [
        STEP.format(name=name, more="", body="self.value = 1", next=names[place + 1], loop="")
        for place, name in enumerate(names[:-1])
    ]
    return HEAD + "".join(parts) + END


Path("shape.py").write_text(text(), "utf-8")
words = [sys.executable, "shape.py", "--no-pylint", "run", "--max-workers", "2"]
subprocess.run(words, check=True)
