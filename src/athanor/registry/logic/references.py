"""How models and versions are named: `churn`, `churn@2`, `churn@champion`, `churn@latest`."""

import json
import posixpath
import re

from athanor.registry.errors import BadAlias, BadModelName

LATEST = "latest"
CHAMPION = "champion"
LENGTH = 255
"""Characters that a name may have."""

_ALIAS = re.compile(r"[\w.\-]*")
_VERSION_ALIAS = re.compile(r"[vV]\d+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def split(reference: str) -> tuple[str, str]:
    """A reference's model and what stands behind its last `@` ("" if nothing does).

    A name with an `@` in it is told from a reference by the version that has to follow it.
    """
    named = reference.removeprefix("model:")
    model, at, rest = named.rpartition("@")
    return (model, rest) if at else (named, "")


def check_model_name(name: str, parameter: str = "name") -> str:
    """The name, if it may be a model's: MLflow's rule, up to 255 characters.

    Raises: BadModelName, in the words that MLflow's clients match.
    """
    if not name.strip():
        raise BadModelName(f"Missing value for required parameter '{parameter}'.")
    check_sought_name(name)
    if len(name) > LENGTH:
        raise BadModelName(f"'name' exceeds the maximum length of {LENGTH} characters")
    if _CONTROL.search(name):
        raise BadModelName(f"Invalid model name {name!r}. It contains a control character.")
    return name


def check_sought_name(name: str) -> str:
    """The name, if a model may be looked for by it: one that none can have is just not there.

    Raises: BadModelName.
    """
    if not name.strip():
        raise BadModelName("Missing value for required parameter 'name'.")
    shown = name if len(name) <= LENGTH else f"{name[:100]}..."
    if "/" in name or ":" in name:
        raise BadModelName(f"Invalid model name '{shown}'. Names cannot contain '/' or ':'.")
    resolved = posixpath.normpath(name)
    if resolved != name or name == "." or name.startswith(".."):
        raise BadModelName(
            f"Invalid value {json.dumps(shown)} for parameter 'name' supplied: Names may be "
            "treated as files in certain cases, and must not resolve to other names when treated "
            "as such. "
            f"This name would resolve to {resolved[:LENGTH]!r}"
        )
    return name


def check_alias(alias: str) -> str:
    """The alias, if it may be one: MLflow's rule, and dots. Those that stand for versions can't.

    Raises: BadAlias, in the words that MLflow's clients match.
    """
    check_sought_alias(alias)
    if alias.lower() == LATEST:
        raise BadAlias("'latest' alias name (case insensitive) is reserved.")
    if _VERSION_ALIAS.fullmatch(alias):
        raise BadAlias(f"Version alias name '{alias}' is reserved.")
    return alias


def check_sought_alias(alias: str) -> str:
    """The alias, if a version may be looked for by it: those that stand for versions too.

    Raises: BadAlias.
    """
    if not alias:
        raise BadAlias("Registered model alias name cannot be empty.")
    if len(alias) > LENGTH:
        raise BadAlias(
            f"'Registered model alias name' exceeds the maximum length of {LENGTH} characters"
        )
    if not _ALIAS.fullmatch(alias):
        raise BadAlias(
            f"Invalid alias name: '{alias}'. Names may only contain alphanumerics, underscores "
            "(_), and dashes (-)."
        )
    return alias
