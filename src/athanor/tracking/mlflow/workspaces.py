"""The protocol's workspaces: each is a project, and is there once something is in it."""

from athanor.kernel import DEFAULT_PROJECT
from athanor.tracking.mlflow.calls import Answer, Answered, Call, project_of
from athanor.tracking.mlflow.failures import MlflowError, invalid
from athanor.tracking.mlflow.records import Record, Required
from athanor.tracking.mlflow.routing import MlflowRoutes
from athanor.tracking.service import Experiments
from athanor.tracking.types import DEFAULT_EXPERIMENT


class CreateWorkspace(Record):
    """POST workspaces."""

    name: Required
    description: str = ""
    default_artifact_root: str = ""


def add_workspace_routes(routes: MlflowRoutes, experiments: Experiments) -> None:
    """Answer for workspaces."""
    answers = _Routes(experiments)
    routes.add("GET", "workspaces", answers.list)
    routes.add("POST", "workspaces", answers.create)
    routes.add("GET", "workspaces/{name}", answers.get)
    for method in ("PATCH", "DELETE"):
        routes.add(method, "workspaces/{name}", answers.refuse)


class _Routes:
    def __init__(self, experiments: Experiments) -> None:
        self._experiments = experiments

    def list(self, call: Call) -> Answered:
        return {"workspaces": [{"name": name} for name in self._experiments.projects(call.who)]}

    def get(self, call: Call) -> Answered:
        name = call.path["name"]
        if name not in self._experiments.projects(call.who):
            raise MlflowError("RESOURCE_DOES_NOT_EXIST", f"Workspace '{name[:100]}' not found")
        return {"workspace": {"name": name}}

    def create(self, call: Call) -> Answered:
        asked = call.read(CreateWorkspace)
        if asked.name == DEFAULT_PROJECT:
            raise invalid(f"The '{DEFAULT_PROJECT}' workspace is reserved and cannot be created")
        if asked.default_artifact_root:
            raise invalid("A workspace keeps its artifacts on the server: leave the root out.")
        name = project_of(asked.name)
        if name in self._experiments.projects(call.who):
            raise MlflowError("RESOURCE_ALREADY_EXISTS", f"Workspace '{name}' already exists.")
        self._experiments.by_name(call.who, DEFAULT_EXPERIMENT, project=name)
        return Answer(body=b'{"workspace":{"name":"%s"}}' % name.encode(), status=201)

    def refuse(self, _call: Call) -> Answered:
        raise MlflowError(
            "NOT_IMPLEMENTED", "A workspace is a project: it is neither changed nor deleted here."
        )
