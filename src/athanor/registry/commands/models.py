"""`athanor model`: list, show, compare, promote, roll back, export."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from athanor.kernel import DEFAULT_PROJECT
from athanor.kernel.console import Json, emit, say, table, transport
from athanor.registry.client import CatalogClient, ModelsClient, PromotionsClient
from athanor.registry.errors import AliasProtected
from athanor.registry.types import Holdout, Model, ModelVersion, Search, Signature

commands = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Models and their versions."
)

_FIRST = ("accuracy", "r2", "rmse", "roc_auc")
_COLUMNS = 4
"""Metrics beside each other, at most; those that everybody looks for first."""

Reference = Annotated[
    str, typer.Argument(metavar="MODEL[@VERSION]", help="A model; or its number or alias behind @.")
]
Name = Annotated[str, typer.Argument(metavar="MODEL")]
Filter = Annotated[
    str,
    typer.Option(
        "--filter", help="In MLflow's grammar: \"name LIKE 'churn%' AND tags.team = 'growth'\"."
    ),
]
Order = Annotated[
    list[str] | None, typer.Option("--order-by", help="Such as 'name DESC'. May be repeated.")
]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")]


@commands.callback()
def _group() -> None:
    """Models, their versions, and the aliases that move between them."""


@commands.command("list")
def list_models(
    *,
    matching: Annotated[
        str, typer.Option("--filter", help="Such as: name LIKE 'churn%' AND tags.team = 'growth'")
    ] = "",
    order_by: Annotated[
        list[str] | None, typer.Option(help="Such as: last_updated_timestamp DESC")
    ] = None,
    json: Json = False,
) -> None:
    """Print every model, or those that a filter finds."""
    found = _found(matching, order_by or []) if matching or order_by else _models().models()
    if json:
        emit(found)
        return
    table(
        ("model", "latest", "aliases", "protected", "since"),
        [
            (
                model.name,
                model.latest,
                ", ".join(f"{alias} = {number}" for alias, number in model.aliases.items()),
                "yes" if model.protected else "",
                f"{model.created_at:%Y-%m-%d %H:%M}",
            )
            for model in found
        ],
        empty="No models yet. Train one: athanor train DATASET --target COLUMN",
    )


@commands.command()
def versions(
    *,
    filter_: Filter = "",
    order_by: Order = None,
    limit: Limit = 100,
    project: Annotated[str | None, typer.Option(help="Of which project.")] = None,
    json: Json = False,
) -> None:
    """Print versions of any model that a filter finds."""
    query = _search(filter_, order_by, limit, project)
    found = CatalogClient(transport()).search_versions(query).versions
    if json:
        emit(found)
        return
    table(
        ("version", "aliases", "stage", "tags", "run", "created", "by"),
        [
            (
                version.reference,
                ", ".join(version.aliases),
                "" if version.stage == "None" else version.stage,
                ", ".join(f"{key}={value}" for key, value in version.tags.items()),
                version.run_id,
                f"{version.created_at:%Y-%m-%d %H:%M}",
                version.created_by,
            )
            for version in found
        ],
        empty="No version is found.",
    )


@commands.command()
def show(reference: Reference, *, json: Json = False) -> None:
    """Print a model's versions, or all about one version."""
    models = _models()
    if "@" in reference:
        version = models.version(reference)
        if json:
            emit({"version": version})
            return
        _show_version(version)
        return
    model, versions, history, holdouts = (
        models.model(reference),
        models.versions(reference),
        models.history(reference),
        models.holdouts(reference),
    )
    if json:
        emit({"model": model, "versions": versions, "history": history, "holdouts": holdouts})
        return
    measured = {item.number: item for item in holdouts}
    metrics = _shown_metrics(versions)
    table(
        ("version", "aliases", *metrics, "measured on", "gate", "created", "by", "digest"),
        [
            (
                version.number,
                ", ".join(version.aliases),
                *(_figure(version.metrics.get(name)) for name in metrics),
                _holdout(measured.get(version.number)),
                _gate(version),
                f"{version.created_at:%Y-%m-%d %H:%M}",
                version.created_by,
                version.digest[:19],
            )
            for version in versions
        ],
        title=model.name,
    )
    if len({item.digest for item in holdouts if item.digest}) > 1:
        say("The holdouts differ: figures of different rows are not comparable. See:")
        say(f"athanor model compare {model.name} VERSION VERSION")
    table(
        ("alias", "from", "to", "when", "by", "why"),
        [
            (m.alias, m.previous, m.number, f"{m.moved_at:%Y-%m-%d %H:%M}", m.moved_by, m.reason)
            for m in history
        ],
        empty="No alias has pointed anywhere.",
    )


@commands.command()
def compare(
    model: Name,
    versions: Annotated[
        list[str] | None, typer.Argument(help="Numbers or aliases. [default: all]")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Print versions of a model side by side."""
    asked = list(versions or [])
    name, _, first = model.rpartition("@")
    if name and asked and asked[0].startswith(f"{name}@"):  # churn@1 churn@2
        model, asked = name, [first, *(item.removeprefix(f"{name}@") for item in asked)]
    if not asked:
        asked = [str(version.number) for version in reversed(_models().versions(model))]
    found = _models().compare(model, asked)
    if json:
        emit(found)
        return
    names = [f"version {version.number}" for version in found.versions]
    if found.metrics:
        table(
            ("metric", *names),
            [
                *((name, *map(_figure, values)) for name, values in found.metrics.items()),
                ("measured on", *map(_holdout, found.holdouts)),
            ],
        )
        say(found.note, style="bold" if found.same_holdout is False else None)
    else:
        say(
            "None of them has figures: what trains a model gives them "
            "(return model, {'roc_auc': 0.9})."
        )
    changed = [(name, *values) for name, values in found.params.items() if len(set(values)) > 1]
    table(("parameter", *names), changed, empty="No parameter differs.")
    table(("", *names), [("data", *("; ".join(told) or "unknown" for told in found.data))])
    for text in found.breaks:
        say(f"Callers of the first would notice: {text}")
    for what, columns in (("more", found.inputs_added), ("no longer", found.inputs_removed)):
        if columns:
            say(f"The last one reads {what}: {', '.join(columns)}")


@commands.command()
def promote(
    reference: Reference,
    *,
    force: Annotated[bool, typer.Option(help="Pass over a missing verdict; recorded.")] = False,
    reason: Annotated[str, typer.Option(help="Why; recorded.")] = "",
    json: Json = False,
) -> None:
    """Make a version the champion. The exit code is 3 where people have to agree first."""
    with _asking(json=json):
        version = _models().promote(reference, force=force, reason=reason)
    _moved(version, "champion", json=json)


@commands.command()
def rollback(
    model: Name,
    *,
    alias: Annotated[str, typer.Option(help="Which alias goes back.")] = "champion",
    json: Json = False,
) -> None:
    """Point the champion back at the version before it. The exit code is 3 as for promote."""
    with _asking(json=json):
        version = _models().rollback(model, alias=alias)
    _moved(version, alias, json=json)


@commands.command()
def alias(
    model: Name,
    alias: Annotated[str, typer.Argument()],
    number: Annotated[int, typer.Argument(help="The version; 0 removes the alias.")],
    *,
    json: Json = False,
) -> None:
    """Point an alias at a version. The exit code is 3 where people have to agree first."""
    models = _models()
    if number:
        with _asking(json=json):
            version = models.set_alias(model, alias, number)
        _moved(version, alias, json=json)
        return
    models.remove_alias(model, alias)
    if json:
        emit({"model": model, "alias": alias, "number": None})
        return
    say(f"{model} has no alias {alias} any more")


@commands.command()
def protect(
    model: Name,
    *,
    off: Annotated[bool, typer.Option("--off", help="Lift the protection.")] = False,
    json: Json = False,
) -> None:
    """Let only versions that passed a gate become champion."""
    found = _models().protect(model, protected=not off)
    if json:
        emit(found)
        return
    say(f"{model} is {'protected' if found.protected else 'not protected'}")


def _shown_metrics(versions: list[ModelVersion]) -> list[str]:
    """The metrics that most versions have; --json has all of them."""
    count = Counter(name for version in versions for name in version.metrics)
    return sorted(count, key=lambda name: (name not in _FIRST, -count[name], name))[:_COLUMNS]


def _found(matching: str, order_by: list[str]) -> list[Model]:
    catalog, found, page = CatalogClient(transport()), list[Model](), None
    while True:
        search = Search(
            filter=matching, order_by=tuple(order_by), max_results=1000, page_token=page
        )
        answer = catalog.search_models(search)
        found += answer.models
        page = answer.next_page_token
        if page is None:
            return found


def _search(filter_: str, order_by: list[str] | None, limit: int, project: str | None) -> Search:
    return Search(
        filter=filter_,
        order_by=tuple(order_by or ()),
        max_results=limit,
        project=project or DEFAULT_PROJECT,
    )


def _models() -> ModelsClient:
    return ModelsClient(transport())


def _predicted(said: Signature) -> str:
    classes = ", ".join(str(label) for label in said.classes)
    return ": ".join(part for part in (said.target, classes) if part) or "not told"


def _show_version(version: ModelVersion) -> None:
    said = version.signature
    table(
        ("field", "value"),
        [
            ("version", version.reference),
            ("aliases", ", ".join(version.aliases)),
            ("predicts", _predicted(said)),
            *([("positive", said.positive)] if said.positive else []),
            ("gate", version.verdict.reason if version.verdict else "not asked"),
            ("digest", version.digest),
            ("artifact", version.artifact_id),
            ("run", version.run_id),
            ("created", f"{version.created_at:%Y-%m-%d %H:%M} by {version.created_by}"),
            *((name, _figure(value)) for name, value in version.metrics.items()),
        ],
    )
    table(
        ("column", "type", "may be missing"),
        [(c.name, c.type, "" if c.required else "yes") for c in said.inputs],
        empty="The model does not tell which columns it reads.",
    )


WAITS = 3
"""The exit code where a move was asked for, and people have to agree before it is made."""


@contextmanager
def _asking(*, json: bool) -> Iterator[None]:
    """A move that waits for people is no failure: its request stands, and is told of."""
    try:
        yield
    except AliasProtected as waits:
        request = waits.details.get("request")
        if not request:
            raise
        if json:
            emit(PromotionsClient(transport()).request(str(request)))
        else:
            say(f"Asked for, and not moved yet. {waits.message}")
            say(waits.hint)
        raise typer.Exit(WAITS) from None


def _moved(version: ModelVersion, alias: str, *, json: bool) -> None:
    if json:
        emit(version)
        return
    say(f"{version.model}@{alias} is version {version.number}")


def _holdout(found: Holdout | None) -> str:
    if found is None or not found.digest:
        return "not recorded"
    rows = f", {found.rows:,} rows" if found.rows else ""
    return f"{found.name} {found.digest[7:15]}{rows}"


def _gate(version: ModelVersion) -> str:
    if version.verdict is None:
        return ""
    return "passed" if version.verdict.passed else "not passed"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
