"""`athanor model export` and `import`: a version's MLflow folder, or a model with all of it."""

import shlex
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from athanor.kernel.console import Json, emit, say, transport
from athanor.kernel.errors import Conflict, Invalid
from athanor.registry.client import ExchangeClient, ModelsClient, SafetyClient
from athanor.registry.client.exchange import read_code
from athanor.registry.commands.models import Reference, commands
from athanor.registry.records import NewCode
from athanor.registry.types import InputColumn, ModelVersion, Upload

_INDEX = "model.json"


@commands.command()
def export(
    reference: Reference,
    target: Annotated[
        Path | None, typer.Argument(help="A new folder, or a file that ends with .zip.")
    ] = None,
    *,
    output: Annotated[
        Path | None, typer.Option("--to", "--output", "-o", help="The same as TARGET.")
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="The model with all versions, aliases, tags, cards.")
    ] = False,
    json: Json = False,
) -> None:
    """Write a version's MLflow model folder; or a whole model, to be imported elsewhere."""
    models = ModelsClient(transport())
    if whole:
        name = reference.partition("@")[0]
        found, chunks = name, ExchangeClient(transport()).give_whole(name)
    else:
        version = models.version(reference)
        found = f"{version.model}-{version.number}"
        chunks = models.download(version.reference)
    place = target or output or Path(f"{found.replace('/', '-')}.zip")
    _write(chunks, place)
    if json:
        emit({"file": str(place)} if whole else {"file": str(place), "version": version})
        return
    say(f"Wrote {place}")


@commands.command("import")
def import_(
    source: Annotated[
        str, typer.Argument(metavar="NAME|SOURCE", help="The model's name; or the source alone.")
    ],
    folder: Annotated[
        Path | None, typer.Argument(help="An MLflow model folder, a whole model, or a zip of one.")
    ] = None,
    *,
    run: Annotated[str | None, typer.Option(help="The run that made it.")] = None,
    project: Annotated[str, typer.Option(help="Of a whole model, where it is not its own.")] = "",
    json: Json = False,
) -> None:
    """Take in an MLflow model folder as the next version, or a whole model with its numbers."""
    place = folder or Path(source)
    name = source if folder is not None else ""
    if not place.exists():
        raise Invalid(f"There is nothing at {place}.", hint="Name a folder or a zip archive.")
    with tempfile.TemporaryDirectory() as passing:
        archive = place
        if place.is_dir():
            archive = Path(shutil.make_archive(str(Path(passing) / "model"), "zip", place))
        if _is_whole(archive):
            arrived = ExchangeClient(transport()).take_whole(archive, name=name, project=project)
            if json:
                emit(arrived)
                return
            say(f"{arrived.name}: {len(arrived.added)} versions are new here")
            for number, why in arrived.refused.items():
                say(f"version {number} was not taken: {why}")
            return
        upload = Upload(model=name or place.stem, archive=archive, run_id=run)
        version = ModelsClient(transport()).upload(upload)
    if json:
        emit(version)
        return
    say(f"{version.reference} is registered")


@commands.command()
def register(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The model that gets the version.")],
    *,
    code: Annotated[
        Path, typer.Option(help="A Python file, or a folder: load, preprocess, predict ...")
    ],
    around: Annotated[
        str, typer.Option(metavar="MODEL[@VERSION]", help="The version that it stands around.")
    ] = "",
    requirement: Annotated[
        list[str] | None, typer.Option(help="Such as emoji==2.14.0; may be repeated.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME:TYPE", help="A column that it reads; NAME:TYPE? may miss."),
    ] = None,
    json: Json = False,
) -> None:
    """Make a model's next version of your own Python, maybe around a registered version."""
    new = NewCode(
        model=name,
        code=read_code(code, requirement or ()),
        around=around,
        inputs=tuple(map(_column, column or ())),
    )
    version = ExchangeClient(transport()).take_code(new)
    if json:
        emit(version)
        return
    say(f"{version.reference} is registered")
    if not around and not version.signature.inputs:
        say(
            "It tells no columns, so it gets records as they are sent: --column NAME:TYPE names "
            "them."
        )
    _say_what_next(version)


def _say_what_next(version: ModelVersion) -> None:
    """Tell how a version of somebody's own code comes to answer."""
    if not SafetyClient(transport()).permission(version.reference).allowed:
        say(
            "It runs code of its author's, which somebody has to agree to first: "
            f"athanor model allow-pickle {shlex.quote(version.model)} (what it runs: athanor model "
            f"scan {shlex.quote(version.reference)})"
        )
    endpoint = shlex.quote(version.model)
    say(f"Serve it: athanor deploy {shlex.quote(version.reference)} --endpoint {endpoint}")


def _column(text: str) -> InputColumn:
    name, _, kind = text.rpartition(":")
    return InputColumn(name=name, type=kind.removesuffix("?"), required=not kind.endswith("?"))


def _write(chunks: Iterator[bytes], target: Path) -> None:
    """A zip archive as a file, or its files in a new folder."""
    if target.suffix == ".zip":
        with target.open("wb") as stream:
            stream.writelines(chunks)
        return
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Conflict(f"{target} is there already.", hint="Name a new folder, or a .zip file.")
    with tempfile.TemporaryFile() as stream:
        stream.writelines(chunks)
        with zipfile.ZipFile(stream) as archive:
            archive.extractall(target)


def _is_whole(archive: Path) -> bool:
    if not zipfile.is_zipfile(archive):
        return False
    with zipfile.ZipFile(archive) as packed:
        return _INDEX in packed.namelist()
