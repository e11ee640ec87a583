"""Tools that the tests start but Python cannot install: found, or skipped with the cure, or failed in CI."""

from __future__ import annotations

import os
import shutil

import pytest


def need(tool: str, cure: str) -> str:
    """The path of `tool`; without it the test is skipped, or fails where `CI=true` promises the whole run.

    `cure` is the sentence that tells a contributor what to install.
    """
    path = shutil.which(tool)
    if path is not None:
        return path
    sentence = f"expected {tool!r} on the PATH, found none: {cure}"
    if os.environ.get("CI") == "true":
        pytest.fail(sentence)
    pytest.skip(sentence)


def need_uv() -> str:
    """The path of uv, which `uv run` tells the processes it starts; it makes environments and wheels."""
    return os.environ.get("UV") or need("uv", "pip install uv, it makes the environments and wheels of the tests")
