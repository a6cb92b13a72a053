"""A file is named instead of sent only by those who can read it, and only where it is that file."""

import os
from pathlib import Path

from athanor.kernel import nearby


def test_a_file_is_read_by_its_path_and_its_seal_alone(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(b"a,b\n" + bytes(3 << 20))
    seal = nearby.sealed(file)
    stream = nearby.opened(str(file), seal)
    assert stream is not None
    with stream:
        assert stream.read(4) == b"a,b\n"
        file.write_bytes(b"a,c\n" + bytes(3 << 20))
        assert not nearby.holds(stream, seal)
    twin = tmp_path / "twin.csv"
    twin.write_bytes(file.read_bytes())
    os.mkfifo(tmp_path / "pipe")
    for other in (file, twin, tmp_path, tmp_path / "pipe", tmp_path / "none", Path("a\0b")):
        assert nearby.opened(str(other), seal) is None
        assert nearby.opened(str(other), "") is None
