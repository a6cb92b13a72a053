"""What the server says of itself to clients of MLflow."""

from athanor.tracking.mlflow.calls import Answer, Answered, Call
from athanor.tracking.mlflow.failures import MlflowError
from athanor.tracking.mlflow.routing import MlflowRoutes

VERSION = "3.17.2"
"""The release of MLflow whose protocol is spoken."""


def add_server_routes(routes: MlflowRoutes) -> None:
    """What the server says of itself."""

    async def health(_call: Call) -> Answer:
        return Answer(body=b"OK", media_type="text/html; charset=utf-8")

    async def version(_call: Call) -> Answer:
        return Answer(body=VERSION.encode(), media_type="text/html; charset=utf-8")

    async def server_info(_call: Call) -> Answered:
        return {
            "store_type": "SqlStore",
            "workspaces_enabled": True,
            "trace_archival_enabled": False,
            "multipart_uploads_enabled": False,
            "multipart_downloads_enabled": False,
            "presigned_upload_run_id_supported": False,
            "presigned_upload_model_id_supported": False,
            "features_enabled": {"gateway": False},
        }

    async def graphql(_call: Call) -> Answered:
        raise MlflowError("ENDPOINT_NOT_FOUND", "GraphQL is not supported by this tracking server.")

    async def traces(_call: Call) -> Answered:
        raise MlflowError("ENDPOINT_NOT_FOUND", "Traces are not supported by this tracking server.")

    routes.add_at("GET", "/health", health)
    routes.add_at("GET", "/version", version)
    routes.add_at("POST", "/graphql", graphql)
    routes.add_at("POST", "/v1/traces", traces)
    routes.add("GET", "server-info", server_info)
