"""MLflow's clients say what code and which environment they run: a run context provider.

`athanor-ml` installs it as an entry point (`mlflow.run_context_provider`), so that each run that
MLflow's fluent API or autologging opens has these tags, whatever server it goes to. Where it is not
installed, only MLflow's own tags are there.
"""

import os

from athanor.kernel import provenance
from athanor.tracking.logic.provenance import tags_of

SWITCH = "ATHANOR_RUN_CONTEXT"
"""Set to 0, this adds nothing."""


class RunContext:
    """What MLflow asks when it opens a run; MLflow itself is not imported for it."""

    def in_context(self) -> bool:
        """Whether there is something to say."""
        return os.environ.get(SWITCH, "1").strip().lower() not in {"0", "false", "no", "off"}

    def tags(self) -> dict[str, str]:
        """Tags of code and environment, within MLflow's limits; never an exception."""
        try:
            return tags_of(provenance.code(), provenance.environment())
        except Exception:  # noqa: BLE001 - a run is opened all the same
            return {}
