"""The repository names no machine of ours."""

import re
import subprocess

from tests.architecture import house

# Written in pieces, so that this file does not match itself.
FOREIGN = re.compile(
    "|".join(
        [
            r"files\.python" + r"hosted\.org",
            r"py" + r"pi\.org/simple",
            r"registry\.npm" + r"js\.org",
            r"(?<![\w.])/wo" + r"rk/",
            r"(?<![\w.])/ro" + r"ot/",
            r"/opt/py" + r"pi",
        ]
    )
)


def test_no_tracked_file_names_a_registry_or_a_machines_path() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=house.ROOT, check=True, capture_output=True, text=True
    )
    found = []
    for name in filter(None, listed.stdout.split("\0")):
        file = house.ROOT / name
        if not file.is_file():
            continue
        content = file.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
            if FOREIGN.search(line):
                found.append(f"{name}:{number}")
    assert found == []
