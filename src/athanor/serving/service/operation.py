"""`endpoint.deploy` as a step of pipelines."""

from athanor.kernel.permissions import Principal
from athanor.lineage import OperationCall, OperationResult
from athanor.serving.service.endpoints import Endpoints
from athanor.serving.types import CanaryPlan, Deploy


class DeployOperation:
    """Deploys a registered version, by canary where another one is live.

    Parameters: `endpoint` ("" does nothing), `model` (a reference; or a name, with `version`),
    `canary` (percent to begin with; 0 or absent takes over at once), `patience` (seconds without
    traffic after which it is asked what was logged), `key_column`. The result's parameters:
    `endpoint`, `deployment`, `number`.
    """

    name = "endpoint.deploy"

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints

    def __call__(self, who: Principal, call: OperationCall) -> OperationResult:
        """Deploy; a repetition with the same key answers the same.

        Raises: what `Endpoints.deploy` raises.
        """
        given = call.parameters
        endpoint = str(given.get("endpoint") or "")
        if not endpoint:
            return OperationResult(parameters={"endpoint": "", "deployment": "", "number": 0})
        model = str(given["model"])
        if given.get("version") and "@" not in model:
            model = f"{model}@{int(given['version'])}"
        canary = float(given["canary"]) / 100 if given.get("canary") else None
        plan = None
        if canary is not None and given.get("patience") is not None:
            plan = CanaryPlan(patience_seconds=float(given["patience"]))
        deployment = self._endpoints.deploy(
            who,
            endpoint,
            Deploy(
                model=model,
                canary=canary,
                plan=plan,
                key=str(given["key_column"]) if given.get("key_column") else None,
                project=call.project,
                idempotency_key=call.key,
            ),
        )
        return OperationResult(
            parameters={
                "endpoint": endpoint,
                "deployment": deployment.id,
                "number": deployment.number,
            }
        )
