"""Where the files of tables lie: in a folder of this machine, or in an object store."""

import os
from collections.abc import Sequence

import pyarrow as pa

from athanor.data.errors import FilesGone
from athanor.kernel.remote import cached_copy, filesystem_of


def repeating(schema: pa.Schema) -> list[str] | bool:
    """The columns that Parquet should write as a dictionary: words, which repeat.

    Of numbers it would look for repetitions for longer than it takes to write them.
    """
    return [
        field.name
        for field in schema
        if pa.types.is_dictionary(field.type)
        or pa.types.is_string(field.type)
        or pa.types.is_large_string(field.type)
    ] or False


def located(uri: str, files: Sequence[str]) -> list[str]:
    """The paths of a table's files; those of an object store are fetched, once each.

    Raises: FilesGone.
    """
    places = [file if "://" in file or file.startswith("/") else f"{uri.rstrip('/')}/{file}"
              for file in files]  # fmt: skip
    for place in places:
        if is_local(place) and not os.path.exists(place):  # noqa: PTH110 - thousands of files
            raise FilesGone(place)
    return [place if is_local(place) else _fetched(place) for place in places]


def is_local(uri: str) -> bool:
    """Whether a table or a file lies in a folder of this machine."""
    return "://" not in uri


def _fetched(url: str) -> str:
    """A copy of an object, whose name is never used for another content."""
    target = cached_copy(url)
    if not target.exists():
        filesystem, path = filesystem_of(url)
        passing = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            filesystem.get_file(path, str(passing))
        except FileNotFoundError:
            raise FilesGone(url) from None
        passing.replace(target)
    return str(target)
