"""Environments with another pandas: everything that the SDK needs, pyarrow and azureml-ai-monitoring.

They are made once, by uv, in the cache of the tests, for every checkout of the repository: what is installed of the SDK
is its metadata, and `PYTHONPATH` names its sources.
"""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING, Final

from build_cache import cache_root, one_at_a_time
from fresh_environment import ROOT, new_environment, run
from prerequisites import need_uv

if TYPE_CHECKING:
    from pathlib import Path

_PEER: Final = "azureml-ai-monitoring==1.0.0"


def interpreter(pandas: str) -> Path:
    """The interpreter of an environment with this version of pandas."""
    project = ROOT / "pyproject.toml"
    packages = (f"pandas=={pandas}", "pyarrow", _PEER)
    digest = hashlib.sha256(project.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = cache_root() / f"pandas-{pandas}-{digest}"
    with one_at_a_time(folder):
        python = folder / "bin" / "python"
        if not (folder / "complete").exists():
            python = new_environment(folder, sys.executable, "--clear")
            run(need_uv(), "pip", "install", "--quiet", "--python", python, "--editable", ROOT, *packages)
            (folder / "complete").touch()
    return python
