"""All fuzz targets by name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fuzz_target import FuzzTarget

__all__ = ["NAMES", "target"]

NAMES = ("otlp_mapper", "otlp_spans", "otlp_json", "http_listeners", "configuration", "tail_reader")


def target(name: str) -> FuzzTarget:
    """The target of that name. Its module is imported now: coverage of code is measured from its import on."""
    found: FuzzTarget = importlib.import_module(f"target_{name}").TARGET
    return found
