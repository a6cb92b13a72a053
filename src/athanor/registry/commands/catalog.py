"""`athanor model`: name, describe, tag, rename, delete; versions by their address."""

from typing import Annotated

import typer

from athanor.kernel.console import Json, emit, say, transport
from athanor.registry.client import CatalogClient, ModelsClient
from athanor.registry.commands.models import Name, Reference, commands
from athanor.registry.errors import BadTag, ModelNotFound
from athanor.registry.types import Model, ModelVersion, NewModel, NewModelVersion, NewSource

Tags = Annotated[
    list[str] | None, typer.Option("--tag", metavar="KEY=VALUE", help="May be given again.")
]


_ARTIFACT = "artifact:"


@commands.command()
def create(
    name: Name,
    *,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    tag: Tags = None,
    json: Json = False,
) -> None:
    """Take a name for versions that will come."""
    new = NewModel(name=name, description=description, tags=_read(tag or []))
    _shown(_catalog().create_model(new), "is there", json=json)


@commands.command()
def add(
    name: Name,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="artifact:ID, runs:/RUN/PATH, models:/m-..., models:/NAME/3 or an address.",
        ),
    ],
    *,
    run: Annotated[str | None, typer.Option(help="The run that made it.")] = None,
    description: Annotated[str | None, typer.Option(help="What is new in it.")] = None,
    tag: Tags = None,
    json: Json = False,
) -> None:
    """Register what lies at SOURCE as the next version.

    An artifact is what a step of a pipeline gave; its model is made if it is new.
    """
    tags = _read(tag or [])
    if source.startswith(_ARTIFACT):
        made = ModelsClient(transport()).register(
            NewModelVersion(model=name, artifact_id=source.removeprefix(_ARTIFACT), run_id=run)
        )
        for key, value in tags.items():
            made = _catalog().tag_version(made.model, made.number, key, value)
        if description is not None:
            made = _catalog().change_version(made.model, made.number, description=description)
        _shown(made, "is registered", json=json)
        return
    new = NewSource(model=name, source=source, run_id=run, description=description, tags=tags)
    _shown(_catalog().add_version(new), "is registered", json=json)


@commands.command()
def describe(
    reference: Reference, text: Annotated[str, typer.Argument()], *, json: Json = False
) -> None:
    """Write a model's or a version's description anew."""
    version = _version(reference)
    if version is None:
        _shown(_catalog().change_model(reference, description=text), "is described", json=json)
        return
    changed = _catalog().change_version(version.model, version.number, description=text)
    _shown(changed, "is described", json=json)


@commands.command()
def tag(
    reference: Reference,
    tags: Annotated[list[str], typer.Argument(metavar="KEY=VALUE", help="KEY= empties it.")],
    *,
    remove: Annotated[bool, typer.Option("--remove", help="Take the keys away.")] = False,
) -> None:
    """Set tags of a model or a version."""
    catalog, version = _catalog(), _version(reference)
    told = dict.fromkeys(tags, "") if remove else _read(tags)
    for key, value in told.items():
        if version is None and remove:
            catalog.untag_model(reference, key)
        elif version is None:
            catalog.tag_model(reference, key, value)
        elif remove:
            catalog.untag_version(version.model, version.number, key)
        else:
            catalog.tag_version(version.model, version.number, key, value)
    say(f"{reference} is {'no longer tagged' if remove else 'tagged'}: {', '.join(told)}")


@commands.command()
def rename(
    name: Name, new_name: Annotated[str, typer.Argument(metavar="NEW")], *, json: Json = False
) -> None:
    """Give a model another name; versions, aliases and endpoints follow."""
    _shown(_catalog().rename_model(name, new_name), f"is what {name} was", json=json)


@commands.command()
def delete(
    reference: Reference,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a version, or a model with all its versions; runs and artifacts stay."""
    version = _version(reference)
    what = reference if version is None else version.reference
    if not yes:
        typer.confirm(f"Delete {what}? It can't be undone.", abort=True)
    if version is None:
        _catalog().delete_model(reference)
    else:
        _catalog().delete_version(version.model, version.number)
    say(f"{what} is deleted")


def _catalog() -> CatalogClient:
    return CatalogClient(transport())


def _version(reference: str) -> ModelVersion | None:
    """The version that a reference names; None for a model's name alone, be there an @ in it."""
    if "@" not in reference:
        return None
    models = ModelsClient(transport())
    try:
        models.model(reference)
    except ModelNotFound:
        return models.version(reference)
    return None


def _read(tags: list[str]) -> dict[str, str]:
    """Tags by key.

    Raises: BadTag.
    """
    for text in tags:
        if "=" not in text:
            raise BadTag(f"Tag {text!r} has no value: say {text}=VALUE, or {text}= for none.")
    return {key: value for key, _, value in (text.partition("=") for text in tags)}


def _shown(made: Model | ModelVersion, what: str, *, json: bool) -> None:
    if json:
        emit(made)
        return
    say(f"{made.reference if isinstance(made, ModelVersion) else made.name} {what}")
