"""`athanor endpoint export` and `athanor endpoint snippet`."""

import json as json_module
import sys
from pathlib import Path
from typing import Annotated

import typer

from athanor.kernel.console import Json, emit, say, transport
from athanor.kernel.errors import Conflict
from athanor.serving.client.exports import ExportsClient
from athanor.serving.standalone.settings import DESCRIPTION
from athanor.serving.types.exports import FOLDERS, ManifestRequest

Name = Annotated[str, typer.Argument(metavar="ENDPOINT")]


class ExportPlaceTaken(Conflict):
    """The folder to write to holds something."""

    def __init__(self, place: Path) -> None:
        super().__init__(
            f"{place} is there and is not empty.", hint="Name another place: --to FOLDER"
        )


def export(
    name: Name,
    form: Annotated[
        str,
        typer.Option(
            "--as", help="folder, container, kubernetes, kserve, seldon or grafana.", metavar="FORM"
        ),
    ] = "folder",
    to: Annotated[
        Path | None, typer.Option(help="A folder, or a manifest's file; - prints a manifest.")
    ] = None,
    *,
    image: Annotated[str, typer.Option(help="A manifest's container image.")] = "",
    namespace: Annotated[str, typer.Option(help="A manifest's namespace.")] = "",
    min_replicas: Annotated[int, typer.Option(help="A manifest's least replicas.")] = 1,
    max_replicas: Annotated[int, typer.Option(help="A manifest's most replicas.")] = 4,
    cpu: Annotated[str, typer.Option(help="Of a replica: 500m, 2.")] = "500m",
    memory: Annotated[str, typer.Option(help="Of a replica: 512Mi, 2Gi.")] = "512Mi",
    deployment: Annotated[
        int | None,
        typer.Option(help="A folder's deployment, by number; else the live one."),
    ] = None,
    json: Json = False,
) -> None:
    """Take an endpoint elsewhere: a folder that serves by itself, a container, manifests."""
    client = ExportsClient(transport())
    if form == "grafana":
        _write(to, json_module.dumps(client.dashboard(name), indent=2) + "\n", json=json)
        return
    if form not in FOLDERS:
        request = ManifestRequest(
            kind=form,
            image=image,
            namespace=namespace,
            min_replicas=min_replicas,
            max_replicas=max_replicas,
            cpu=cpu,
            memory=memory,
        )
        _write(to, client.manifest(name, request), json=json)
        return
    place = to or Path(f"{name}-{form}")
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise ExportPlaceTaken(place)
    made = client.export(name, place, kind=form, deployment=deployment)
    if json:
        emit({"folder": str(made.absolute())})
        return
    say(f"{made} serves {name} without Athanor. In it:")
    image = _image(made) if form == "container" else ""
    sys.stdout.write(
        f"docker build -t {image} . && docker run -p 8080:8080 {image}\n"
        if form == "container"
        else "pip install -r requirements.txt && python serve.py --port 8080\n"
    )


def snippet(
    name: Name,
    language: Annotated[str, typer.Option(help="curl, python or node.")] = "curl",
) -> None:
    """Print a program that asks the endpoint with a row that its model was trained on."""
    sys.stdout.write(ExportsClient(transport()).snippet(name, language))


def _image(folder: Path) -> str:
    """The tag that the folder's README and the manifests name."""
    told = json_module.loads((folder / DESCRIPTION).read_bytes())
    return f"{told['endpoint']}:{told['number']}"


def _write(to: Path | None, text: str, *, json: bool) -> None:
    if to is None or str(to) == "-":
        sys.stdout.write(text)
        return
    to.write_text(text, "utf-8")
    if json:
        emit({"file": str(to.absolute())})
    else:
        say(f"Written: {to}")
