"""How versions are named: `churn`, `churn@2`, `churn@champion`, `churn@latest`."""

import re

from athanor.registry.errors import BadModelName

LATEST = "latest"
CHAMPION = "champion"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]{0,99}")


def split(reference: str) -> tuple[str, str]:
    """A reference's model and what stands behind its `@` ("" if nothing does)."""
    model, _, rest = reference.removeprefix("model:").partition("@")
    return model, rest


def check_name(what: str, name: str) -> str:
    """The name, if it may be one of a model or an alias.

    Raises: BadModelName.
    """
    if not _NAME.fullmatch(name) or name == LATEST:
        raise BadModelName(what, name)
    return name
