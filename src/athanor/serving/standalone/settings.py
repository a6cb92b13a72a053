"""How an exported folder is served: its own description, flags, and the hosts' variables.

Vertex AI says `AIP_HTTP_PORT`, `AIP_HEALTH_ROUTE` and `AIP_PREDICT_ROUTE`; SageMaker starts the
container with the argument `serve`, on port 8080 or `SAGEMAKER_BIND_TO_PORT`; others say `PORT`.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from athanor.serving.types import Signature

FORMAT_VERSION = 1
DESCRIPTION = "endpoint.json"
_HOSTED = ("AIP_HTTP_PORT", "SAGEMAKER_BIND_TO_PORT", "PORT", "KUBERNETES_SERVICE_HOST")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """The content of an exported folder's `endpoint.json`."""

    endpoint: str
    model: str
    version: int
    number: int
    """The deployment's, which is also its version in the Open Inference Protocol."""
    deployment: str
    signature: Signature
    key: str = ""
    runtime: str = "native"
    """`native`: workers load `model/`; else what `runtime/` holds, which answers in the plane."""
    pickles: bool = False
    """Whether somebody agreed to load the model although that runs code."""
    format_version: int = FORMAT_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where and how to listen."""

    host: str
    port: int
    workers: int
    """Processes of a native model."""
    token: str
    """What callers must send as a bearer token, or ""."""
    predictions: str
    """The folder of the prediction log, or "" for none."""
    body_bytes: int
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Addresses that the host asks at, and ours that answer."""


def settings_of(
    bundle: Bundle, arguments: Sequence[str], environment: Mapping[str, str]
) -> Settings:
    """The settings: flags are stronger than variables. Ends the process where a flag is wrong."""
    said = environment.get
    hosted = "serve" in arguments or any(name in environment for name in _HOSTED)
    port = said("AIP_HTTP_PORT") or said("SAGEMAKER_BIND_TO_PORT") or said("PORT") or "8080"
    parser = argparse.ArgumentParser(
        prog="serve.py", description=f"Serves {bundle.model}@{bundle.version}."
    )
    parser.add_argument("serve", nargs="?", help="as SageMaker starts containers")
    parser.add_argument(
        "--host",
        default=said("HOST") or ("0.0.0.0" if hosted else "127.0.0.1"),  # noqa: S104
    )
    parser.add_argument("--port", type=int, default=port)
    parser.add_argument("--workers", type=int, default=said("ATHANOR_WORKERS", "1"))
    parser.add_argument(
        "--predictions",
        default=said("ATHANOR_PREDICTIONS", ""),
        help="a folder for the prediction log; without it nothing is logged",
    )
    parser.add_argument("--body-mb", type=int, default=said("ATHANOR_BODY_MB", "16"))
    given = parser.parse_args(list(arguments))
    return Settings(
        host=given.host,
        port=given.port,
        workers=max(1, given.workers),
        token=said("ATHANOR_TOKEN", ""),
        predictions=given.predictions,
        body_bytes=given.body_mb << 20,
        aliases=_aliases(bundle, environment),
    )


def _aliases(bundle: Bundle, environment: Mapping[str, str]) -> dict[str, str]:
    home = f"/endpoints/{bundle.endpoint}"
    found = {}
    health, predict = environment.get("AIP_HEALTH_ROUTE"), environment.get("AIP_PREDICT_ROUTE")
    if health:
        found[health] = f"{home}/ping"
    if predict:
        found[predict] = f"{home}/predict"
    return found
