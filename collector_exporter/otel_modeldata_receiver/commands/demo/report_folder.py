"""Where the final report of the service is kept: `audit` needs it to know how many events were accepted."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from ...config.store_url import is_azure, meant_store

__all__ = ["keep_reports", "report_folder"]

_ELSEWHERE: Final = "modeldata-reports"


def report_folder(store: str) -> Path:
    """The folder beside a local store, else one in the current folder.

    Args:
        store: as in the configuration.
    """
    meant = meant_store(store)
    return Path(_ELSEWHERE if is_azure(meant) else f"{meant.rstrip('/')}-reports")


def keep_reports(written: Path, folder: Path) -> Path | None:
    """Copy the reports; return where they are, None if that folder cannot be written.

    Args:
        written: the folder that has them.
        folder: where to keep them; it is made, and may have others.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in written.glob("*.json"):
            shutil.copyfile(path, folder / path.name)
    except OSError:
        return None
    return folder
