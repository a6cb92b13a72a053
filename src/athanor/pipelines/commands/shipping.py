"""`athanor pipeline image`: a step as the build context of an image, built where it can be."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from athanor.kernel.console import Json, emit, say
from athanor.pipelines.authoring.carrying import artifacts_of
from athanor.pipelines.authoring.loading import load_steps, steps_of
from athanor.pipelines.commands.runs import commands
from athanor.pipelines.commands.submitting import document_of
from athanor.pipelines.errors import BadPipeline, NoImageEngine
from athanor.pipelines.exports.image import (
    Context,
    build,
    context_of,
    context_of_container,
    with_image,
)
from athanor.pipelines.exports.places import without_places
from athanor.pipelines.ir.text import write_document


@commands.command("image")
def image(
    step: Annotated[
        str, typer.Argument(help="FILE.py:STEP; or a step of the pipeline that --of names.")
    ],
    *,
    of: Annotated[str, typer.Option(help="FILE.py[:PIPELINE], FILE.yaml or a gallery name.")] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The context's folder; STEP-image else.")
    ] = None,
    base: Annotated[str, typer.Option(help="The image to build on; the step's own else.")] = "",
    tag: Annotated[str, typer.Option(help="What the image is called: registry/name:tag.")] = "",
    push: Annotated[bool, typer.Option("--push", help="Push it when it is built.")] = False,
    no_build: Annotated[bool, typer.Option("--no-build", help="Write the context alone.")] = False,
    into: Annotated[
        Path | None, typer.Option(help="Write the pipeline of --of here, naming the image.")
    ] = None,
    json: Json = False,
) -> None:
    """Write a step's build context; build and push it where Docker, Podman or Buildah is found."""
    context = _context(step, of, base)
    folder = output or Path(f"{context.step}-image")
    context.write(folder)
    name = tag or context.tag
    told: dict[str, Any] = {
        "step": context.step,
        "context": str(folder),
        "digest": context.digest,
        "tag": name,
        "image": "",
    }
    if not no_build:
        try:
            told["image"] = build(context, folder, name, push=push)
        except NoImageEngine as error:
            if push:
                raise
            told["note"] = f"{error.message} {error.hint}"
    if into is not None:
        if not of:
            raise BadPipeline("--into needs a pipeline.", hint="Name it: --of FILE.py")
        into.write_text(
            write_document(without_places(with_image(document_of(of), step, name))), "utf-8"
        )
    if json:
        emit(told)
        return
    say(f"Context {folder} ({context.digest})")
    say(f"Image {name} is built: {told['image']}" if told["image"] else told.get("note", ""))


def _context(step: str, of: str, base: str) -> Context:
    if of:
        return context_of(document_of(of), step, base=base)
    path, mark, name = step.rpartition(":")
    if step.endswith(".py"):
        known = list(steps_of(Path(step)))
        raise BadPipeline(
            f"{step} is a file, and it is not said which of its steps: "
            f"{', '.join(known) or 'it has none'}.",
            hint="Write FILE.py:STEP: athanor pipeline image "
            + shlex.quote(f"{step}:{next(iter(known), 'STEP')}"),
        )
    if not mark or not path.endswith(".py"):
        raise BadPipeline(
            f"It is not said which pipeline has the step {step!r}.",
            hint=f"Write FILE.py:{step}, or --of FILE.py",
        )
    found = load_steps(Path(path), name)
    return context_of_container(found.container, name, artifacts_of(found.interface), base=base)
