"""How models and versions are named: `churn`, `churn@2`, `churn@champion`, `churn@latest`."""

import posixpath
import re

from athanor.registry.errors import BadModelName

LATEST = "latest"
CHAMPION = "champion"
LENGTH = 255
"""Characters that a name may have."""

_ALIAS = re.compile(r"[\w\-][\w.\-]{0,254}")
_RESERVED_ALIAS = re.compile(r"latest|v\d+", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def split(reference: str) -> tuple[str, str]:
    """A reference's model and what stands behind its last `@` ("" if nothing does).

    A name with an `@` in it is told from a reference by the version that has to follow it.
    """
    named = reference.removeprefix("model:")
    model, at, rest = named.rpartition("@")
    return (model, rest) if at else (named, "")


def check_model_name(name: str) -> str:
    """The name, if it may be a model's: MLflow's rule, up to 255 characters.

    Raises: BadModelName.
    """
    odd = (
        not name.strip()
        or len(name) > LENGTH
        or "/" in name
        or ":" in name
        or posixpath.normpath(name) != name
        or name in {".", ".."}
        or _CONTROL.search(name)
    )
    if odd:
        raise BadModelName(
            "model",
            name,
            f"Use 1 to {LENGTH} characters, none of them '/', ':' or a control character.",
        )
    return name


def check_alias(alias: str) -> str:
    """The alias, if it may be one: MLflow's rule, and dots. Those that stand for versions can't.

    Raises: BadModelName.
    """
    if not _ALIAS.fullmatch(alias) or _RESERVED_ALIAS.fullmatch(alias):
        raise BadModelName(
            "alias",
            alias,
            f"Use 1 to {LENGTH} letters, digits, '_', '-' and '.'; "
            "'latest' and 'v1', 'v2' ... are taken.",
        )
    return alias
