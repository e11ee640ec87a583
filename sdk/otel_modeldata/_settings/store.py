"""Reads `OTEL_MODELDATA_STORE`: a folder, or a URL. The receiver checks a URL (`_delivery/open_transport.py`)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..exceptions import ConfigError
from ..validation.pasted import pasted
from ..validation.path_text import read_path
from ..validation.problems import shown
from .variables import STORE

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
"""Two letters at least: one is a drive of Windows."""


def load_store(environ: Mapping[str, str]) -> str | None:
    """The store, as an absolute path where it is a folder: the program may change its working directory.

    Raises:
        ConfigError: a path that cannot be meant.
    """
    text = pasted(environ.get(STORE.name) or "")
    if not text or _SCHEME.match(text):
        return text or None
    path, wrong = read_path(text)
    if wrong:
        raise ConfigError(STORE.problem(f"{shown(text)}, {wrong}"))
    return str(Path(path).absolute())
