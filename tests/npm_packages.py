"""Programs in JavaScript that tests run: a folder of `tests/node` with its locked packages installed into the cache."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import pytest

from gateway import cache_root
from prerequisites import need

NO_NODE: Final = "install Node.js >= 20.6 with npm (https://nodejs.org)"
INSTALL_SECONDS: Final = 240


def installed(source: Path) -> Path:
    """A copy of `source` (package.json, package-lock.json, programs) that has its `node_modules`; made once."""
    npm = need("npm", NO_NODE)
    files = sorted(path for path in source.iterdir() if path.is_file())
    key = hashlib.sha256(b"".join(path.name.encode() + b"\0" + path.read_bytes() + b"\0" for path in files))
    folder = cache_root() / "node" / f"{source.name}-{key.hexdigest()[:16]}"
    if not folder.exists():
        _install(npm, files, folder)
    return folder


def _install(npm: str, files: list[Path], folder: Path) -> None:
    """Install beside the place and move there, so that a run that was cut off leaves no half folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        fresh = Path(scratch, "fresh")
        fresh.mkdir()
        for path in files:
            shutil.copy2(path, fresh)
        done = subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=fresh,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            pytest.fail(f"npm ci failed for {folder.name}:\n{done.stderr[-4000:]}")
        try:
            fresh.rename(folder)
        except OSError:
            if not folder.exists():
                raise
