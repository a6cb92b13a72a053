"""How code that runs for a run finds the platform: environment variables, and nothing is loaded.

What it logs with our SDK, or with any client of MLflow's, then belongs to that run.
"""

from collections.abc import Mapping
from dataclasses import dataclass

URL = "ATHANOR_URL"
TOKEN = "ATHANOR_TOKEN"  # noqa: S105 - a variable's name
RUN = "ATHANOR_RUN_ID"
NOWHERE = "nowhere"
"""The run of what is only tried: what it logs is kept nowhere."""
MLFLOW_URL = "MLFLOW_TRACKING_URI"
_MLFLOW_TOKEN = "MLFLOW_TRACKING_TOKEN"  # noqa: S105 - as above
_MLFLOW_RUN = "MLFLOW_RUN_ID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where the platform answers the processes that it starts."""

    url: str
    token: str = ""


def variables_of(way: Way, run_id: str, around: Mapping[str, str]) -> dict[str, str]:
    """What a run's process is told of the platform.

    MLflow's clients are told where they are told of no other server by what is around them.
    """
    told = {URL: way.url, RUN: run_id}
    if way.token:
        told[TOKEN] = way.token
    if around.get(MLFLOW_URL, way.url).rstrip("/") == way.url:
        told |= mlflow_variables(way) | {_MLFLOW_RUN: run_id}
    return told


def mlflow_variables(way: Way) -> dict[str, str]:
    """By which MLflow's clients record here."""
    return {MLFLOW_URL: way.url} | ({_MLFLOW_TOKEN: way.token} if way.token else {})
