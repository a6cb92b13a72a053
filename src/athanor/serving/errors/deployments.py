"""What can go wrong when deployments come to their traffic."""

from collections.abc import Iterable, Sequence

from athanor.kernel.errors import Conflict, Invalid, NotFound, Unprocessable, nearest

_SHOWN = 8


class RolloutUnclear(Invalid):
    """More than one way to the traffic was asked for."""

    def __init__(self, named: Iterable[str]) -> None:
        super().__init__(
            f"A deployment comes to its traffic in one way; asked for were {', '.join(named)}.",
            hint="Give one of canary, share, shadow, stage and member.",
        )


class ShareInvalid(Invalid):
    """A share lies outside of what it can be."""

    def __init__(self, what: str, share: float) -> None:
        super().__init__(
            f"A {what} can't have the share {share:g}.",
            hint="Shares are parts of 1: 0.3 is 30 percent; on the command line give percent.",
        )


class SharesInvalid(Invalid):
    """Shares that do not divide the traffic."""

    def __init__(self, endpoint: str, reason: str) -> None:
        super().__init__(
            f"The traffic of endpoint {endpoint!r} can't be divided so: {reason}.",
            hint='Give each deployment\'s part of 1 by its number, such as {"1": 0.7, "2": 0.3}.',
        )


class ColumnsUnsent(Unprocessable):
    """A version needs columns that an endpoint's callers do not send."""

    def __init__(
        self, endpoint: str, model: str, unsent: Sequence[str], sent: Sequence[str]
    ) -> None:
        super().__init__(
            f"{model} needs {_few(unsent)}, which the callers of endpoint {endpoint!r} do not "
            f"send: its live version takes {_few(sent)}.",
            hint=(
                "Where they send them already: --other-columns. Else deploy it to an endpoint of "
                "its own, or by --stage, and `athanor endpoint promote` when they do."
            ),
        )


class RuleInvalid(Invalid):
    """A header rule that can't hold."""

    def __init__(self, place: int, reason: str) -> None:
        super().__init__(
            f"Rule {place} can't be used: {reason}.",
            hint='A rule is {"header": "X-Tenant", "value": "beta*", "deployment": 2}.',
        )


class ScalingInvalid(Invalid):
    """Bounds that no number of workers fits."""

    def __init__(self, field: str, value: float, wanted: str) -> None:
        super().__init__(f"The scaling's {field} can't be {value:g}.", hint=f"It is {wanted}.")


class PlanInvalid(Invalid):
    """A canary's plan that can't be followed."""

    def __init__(self, field: str, value: object, wanted: str) -> None:
        super().__init__(f"The plan's {field} can't be {value!r}.", hint=f"Give {wanted}.")


class DeploymentNotReady(Conflict):
    """The deployment is in no state to have traffic."""

    def __init__(self, endpoint: str, number: int, state: str) -> None:
        super().__init__(
            f"Deployment {number} of endpoint {endpoint!r} is {state}, so it can't have traffic.",
            hint=f"See which are live, standby or staged: athanor endpoint show {endpoint}",
        )


class CanaryUnderWay(Conflict):
    """A canary is judged now, and its share is not to be changed by hand."""

    def __init__(self, endpoint: str, number: int) -> None:
        super().__init__(
            f"Deployment {number} of endpoint {endpoint!r} is a canary that is judged now.",
            hint=f"End that first: athanor endpoint promote {endpoint}, or rollback {endpoint}",
        )


class NothingToShadow(Conflict):
    """There is no live deployment whose answers could be compared."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(
            f"Endpoint {endpoint!r} has no live deployment to compare a shadow with.",
            hint=f"Deploy one first: athanor deploy MODEL --endpoint {endpoint}",
        )


class LastDeployment(Conflict):
    """The deployment is the only one that answers."""

    def __init__(self, endpoint: str, number: int) -> None:
        super().__init__(
            f"Deployment {number} is the only live one of endpoint {endpoint!r}.",
            hint=f"Deploy another one first, or remove it: athanor endpoint remove {endpoint}",
        )


class NoShadow(NotFound):
    """The endpoint has no such shadow."""

    def __init__(self, endpoint: str, number: int | None) -> None:
        which = "no shadow" if number is None else f"no shadow with the number {number}"
        super().__init__(
            f"Endpoint {endpoint!r} has had {which}.",
            hint=f"Start one: athanor deploy MODEL --endpoint {endpoint} --shadow 100",
        )


class ModelNotNamed(NotFound):
    """The request names none of the models that this endpoint holds."""

    def __init__(self, endpoint: str, model: str, known: list[str]) -> None:
        told = f"holds no model {model!r}" if model else "holds several models"
        shown = ", ".join(known[:10]) + (" ..." if len(known) > 10 else "")
        super().__init__(
            f"Endpoint {endpoint!r} {told}.",
            hint=nearest(model, known)
            or f"Name one by the header X-Athanor-Model: {shown or 'there are none yet'}.",
            details={"models": known[:1_000]},
        )


class GraphInvalid(Unprocessable):
    """A graph that can't answer."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(
            f"The graph can't be used: {place} {reason}.",
            hint="Its node `root` answers; a step names an endpoint that is there, or a node.",
        )


class EndpointIsGraph(Conflict):
    """The endpoint answers through others and has no deployments."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(
            f"Endpoint {endpoint!r} is a graph of other endpoints.",
            hint="Deploy to an endpoint that it names, or give this one another name.",
        )


class EndpointHasDeployments(Conflict):
    """The endpoint holds models of its own and can't become a graph."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(
            f"Endpoint {endpoint!r} has deployments of its own.",
            hint="Give the graph a name of its own.",
        )


class NoGraph(NotFound):
    """The endpoint answers by models of its own."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(
            f"Endpoint {endpoint!r} is no graph: it answers by deployments of its own.",
            hint=f"See them: athanor endpoint show {endpoint}",
        )


class EndpointInUse(Conflict):
    """A graph asks the endpoint."""

    def __init__(self, endpoint: str, graphs: list[str]) -> None:
        super().__init__(
            f"Endpoint {endpoint!r} is asked by the graph {', '.join(graphs)}.",
            hint="Remove or recompose that first: athanor endpoint remove, athanor endpoint graph",
        )


class CodeFollowsNothing(Invalid):
    """Code was given for an endpoint that shall follow an alias."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"An endpoint that follows {model!r} takes versions as they are, without code.",
            hint="Register each version with its code, and move the alias there: "
            "athanor model register NAME --code FILE --around MODEL@VERSION",
        )


class NumberNotFollowed(Invalid):
    """A version was named by its number, and shall be followed."""

    def __init__(self, model: str, number: str) -> None:
        super().__init__(
            f"{model}@{number} names one version, which never moves: there is nothing to follow.",
            hint=f"Name an alias: {model}@champion",
        )


class RequirementsWithoutCode(Invalid):
    """Packages were named, and no code that needs them."""

    def __init__(self) -> None:
        super().__init__(
            "--requirement says what --code needs, and no code is given.",
            hint="Give the code, too, or leave the requirement out: a model brings its own.",
        )


class RecipeNotAlone(Invalid):
    """A recipe and code were to stand before the model."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(
            f"Endpoint {endpoint!r}: a recipe and code can't be given in one deployment.",
            hint="Deploy it with the recipe, which makes a version of the model; then deploy that "
            "version with the code.",
        )


class RecipesElsewhere(Unprocessable):
    """There is nothing here that a recipe could stand around."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(
            f"Endpoint {endpoint!r}: the model's files or the recipes are not in this workspace.",
            hint="Deploy a version whose files are kept here: athanor model show MODEL",
        )


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
