"""Where a reference leads over HTTP."""

from athanor.kernel import Transport
from athanor.kernel.transport import segment
from athanor.registry.types import Model


def parts_of(reference: str) -> tuple[str, str]:
    """A reference's model and what stands behind its last `@` ("" if nothing does)."""
    named = reference.removeprefix("model:")
    model, at, rest = named.rpartition("@")
    return (model, rest) if at else (named, "")


def version_path(transport: Transport, reference: str) -> str:
    """The path of the version that `churn@2`, `churn@champion` or `churn` names.

    A bare name is its champion, or its newest version where it has none.
    """
    model, rest = parts_of(reference)
    path = f"/models/{segment(model)}"
    if not rest:
        found = transport.send("GET", path).read(Model)
        rest = str(found.aliases.get("champion", "latest"))
    return f"{path}/versions/{segment(rest)}"
