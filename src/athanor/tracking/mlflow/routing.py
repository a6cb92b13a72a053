"""Which handler answers which path of the MLflow protocol."""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from athanor.kernel import AthanorError
from athanor.tracking.mlflow.calls import Handler
from athanor.tracking.mlflow.failures import Failures, MlflowError, Say

if TYPE_CHECKING:
    from athanor.tracking.mlflow.borders import Borders

_BASES = ("mlflow", "mlflow-artifacts")
_PREFIXES = {
    f"/{api}/{version}/{base}/": base
    for api in ("api", "ajax-api")
    for version in ("2.0", "3.0")
    for base in _BASES
}


@dataclass(frozen=True, slots=True)
class Route:
    """What answers requests of one path."""

    path: str
    """As the meters name it."""
    handler: Any
    waits: bool
    writes: bool
    streams: bool
    pattern: re.Pattern[str] | None = None


class MlflowRoutes:
    """The protocol's routes; every room adds its own."""

    def __init__(self) -> None:
        self.failures = Failures()
        self.borders: Borders | None = None
        """What knows where a project ends."""
        self._exact: dict[tuple[str, str], Route] = {}
        self._templates: list[tuple[str, Route]] = []
        self._paths: set[str] = set()

    def add(
        self,
        method: str,
        template: str,
        handler: Handler,
        *,
        base: str = "mlflow",
        writes: bool | None = None,
        streams: bool = False,
    ) -> None:
        """Answer `method` at `template` under every prefix of `base`.

        `writes` says whether it wants room on the disk: by default all but GET and DELETE do.
        """
        self._add(method, f"{base}/{template}", handler, writes=writes, streams=streams)

    def add_at(self, method: str, path: str, handler: Handler) -> None:
        """Answer `method` at one absolute path."""
        self._add(method, path, handler, writes=None, streams=False)

    def translate(self, kind: type[AthanorError], code: str, say: Say | None = None) -> None:
        """Tell errors of a class under an MLflow code; see `Failures.translate`."""
        self.failures.translate(kind, code, say)

    def owns(self, path: str) -> bool:
        """Whether a path is the protocol's business."""
        return path in self._paths or _base_of(path) is not None

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        """The route of a request and what its template names.

        Raises: MlflowError where there is none.
        """
        wanted = "GET" if method == "HEAD" else method
        tail = _tail(path)
        route = self._exact.get((wanted, tail))
        if route is not None:
            return route, {}
        for known, templated in self._templates:
            found = templated.pattern.fullmatch(tail) if templated.pattern else None
            if found is not None and known == wanted:
                return templated, found.groupdict()
        raise MlflowError(
            "ENDPOINT_NOT_FOUND", f"{method} {path} is not supported by this tracking server."
        )

    def _add(
        self, method: str, template: str, handler: Handler, *, writes: bool | None, streams: bool
    ) -> None:
        route = Route(
            template if template.startswith("/") else f"/{template}",
            handler,
            waits=not inspect.iscoroutinefunction(handler),
            writes=method not in {"GET", "DELETE"} if writes is None else writes,
            streams=streams,
            pattern=_compiled(template) if "{" in template else None,
        )
        if route.pattern is not None:
            self._templates.append((method, route))
            return
        self._exact[method, template] = route
        if template.startswith("/"):
            self._paths.add(template)


def _base_of(path: str) -> str | None:
    for prefix, base in _PREFIXES.items():
        if path.startswith(prefix):
            return base
    return None


def _tail(path: str) -> str:
    """A path without its prefix, beginning with its base; others as they are."""
    for prefix, base in _PREFIXES.items():
        if path.startswith(prefix):
            return f"{base}/{path[len(prefix) :]}"
    return path


def _compiled(template: str) -> re.Pattern[str]:
    """A template as a pattern: `{name}` is one segment, `{name:path}` any number of them."""
    parts = re.split(r"\{(\w+)(:path)?\}", template)
    out = []
    for index in range(0, len(parts), 3):
        out.append(re.escape(parts[index]))
        if index + 1 < len(parts):
            out.append(f"(?P<{parts[index + 1]}>{'.*' if parts[index + 2] else '[^/]+'})")
    return re.compile("".join(out), re.DOTALL)
