"""Artifacts as files and values, in the step's process.

A step without any does without what this loads, which would make its fork dearer.
"""

import importlib
import inspect
import pathlib
import shutil
import typing
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from athanor.kernel.storage import Storage
from athanor.lineage import Materializer
from athanor.pipelines.engines.local.exchange import GivenArtifact, MadeArtifact, Order
from athanor.pipelines.errors import BadPipeline, BadStep, NoMaterializer, UnnamedResults, WrongType

_DATASET_TYPES = {"table", "dataset"}


class ArtifactFiles:
    """Brings input artifacts in, and puts output artifacts away."""

    def __init__(self, place: str | Path, order: Order) -> None:
        self._folder = place
        self._order = order

    @cached_property
    def _place(self) -> Path:
        """The attempt's folder; a step without artifacts does without what `Path` costs a fork."""
        return Path(self._folder)

    @cached_property
    def storage(self) -> Storage:
        """Where contents lie."""
        return Storage(self._order.storage_url, reserve_bytes=self._order.storage_reserve)

    @cached_property
    def _materializers(self) -> dict[str, Materializer | None]:
        return dict.fromkeys(self._order.materializers)

    def load(self, name: str, artifacts: list[GivenArtifact], hint: Any) -> Any:
        """The value of an input: one, or a list where there are several.

        Raises: BadStep where nothing reads the artifact's type.
        """
        many = typing.get_origin(hint) is list
        inner = (typing.get_args(hint) or (None,))[0] if many else hint
        values = [
            self._load_one(f"{name}-{index}" if index else name, artifact, inner)
            for index, artifact in enumerate(artifacts)
        ]
        return values if many or len(values) != 1 else values[0]

    def save(self, name: str, value: Any, kind: str) -> MadeArtifact:
        """Store an output.

        Raises: NoMaterializer, UnnamedResults; BadStep where the materializer fails.
        """
        origin, materializer = self._for_value(name, value)
        folder = self._place / "outputs" / name
        folder.mkdir(parents=True, exist_ok=True)
        try:
            metadata = materializer.save(value, folder)
        except BadPipeline as error:
            raise BadStep(
                f"The output {name!r} of step {self._order.step!r} can't be stored: "
                f"{error.message}",
                hint=error.hint,
            ) from error
        except (TypeError, ValueError) as error:
            raise BadStep(
                f"The output {name!r} of step {self._order.step!r} can't be stored: {error}.",
                hint=self._told_apart(value)
                or f"It is a {type(value).__name__}; return one that {origin} can write.",
            ) from error
        digest = metadata.pop("digest", None) or materializer.digest(folder)
        type_ = metadata.pop("type", None) or materializer.type
        if kind not in {"any", "file", "folder", type_} and type_ in {"file", "folder", "value"}:
            type_ = kind  # a path or value that its author calls a report, say
        files = [path for path in folder.rglob("*") if path.is_file()]
        single = len(files) == 1 and files[0].parent == folder and "file" in metadata
        blob = self.storage.put_file(files[0]) if single else self.storage.put_folder(folder)
        metadata |= {
            "blob": blob.digest,
            "layout": "file" if single else "folder",
            "materializer": origin,
        }
        return MadeArtifact(
            type=type_, uri=blob.uri, digest=digest, size=blob.size, metadata=metadata
        )

    def folder_of(self, name: str) -> Path:
        """Where an input's files are, if it has any."""
        return self._place / "inputs" / name

    def path_of(self, name: str, artifact: GivenArtifact) -> Path:
        """A copy of an input's file or folder, of this attempt's own."""
        folder = self._bring(name, artifact, copy=True)
        if artifact.metadata.get("layout") == "file":
            return folder / str(artifact.metadata.get("file", "data"))
        return folder

    def _load_one(self, name: str, artifact: GivenArtifact, hint: Any) -> Any:
        wanted = _class_of(hint)
        as_path = isinstance(wanted, type) and issubclass(wanted, pathlib.PurePath)
        folder = self._bring(name, artifact, copy=as_path)
        if as_path:
            file = artifact.metadata.get("file")
            return folder / str(file) if artifact.metadata.get("layout") == "file" else folder
        value = self._for_artifact(artifact).load(folder, artifact.metadata, wanted or object)
        if wanted is not None and not _is_a(value, wanted):
            raise WrongType(
                f"step {self._order.step!r}",
                name,
                f"a {wanted.__module__}.{wanted.__qualname__}",
                f"an artifact of the type {artifact.type!r}",
            )
        return value

    def _bring(self, name: str, artifact: GivenArtifact, *, copy: bool) -> Path:
        """The artifact's files in a folder of this attempt's own."""
        folder = self.folder_of(name)
        folder.mkdir(parents=True, exist_ok=True)
        blob = artifact.metadata.get("blob")
        if blob is None:
            return folder
        if artifact.metadata.get("layout") != "file":
            return self.storage.fetch_folder(blob, folder)
        target = folder / str(artifact.metadata.get("file", "data"))
        held = None if copy else self.storage.path_of(blob)
        if held is not None:
            target.symlink_to(held)
        elif (path := self.storage.path_of(blob)) is not None:
            shutil.copyfile(path, target)
        else:
            self.storage.fetch_file(blob, target)
        return folder

    def _for_value(self, name: str, value: Any) -> tuple[str, Materializer]:
        for origin in self._materializers:
            materializer = self._load_materializer(origin)
            if materializer.handles(type(value)):
                return origin, materializer
        if type(value) is tuple:
            kinds = [type(item).__name__ for item in value]
            raise UnnamedResults(self._order.step, name, kinds)
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        raise NoMaterializer(self._order.step, name, kind)

    def _told_apart(self, value: Any) -> str:
        """What to write where a dict holds a model, say, beside figures; "" where it does not."""
        if not isinstance(value, dict) or not all(str(key).isidentifier() for key in value):
            return ""
        if not any(self._is_artifact(item) for item in value.values()):
            return ""
        fields = "; ".join(f"{key}: {type(item).__name__}" for key, item in value.items())
        made = ", ".join(f"{key}=..." for key in value)
        return (
            "A dict is one value, of numbers and texts. Make its parts outputs: "
            f"`class Made(NamedTuple): {fields}`, `-> Made`, and `return Made({made})`."
        )

    def _is_artifact(self, value: object) -> bool:
        """Whether it is kept as files, as models and tables are."""
        found = (self._load_materializer(origin) for origin in self._materializers)
        return next((one.type != "value" for one in found if one.handles(type(value))), False)

    def _for_artifact(self, artifact: GivenArtifact) -> Materializer:
        origin = artifact.metadata.get("materializer")
        if isinstance(origin, str) and origin in self._materializers:
            return self._load_materializer(origin)
        type_ = "table" if artifact.type in _DATASET_TYPES else artifact.type
        for known in self._materializers:
            materializer = self._load_materializer(known)
            if materializer.type == type_:
                return materializer
        raise BadStep(
            f"Nothing reads artifacts of the type {artifact.type!r} for step {self._order.step!r}.",
            hint="Take it as a pathlib.Path, or register a materializer for it.",
        )

    def _load_materializer(self, origin: str) -> Materializer:
        found = self._materializers.get(origin)
        if found is None:
            module, _, name = origin.partition(":")
            found = cast("Materializer", getattr(importlib.import_module(module), name)())
            self._materializers[origin] = found
        return found


def _is_a(value: object, wanted: type) -> bool:
    try:
        return isinstance(value, wanted)
    except TypeError:  # a protocol that can't be asked
        return True


def _class_of(hint: Any) -> type | None:
    """The class in a hint: of `X | None` and `Annotated[X, ...]` it is X."""
    if inspect.isclass(hint):
        return hint
    arguments = getattr(hint, "__args__", None) or (getattr(hint, "__origin__", None),)
    return next(
        (item for item in arguments if inspect.isclass(item) and item is not type(None)), None
    )
