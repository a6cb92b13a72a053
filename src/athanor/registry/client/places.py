"""Where a reference leads over HTTP."""

from athanor.kernel import Transport
from athanor.kernel.transport import segment
from athanor.registry.types import Model


def version_path(transport: Transport, reference: str) -> str:
    """The path of the version that `churn@2`, `churn@champion` or `churn` names.

    A bare name is its champion, or its newest version where it has none.
    """
    model, _, rest = reference.removeprefix("model:").partition("@")
    path = f"/models/{segment(model)}"
    if not rest:
        found = transport.send("GET", path).read(Model)
        rest = str(found.aliases.get("champion", "latest"))
    return f"{path}/versions/{segment(rest)}"
