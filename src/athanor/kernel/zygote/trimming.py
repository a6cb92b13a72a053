"""Give back the memory that loading libraries touched and nothing needs while idle."""

import ctypes
import sys
from pathlib import Path

_MADV_DONTNEED = 4


def drop_file_pages() -> None:
    """Unmap the pages of libraries' code that were read from files and never changed.

    They stay in the system's page cache and come back by a soft fault when touched. A fork does
    not copy such mappings' tables either, so its children lose nothing by it. Mappings with a page
    of their own (relocated data) or that may be written are left alone: there it would undo what
    the linker wrote.
    """
    smaps = Path("/proc/self/smaps")
    if sys.platform != "linux" or not smaps.exists():
        return
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
    for start, length in untouched_mappings(smaps.read_text(encoding="utf-8", errors="replace")):
        madvise(start, length, _MADV_DONTNEED)


def untouched_mappings(smaps: str) -> list[tuple[int, int]]:
    """Start and length in bytes of each read-only file mapping with no page of its own."""
    found: list[tuple[int, int]] = []
    candidate: tuple[int, int] | None = None
    for line in smaps.splitlines():
        first, _, rest = line.partition(" ")
        if first.endswith(":"):
            if first == "Anonymous:" and candidate and rest.split()[0] == "0":
                found.append(candidate)
            continue
        start, _, end = first.partition("-")
        fields = rest.split(maxsplit=4)  # permissions, offset, device, inode, path
        readable_file = len(fields) == 5 and fields[4].startswith("/") and "w" not in fields[0]
        candidate = (int(start, 16), int(end, 16) - int(start, 16)) if readable_file else None
    return found
