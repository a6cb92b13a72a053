"""Names of datasets and of their versions."""

import re

from athanor.data.errors import BadDatasetName, BadVersionReference

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,79}")
_VERSION = re.compile(r"v?([1-9][0-9]{0,8})")


def checked_name(name: str) -> str:
    """The name, if it can be one.

    Raises: BadDatasetName.
    """
    if not _NAME.fullmatch(name):
        raise BadDatasetName(name)
    return name


def parsed_reference(reference: str) -> tuple[str, int | None]:
    """A dataset's name and a version number, None for the latest.

    Raises: BadVersionReference.
    """
    name, _, rest = reference.partition("@")
    return name, parsed_version(rest, reference)


def parsed_version(rest: str, reference: str) -> int | None:
    """What stands behind the @: a number, or None for nothing and `latest`.

    Raises: BadVersionReference.
    """
    if rest in {"", "latest"}:
        return None
    found = _VERSION.fullmatch(rest)
    if found is None:
        raise BadVersionReference(reference)
    return int(found[1])
