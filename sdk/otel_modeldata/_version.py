"""Name and version of the distribution, as lines and records carry them. The version is in pyproject.toml alone."""

from __future__ import annotations

from importlib.metadata import version

NAME = "otel-modeldata"
VERSION = version(NAME)
AGENT = f"{NAME}/{VERSION}"
