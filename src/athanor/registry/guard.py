"""The rule by which aliases move: gates judge, people agree, and both stay on record."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import orjson

from athanor.kernel import AthanorError, Gate, Principal, Verdict, new_id
from athanor.lineage import NewArtifact, NewRun
from athanor.registry.evaluations import Evaluations, comparable
from athanor.registry.ground import Ground
from athanor.registry.logic import gates
from athanor.registry.protection import (
    ApprovalRequest,
    Decision,
    GateRule,
    Judgement,
    Protection,
    Step,
)
from athanor.registry.scanning import Scanner, covers, what_runs
from athanor.registry.store import ModelStore
from athanor.registry.store.protection import ProtectionStore
from athanor.registry.types import Model, ModelVersion

MetricsOf = Callable[[ModelVersion], Mapping[str, float]]
Latency = Callable[[ModelVersion], Mapping[str, float]]
_PICKLE = GateRule(kind="pickle")
_VERDICT = "verdict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A version that is to take an alias, and the one that holds it."""

    version: ModelVersion
    holder: ModelVersion | None
    alias: str


class Guard:
    """Protections applied."""

    def __init__(
        self,
        store: ProtectionStore,
        models: ModelStore,
        *,
        scanner: Scanner,
        evaluations: Evaluations,
        ground: Ground,
    ) -> None:
        self._store = store
        self._models = models
        self._scanner = scanner
        self._evaluations = evaluations
        self._ground = ground
        self._offered: dict[str, Gate] = {}
        self._metrics: MetricsOf = lambda version: version.metrics
        self._latency: Latency | None = None

    def offer_gate(self, gate: Gate) -> None:
        """Have an upper room judge the gates of its name."""
        self._offered[gate.name] = gate

    def use(self, *, metrics: MetricsOf | None = None, latency: Latency | None = None) -> None:
        """Say where figures come from that the versions themselves do not hold."""
        self._metrics = metrics or self._metrics
        self._latency = latency or self._latency

    def protection(self, model: Model, alias: str) -> Protection | None:
        """What protects an alias: a model's own protection, and its project's together."""
        found = [
            item
            for item in self._store.protections(model.project, model.name)
            if item.alias == alias
        ]
        if not found:
            return None
        rules = {rule.name: rule for item in found for rule in item.gates}
        return replace(
            found[0],
            gates=tuple(rules.values()),
            approvals=max(item.approvals for item in found),
            by_others=any(item.by_others for item in found),
        )

    def decide(self, who: Principal, step: Step) -> Decision:
        """Judge a move, keep what was found, and ask people where that is demanded."""
        model = self._models.find_model(step.model)
        protection = None if model is None else self.protection(model, step.alias)
        if model is None or protection is None:
            return Decision(allowed=True, reason="the alias is not protected")
        holder = model.aliases.get(step.alias)
        if step.number == holder:
            return Decision(allowed=True, reason="it points there already", holder=holder)
        if step.force:
            self._ground.access.require(who, "registry.force", f"{step.model}@{step.alias}")
            return _decided(holder, "forced past the gates")
        if step.number is None:
            reason = "it can be moved, but not removed; lift the protection first."
            return replace(_decided(holder, reason), allowed=False)
        if step.kind == "rollback":
            return _decided(holder, "it held the alias before")
        version = self._models.find_version(step.model, step.number)
        if version is None:
            return _decided(holder, "there is no such version")  # the registry itself will say so
        return self._judged(who, step, protection, version)

    def moved(self, who: Principal, step: Step, decision: Decision) -> None:
        """Note that a decision was made use of; requests that are out of date are withdrawn."""
        if not decision.protected:
            return
        for request in self._store.pending(step.model, step.alias):
            used = decision.request is not None and request.id == decision.request.id
            state = "used" if used else "withdrawn"
            self._store.change_request(replace(request, state=state))  # type: ignore[arg-type]
        if step.force:
            detail = {"model": step.model, "alias": step.alias, "number": step.number}
            self._tell(who, "registry.alias.forced", step, detail, self._project(step.model))

    def registered(self, version: ModelVersion) -> None:
        """Scan a new version."""
        self._scanner.registered(version)

    def judge(
        self, who: Principal, protection: Protection, version: ModelVersion, alias: str
    ) -> Judgement:
        """Have every gate of a protection judge a version, and keep what they say."""
        model = self._models.find_model(version.model)
        number = model.aliases.get(alias) if model else None
        holder = None if number is None else self._models.find_version(version.model, number)
        case = Case(version=version, holder=holder, alias=alias)
        rules = [*protection.gates]
        if not any(rule.kind == "pickle" for rule in rules):
            rules.append(_PICKLE)
        verdicts = tuple(self._verdict(rule, case) for rule in rules)
        return self._keep(
            who,
            Judgement(
                id=new_id(),
                model=version.model,
                number=version.number,
                alias=alias,
                holder=number,
                passed=all(verdict.passed for verdict in verdicts),
                verdicts=verdicts,
                judged_by=who.name,
                judged_at=self._ground.clock.now(),
            ),
            version,
        )

    def _judged(
        self, who: Principal, step: Step, protection: Protection, version: ModelVersion
    ) -> Decision:
        model = self._models.find_model(step.model)
        holder = model.aliases.get(step.alias) if model else None
        agreed = self._agreed(step, holder)
        if agreed is not None and protection.approvals <= len(agreed.approvals):
            judgement = self._store.find_judgement(agreed.judgement)
            words = f"agreed to by {', '.join(item.who for item in agreed.approvals)}"
            return replace(_decided(holder, words), judgement=judgement, request=agreed)
        judgement = self.judge(who, protection, version, step.alias)
        told = replace(_decided(holder, ""), judgement=judgement)
        if not judgement.passed:
            lost = [item for item in judgement.verdicts if not item.passed]
            reason = " ".join(f"gate {item.gate!r} did not pass: {item.reason}" for item in lost)
            detail = {
                "model": step.model,
                "alias": step.alias,
                "number": step.number,
                "judgement": judgement.id,
                "gates": [item.gate for item in lost],
                "reason": reason,
            }
            self._tell(who, "registry.alias.refused", step, detail, self._project(step.model))
            return replace(told, allowed=False, reason=reason)
        if protection.approvals:
            request = self._asked(who, step, protection, judgement)
            reason = (
                f"all gates passed, and {request.needed - len(request.approvals)} more must agree "
                f"(request {request.id})."
            )
            return replace(told, allowed=False, reason=reason, request=request)
        return replace(told, reason="all gates passed")

    def _agreed(self, step: Step, holder: int | None) -> ApprovalRequest | None:
        """The approved request for this very move, if the alias has not moved since."""
        for request in self._store.pending(step.model, step.alias):
            same = (request.number, request.holder) == (step.number, holder)
            if same and request.state == "approved":
                return request
        return None

    def _asked(
        self, who: Principal, step: Step, protection: Protection, judgement: Judgement
    ) -> ApprovalRequest:
        with self._ground.database.transaction():
            for request in self._store.pending(step.model, step.alias):
                if (request.number, request.holder) == (step.number, judgement.holder):
                    again = replace(request, judgement=judgement.id, needed=protection.approvals)
                    self._store.change_request(again)
                    return again
            request = ApprovalRequest(
                id=new_id(),
                project=self._project(step.model),
                model=step.model,
                alias=step.alias,
                number=judgement.number,
                holder=judgement.holder,
                judgement=judgement.id,
                needed=protection.approvals,
                by_others=protection.by_others,
                reason=step.reason,
                asked_by=who.name,
                asked_at=self._ground.clock.now(),
            )
            self._store.add_request(request)
            detail = {
                "model": step.model,
                "alias": step.alias,
                "number": step.number,
                "holder": judgement.holder,
                "request": request.id,
                "needed": request.needed,
                "reason": step.reason,
            }
            self._tell(who, "registry.approval.asked", step, detail, request.project)
        return request

    def _verdict(self, rule: GateRule, case: Case) -> Verdict:
        """What one gate says. One that can't judge lets nothing through."""
        try:
            return self._measured(rule, case)
        except AthanorError as error:
            return gates.failed(rule, f"It could not be judged: {error.message}")

    def _measured(self, rule: GateRule, case: Case) -> Verdict:
        version, holder = case.version, case.holder
        match rule.kind:
            case "metric":
                return gates.within(rule, self._metrics(version))
            case "not-worse":
                return self._not_worse(rule, version, holder)
            case "schema":
                return gates.compatible(rule, version, holder)
            case "latency":
                return self._latencies(rule, version)
            case "pickle":
                return self._pickle(rule, version)
            case "quality":
                said = version.verdict
                if said is None:
                    return gates.failed(rule, "No gate judged it when it was registered.")
                return replace(said, gate=rule.name)
            case _:
                return self._from_above(rule, case)

    def _not_worse(
        self, rule: GateRule, version: ModelVersion, holder: ModelVersion | None
    ) -> Verdict:
        own, other = self._metrics(version), None if holder is None else self._metrics(holder)
        same: bool | None = None
        if holder is not None:
            mine, theirs = self._evaluations.holdout(version), self._evaluations.holdout(holder)
            same = comparable(mine, theirs)
            if same is False and (pair := self._common(version, holder)) is not None:
                own, other, same = *pair, True
        return gates.not_worse(rule, own, other, comparable=same)

    def _common(
        self, version: ModelVersion, holder: ModelVersion
    ) -> tuple[Mapping[str, float], Mapping[str, float]] | None:
        """Both versions' figures on rows that both were judged on, if there are such."""
        theirs = {item.digest: item.metrics for item in self._evaluations.of(holder)}
        for item in self._evaluations.of(version):
            if item.digest in theirs:
                return item.metrics, theirs[item.digest]
        return None

    def _latencies(self, rule: GateRule, version: ModelVersion) -> Verdict:
        given = gates.given_latency(rule, self._metrics(version))
        if given is not None:
            return given
        if self._latency is None:
            return gates.failed(rule, "No latency was given, and nothing here measures it.")
        self._scanner.require(version)
        return gates.measured_latency(rule, self._latency(version))

    def _pickle(self, rule: GateRule, version: ModelVersion) -> Verdict:
        found = self._scanner.scan(version).scan
        measured = {"level": found.level, "findings": len(found.findings)}
        if not found.pickled:
            told = "Nothing in its files runs when it is loaded."
            return Verdict(gate=rule.name, passed=True, reason=told, measured=measured)
        consent = self._scanner.consent(version)
        allowed = consent is not None and consent.protected and covers(consent, found)
        runs = what_runs(found)
        told = f"{runs[:1].upper()}{runs[1:]}"
        words = (
            "the project allows that" if allowed else "nobody allowed that for protected aliases"
        )
        return Verdict(
            gate=rule.name, passed=allowed, reason=f"{told}; {words}.", measured=measured
        )

    def _from_above(self, rule: GateRule, case: Case) -> Verdict:
        gate = self._offered.get(rule.kind)
        if gate is None:
            return gates.failed(rule, "Nothing here judges that.")
        reports = [item.report for item in self._evaluations.of(case.version)]
        said = gate.check(
            {
                "artifact": case.version.artifact_id,
                "reports": reports,
                "measure": rule.metric,
                "at_most": rule.at_most,
            }
        )
        return replace(said, gate=rule.name)

    def _keep(self, who: Principal, judgement: Judgement, version: ModelVersion) -> Judgement:
        """Keep the verdicts as an artifact behind the model, and as a record."""
        ground, project = self._ground, self._project(version.model)
        told = {
            "format_version": 1,
            "model": judgement.model,
            "version": judgement.number,
            "alias": judgement.alias,
            "holder": judgement.holder,
            "passed": judgement.passed,
            "verdicts": judgement.verdicts,
        }
        blob = ground.storage.put_bytes(orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY))
        with ground.database.transaction():
            name = f"{version.reference} for {judgement.alias}"
            run = ground.lineage.start_run(who, NewRun(kind="gate", name=name, project=project))
            if version.artifact_id is not None:
                ground.lineage.consumed(who, run.id, version.artifact_id, "model")
            artifact = ground.lineage.record(
                who,
                NewArtifact(
                    type=_VERDICT,
                    name=name,
                    uri=blob.uri,
                    digest=blob.digest,
                    size=blob.size,
                    metadata={"blob": blob.digest, "layout": "file", "passed": judgement.passed},
                    project=project,
                ),
            )
            ground.lineage.produced(who, run.id, artifact.id, _VERDICT)
            ground.lineage.finish_run(who, run.id)
            kept = replace(judgement, artifact_id=artifact.id)
            self._store.add_judgement(kept)
        return kept

    def _project(self, model: str) -> str:
        found = self._models.find_model(model)
        return found.project if found else ""

    def _tell(
        self, who: Principal, action: str, step: Step, detail: Mapping[str, object], project: str
    ) -> None:
        subject = f"{step.model}@{step.alias}"
        self._ground.events.tell(who, action, subject, detail, project=project)


def _decided(holder: int | None, reason: str) -> Decision:
    return Decision(allowed=True, reason=reason, protected=True, holder=holder)
