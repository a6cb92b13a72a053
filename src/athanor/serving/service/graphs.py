"""The verbs of graphs: endpoints that answer through others."""

import hashlib
import re
from dataclasses import dataclass

import msgspec

from athanor.kernel.clock import Clock
from athanor.kernel.database import Database
from athanor.kernel.events import Events
from athanor.kernel.ids import new_id
from athanor.kernel.permissions import Access, Principal
from athanor.lineage import Lineage, NewRun
from athanor.serving.errors import EndpointNameInvalid
from athanor.serving.errors.deployments import EndpointHasDeployments, GraphInvalid, NoGraph
from athanor.serving.logic.graphs import endpoints_of, read_by, signature_of_graph
from athanor.serving.ports import Fleet
from athanor.serving.service.traffic import Traffic
from athanor.serving.store import EndpointStore
from athanor.serving.types import RUNNING, Deployment, Endpoint, Signature
from athanor.serving.types.graphs import InferenceGraph
from athanor.serving.types.rollouts import Rollout

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphParts:
    """What `Graphs` works with."""

    events: Events
    lineage: Lineage
    clock: Clock
    traffic: Traffic
    fleet: Fleet


class Graphs:
    """Endpoints that join others: each composition is a deployment of its own, and goes back."""

    def __init__(
        self, store: EndpointStore, database: Database, *, access: Access, parts: GraphParts
    ) -> None:
        self._store = store
        self._database = database
        self._access = access
        self._parts = parts

    def compose(self, who: Principal, name: str, graph: InferenceGraph) -> Deployment:
        """Have an endpoint answer through others from now on; it is made if it is not there.

        What the endpoints that it names do later, the graph does, too. A rollback brings the
        composition before back.

        Raises: EndpointNameInvalid, EndpointHasDeployments, GraphInvalid.
        """
        self._access.require(who, "serving.compose", name)
        if not _NAME.fullmatch(name):
            raise EndpointNameInvalid(name)
        with self._database.transaction():
            endpoint = self._opened(who, name)
            if name in endpoints_of(graph):
                raise GraphInvalid("it", "asks itself")
            signature = signature_of_graph(graph, self._signature_of)
            made = self._add(who, endpoint, graph, signature)
            self._parts.traffic.ready(who, made)
        self._database.after_commit(self._parts.fleet.changed)
        return self._store.deployment(made.id) or made

    def graph(self, who: Principal, name: str) -> InferenceGraph:
        """How an endpoint answers through others.

        Raises: EndpointNotFound, NoGraph.
        """
        self._access.require(who, "serving.get", name)
        found = self._parts.traffic.endpoint(name).graph
        if found is None:
            raise NoGraph(name)
        return found

    def _opened(self, who: Principal, name: str) -> Endpoint:
        endpoint = self._store.find(name)
        if endpoint is not None:
            models = (item for item in endpoint.deployments if item.rollout.graph is None)
            if any(item.state in RUNNING for item in models):
                raise EndpointHasDeployments(name)
            return endpoint
        endpoint = Endpoint(name=name, created_by=who.name, created_at=self._parts.clock.now())
        self._store.add_endpoint(endpoint)
        self._parts.events.tell(who, "serving.endpoint.created", name, project=endpoint.project)
        return endpoint

    def _signature_of(self, name: str) -> Signature | None:
        endpoint = self._store.find(name)
        live = endpoint.live if endpoint is not None else None
        if live is not None and live.rollout.graph is not None:
            raise GraphInvalid("it", f"asks endpoint {name!r}, which is a graph: name its nodes")
        return None if live is None else read_by(live)

    def _add(
        self, who: Principal, endpoint: Endpoint, graph: InferenceGraph, signature: Signature
    ) -> Deployment:
        number = max((item.number for item in endpoint.deployments), default=0) + 1
        content = msgspec.json.encode(graph, order="sorted")
        made = self._store.add_deployment(
            Deployment(
                id=new_id(),
                endpoint=endpoint.name,
                number=number,
                model=endpoint.name,
                version=number,
                artifact="",
                digest=f"sha256:{hashlib.sha256(content).hexdigest()}",
                signature=signature,
                rollout=Rollout(kind="graph", graph=graph),
                created_by=who.name,
                created_at=self._parts.clock.now(),
            )
        )
        lineage = self._parts.lineage
        run = lineage.start_run(
            who,
            NewRun(
                id=made.id,
                kind="serving",
                name=f"{endpoint.name}/{made.number}",
                project=endpoint.project,
                labels={"endpoint": endpoint.name},
            ),
        )
        for name in sorted(endpoints_of(graph)):
            found = self._store.find(name)
            if found is not None and found.live is not None:
                lineage.consumed(who, run.id, found.live.artifact, name)
        detail = {
            "endpoint": endpoint.name,
            "deployment": made.id,
            "number": made.number,
            "endpoints": sorted(endpoints_of(graph)),
        }
        self._parts.events.tell(
            who, "serving.graph.composed", endpoint.name, detail, project=endpoint.project
        )
        return made
