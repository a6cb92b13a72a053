"""Exports of endpoints over a transport."""

import io
import zipfile
from pathlib import Path
from typing import Any

from athanor.kernel.transport import Transport, segment
from athanor.serving.types.exports import ExampleRow, ManifestRequest


class ExportsClient:
    """Endpoints taken elsewhere: folders, containers, manifests, dashboards, programs."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def export(
        self,
        endpoint: str,
        folder: Path | str,
        *,
        kind: str = "folder",
        deployment: int | None = None,
    ) -> Path:
        """Write a folder that serves the endpoint's model without the platform; returns it."""
        query: dict[str, object] = {"kind": kind}
        if deployment is not None:
            query["deployment"] = deployment
        answer = self._transport.send("GET", f"{_path(endpoint)}/export", query=query)
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            archive.extractall(target)
        return target

    def manifest(self, endpoint: str, request: ManifestRequest | None = None) -> str:
        """YAML for Kubernetes, KServe or Seldon."""
        asked = request or ManifestRequest()
        query = {
            "kind": asked.kind,
            "image": asked.image,
            "namespace": asked.namespace,
            "min_replicas": asked.min_replicas,
            "max_replicas": asked.max_replicas,
            "resources": f"{asked.cpu},{asked.memory}",
        }
        answer = self._transport.send("GET", f"{_path(endpoint)}/manifest", query=query)
        return answer.content.decode()

    def dashboard(self, endpoint: str) -> dict[str, Any]:
        """A Grafana dashboard, to be imported."""
        found: dict[str, Any] = self._transport.send("GET", f"{_path(endpoint)}/dashboard").json()
        return found

    def example(self, endpoint: str) -> ExampleRow:
        """A row that the endpoint's model was trained on."""
        return self._transport.send("GET", f"{_path(endpoint)}/example").read(ExampleRow)

    def snippet(self, endpoint: str, language: str = "curl") -> str:
        """A program that asks the endpoint: curl, python or node."""
        query = {"language": language}
        answer = self._transport.send("GET", f"{_path(endpoint)}/snippet", query=query)
        return answer.content.decode()


def _path(endpoint: str) -> str:
    return f"/endpoints/{segment(endpoint)}"
