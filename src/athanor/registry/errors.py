"""What the registry refuses, and the way out of each."""

from collections.abc import Iterable, Sequence

from athanor.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    TooLarge,
    Unavailable,
    Unprocessable,
    nearest,
)
from athanor.registry.ports import ModelUse

_SHOWN = 100
"""Characters of a name that a message repeats."""
_USES_SHOWN = 5
"""Deployments that a message names."""
_HOLDS = {
    "standby": "is kept for a rollback or a rule",
    "staged": "waits for its promotion",
    "shadow": "is asked in the shadow",
    "canary": "is judged",
    "starting": "starts",
}
"""What a deployment does with its version, by its state."""


class ModelNotFound(NotFound):
    """No model of that name is registered."""

    def __init__(self, model: str, known: Iterable[str] = ()) -> None:
        super().__init__(
            f"There is no model {model!r}.",
            hint=nearest(model, known) or "See what exists: athanor model list",
            details={"model": model},
        )


class ModelVersionNotFound(NotFound):
    """The model exists, that version or alias of it doesn't."""

    def __init__(self, model: str, reference: str) -> None:
        super().__init__(
            f"Model {model!r} has no version or alias {reference!r}.",
            hint=f"See what exists: athanor model show {model}",
            details={"model": model, "version": reference},
        )


class BadModelName(Invalid):
    """A name that a model can't have."""

    def __init__(self, why: str) -> None:
        super().__init__(
            why, hint="Use up to 255 characters, none of them '/', ':' or a control character."
        )


class BadAlias(Invalid):
    """A name that an alias can't have."""

    def __init__(self, why: str) -> None:
        super().__init__(
            why,
            hint="Use up to 255 letters, digits, '_', '-' and '.'; "
            "'latest' and 'v1', 'v2' ... are taken.",
        )


class ModelExists(Conflict):
    """The name is taken."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is a model {name!r} already.",
            hint="See what exists: athanor model list",
            details={"model": name},
        )


class ModelInUse(Conflict):
    """What is to be deleted answers at an endpoint, or is kept there to."""

    def __init__(self, what: str, uses: Sequence[ModelUse]) -> None:
        held = [
            f"{_HOLDS.get(use.state, 'serves')} as deployment {use.deployment} of endpoint "
            f"{use.endpoint!r}"
            for use in uses[:_USES_SHOWN]
        ]
        if len(uses) > _USES_SHOWN:
            held.append(f"so do {len(uses) - _USES_SHOWN} more deployments")
        ways = [
            f"athanor endpoint remove {use.endpoint} (or deploy another version there, and retire "
            f"this one)"
            if use.alone
            else f"athanor endpoint retire {use.endpoint} {use.deployment}"
            for use in uses[:_USES_SHOWN]
        ]
        super().__init__(
            f"{what} can't be deleted: it {', and '.join(held)}.",
            hint=f"Let it go there first: {', '.join(dict.fromkeys(ways))}",
            details={
                "endpoints": list(dict.fromkeys(use.endpoint for use in uses)),
                "deployments": [
                    {"endpoint": use.endpoint, "number": use.deployment, "state": use.state}
                    for use in uses
                ],
            },
        )


class BadStage(Invalid):
    """A stage that MLflow's registry does not know, or can't empty."""

    def __init__(self, why: str) -> None:
        super().__init__(why, hint="Aliases are the newer way: athanor model alias NAME ALIAS 3")


class BadTag(Invalid):
    """A tag that can't be kept."""

    def __init__(self, why: str) -> None:
        super().__init__(why, hint="A key has at most 250 characters, a value 100,000.")


class BadModelSource(Invalid):
    """A place that a version can't come from."""

    def __init__(self, why: str) -> None:
        super().__init__(
            why,
            hint="Name a folder with an MLmodel file: runs:/<run>/<path>, models:/m-..., "
            "mlflow-artifacts:/... or an address elsewhere.",
        )


class ContentElsewhere(Conflict):
    """Only the address of a version's files is known here."""

    def __init__(self, reference: str, source: str) -> None:
        super().__init__(
            f"The files of {reference} lie elsewhere ({source or 'unknown'}).",
            hint="Take them in: athanor model import MODEL FOLDER",
        )


class NotAModel(Invalid):
    """What was offered as a model version is an artifact of another type."""

    def __init__(self, artifact: str, kind: str) -> None:
        super().__init__(
            f"Artifact {artifact} is a {kind}, not a model.",
            hint="Register the artifact that a training step returned as a model.",
        )


class GateNotPassed(Conflict):
    """A protected model takes no champion that its gate has not let through."""

    def __init__(self, model: str, number: int, reason: str) -> None:
        super().__init__(
            f"Version {number} of {model!r} may not be promoted: {reason}",
            hint="Run the gate on this version, or promote with --force, which is recorded.",
        )


class NothingToRollBack(Conflict):
    """The alias has pointed at one version only."""

    def __init__(self, model: str, alias: str) -> None:
        super().__init__(
            f"Alias {alias!r} of model {model!r} has no earlier version to go back to.",
            hint=f"See its history: athanor model show {model}",
        )


class BadModelFolder(Unprocessable):
    """The folder is not an MLflow model that Athanor can read."""

    def __init__(self, folder: str, why: str) -> None:
        super().__init__(
            f"{folder} can't be read as a model: {why}",
            hint="A model is an MLflow model folder: MLmodel beside the file that it names.",
        )


class BadCode(Unprocessable):
    """A user's Python that can't be a model."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(
            f"{where} can't be taken as a model's code: {why}.",
            hint="It has functions load(folder), preprocess(records), predict(model, data), "
            "postprocess(result), each optional, or a class with them.",
        )


class UnsafeModel(Unprocessable):
    """The model's file could run code when it is loaded."""

    def __init__(self, what: str, names: Iterable[str]) -> None:
        listed = sorted(names)
        super().__init__(
            f"{what} holds what Athanor does not load: {', '.join(listed)}.",
            hint="Models are kept by skops: estimators of scikit-learn and LightGBM and the arrays "
            "in them. Leave out the part of another kind, or put a public class in its place.",
            details={"types": listed},
        )


class RecordRefused(Unprocessable):
    """A record does not fit the model's signature."""

    def __init__(self, row: int, column: str, why: str) -> None:
        super().__init__(
            f"Record {row}, column {column!r}: {why}",
            hint="See what the model wants: athanor model show NAME",
            details={"record": row, "column": column},
        )


class OperationLacks(Invalid):
    """A platform step was called without something that it needs."""

    def __init__(self, task: str, name: str) -> None:
        super().__init__(
            f"Task {task!r} was given no {name!r}.",
            hint="Name it where the pipeline calls the operation.",
        )


class UploadTooLarge(TooLarge):
    """More files or bytes than an uploaded model may have."""

    def __init__(self, what: str, limit: str) -> None:
        super().__init__(
            f"The uploaded model has {what}; at most {limit} are taken.",
            hint="Upload the model folder alone, without data or logs beside it.",
        )


class BadGate(Invalid):
    """A gate that nobody knows."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text[:_SHOWN]!r} is not a gate.",
            hint="Write one of: 'roc_auc>=0.8', 'not-worse roc_auc by 0.01', "
            "'fairness equalized_odds_difference<=0.1', 'latency p95<=20ms', 'schema', 'pickle', "
            "'quality'.",
        )


class AliasProtected(Conflict):
    """A protected alias does not move yet: a gate did not pass, or somebody has to agree."""

    def __init__(self, model: str, alias: str, reason: str, request: str | None = None) -> None:
        waiting = f"Agree to it: athanor model approve {request}" if request else ""
        super().__init__(
            f"Alias {alias!r} of model {model!r} is protected: {reason}",
            hint=waiting or f"See what it demands: athanor model protections {model}",
            details={"model": model, "alias": alias, "request": request},
        )


class AliasMovedMeanwhile(Conflict):
    """The alias was moved by somebody else while the gates judged."""

    def __init__(self, model: str, alias: str) -> None:
        super().__init__(
            f"Alias {alias!r} of model {model!r} was moved while its gates judged.",
            hint="Ask again: the version is compared with the one that holds the alias now.",
        )


class ProtectionNotFound(NotFound):
    """Nothing protects this alias."""

    def __init__(self, alias: str, model: str) -> None:
        of = f"of model {model!r}" if model else "of the project"
        super().__init__(
            f"Alias {alias!r} {of} is not protected.",
            hint="See what is: athanor model protections",
        )


class BadProtection(Invalid):
    """A protection that could never be met, or protects nothing."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"An alias can't be protected so: {why}.",
            hint="Name at least one gate, or how many approvals are needed (1 to 10).",
        )


class RequestNotFound(NotFound):
    """No approval was asked for under this id."""

    def __init__(self, request: str) -> None:
        super().__init__(
            f"There is no approval request {request!r}.",
            hint="See what waits: athanor model requests",
        )


class RequestClosed(Conflict):
    """The request was decided before, or the same person has agreed already."""

    def __init__(self, request: str, why: str) -> None:
        super().__init__(
            f"Request {request} can't be decided: {why}.",
            hint="See what waits: athanor model requests",
        )


class PickleNotAllowed(Forbidden):
    """A model runs code when it is loaded, and nobody has agreed to that."""

    def __init__(self, reference: str, what: str, agree: str, *, dangerous: bool = False) -> None:
        model = reference.rpartition("@")[0]
        option = " --dangerous" if dangerous else ""
        super().__init__(
            f"{reference} is not loaded: {what}",
            hint=f"Look into it: athanor model scan {reference}. {agree} "
            f"athanor model allow-pickle {model}{option}",
        )


class ConsentNotFound(NotFound):
    """There is no agreement that could be withdrawn."""

    def __init__(self, project: str, model: str) -> None:
        about = f"model {model!r}" if model else f"project {project!r}"
        super().__init__(
            f"Nobody has agreed to load pickles of {about}.",
            hint="See what was agreed to: athanor model consents",
        )


class NoSuchSection(NotFound):
    """A card has no section of this name."""

    def __init__(self, section: str, known: Iterable[str]) -> None:
        super().__init__(
            f"The card has no section {section[:_SHOWN]!r}.",
            hint=nearest(section, known) or f"It has: {', '.join(known)}.",
        )


class BadSection(Invalid):
    """A section that can't be kept."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The section can't be kept: {why}.",
            hint="A title is one line of at most 100 characters, a text at most 100,000.",
        )


class BadWebhook(Invalid):
    """A webhook that can't be: its name, address or events."""

    def __init__(self, why: str) -> None:
        super().__init__(
            why,
            hint="Private addresses and plain HTTP are told only where the settings "
            "webhook_private and webhook_schemes allow it.",
        )


class WebhookNotFound(NotFound):
    """No webhook has this id."""

    def __init__(self, webhook: str) -> None:
        super().__init__(
            f"Webhook with ID {webhook[:100]} not found.",
            hint="See what there is: GET /api/v1/webhooks",
        )


class SecretUnreadable(Unavailable):
    """The key that webhooks' secrets were locked with is not this one."""

    def __init__(self, webhook: str) -> None:
        super().__init__(
            f"The secret of webhook {webhook!r} can't be read: its key is another.",
            hint="Give the key back (webhooks.key in the workspace, or "
            "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY), or set the webhook's secret anew.",
        )


class WebhookUndelivered(Unavailable):
    """A receiver did not take a message; it is sent again."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(
            f"{url} did not take the message: {why}",
            hint="See that the receiver answers; POST /api/v1/webhooks/ID/test tries it.",
        )
