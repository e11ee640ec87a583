"""Brings the JavaScript that Studio's page uses into a wheel, a source distribution and an editable installation."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class VendoredPage(BuildHookInterface):
    """Runs `sdk/otel_modeldata_studio/vendoring.py`, which fetches nothing if the files are there."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 (hatchling calls it so)
        """Fetch the files. An editable installation goes on without them: `studio` then says what to run."""
        path = Path(self.root, "sdk", "otel_modeldata_studio", "vendoring.py")
        spec = spec_from_file_location("vendoring", path)
        assert spec is not None  # noqa: S101 (the file is there)
        assert spec.loader is not None  # noqa: S101
        vendoring = module_from_spec(spec)
        spec.loader.exec_module(vendoring)
        try:
            vendoring.vendor()
        except vendoring.VendoringError as error:
            if version != "editable":
                raise
            self.app.display_warning(f"{error}")
