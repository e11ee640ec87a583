"""The figures of a run as JSON, for `--json`, and for the tables of README and docs.

`docs/figures/CASE.json` is in the repository: `run.py --figures` writes it, `docs/generate.py` makes the tables.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from case import Effort, Row, Sides

_ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = _ROOT / "docs" / "figures"
PLOT: Final = FOLDER / "growth.svg"


def machine() -> dict[str, str | int | None]:
    """The kind of machine, without its name."""
    return {
        "cpus": os.cpu_count(),
        "processor": processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def processor() -> str:
    """The name in the kernel; `platform` has it on other systems only."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def write(file: Path, lines: list[Row], results: dict[str, Sides]) -> None:
    """Every figure of every run, for `--json`."""
    content = {"machine": machine(), "rows": [asdict(row) for row in lines], "results": results}
    file.write_text(json.dumps(content, indent=2), "utf-8")


def renew(name: str, about: str, lines: list[Row], effort: Effort) -> None:
    """The figures of a case in `docs/figures`, one row in a line, with what a reader must know about the run."""
    head: dict[str, Any] = {
        "case": name,
        "about": about,
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "commit": _commit(),
        "repeat": effort.repeat,
        "machine": machine(),
    }
    FOLDER.mkdir(exist_ok=True)
    rows = ",\n  ".join(json.dumps(_short(row)) for row in lines)
    text = json.dumps(head, indent=1).removesuffix("\n}")
    (FOLDER / f"{name}.json").write_text(f'{text},\n "rows": [\n  {rows}\n ]\n}}\n', "utf-8")


def _short(row: Row) -> dict[str, Any]:
    return {key: _rounded(value) for key, value in asdict(row).items() if key != "case" and value not in (None, "")}


def _rounded(value: Any) -> Any:
    """Four digits, which no two runs share."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _commit() -> str:
    """The commit that was measured; `+` if files differ from it."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def render() -> None:
    """Make the tables of README and docs from the figures."""
    subprocess.run([sys.executable, str(_ROOT / "docs" / "generate.py")], check=True)
