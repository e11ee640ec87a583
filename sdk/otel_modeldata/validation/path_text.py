"""Paths in variables, as people write them where no shell expands `~` or a variable.

Env files of containers, `ENV` in a Dockerfile, systemd units and `env:` of Kubernetes pass a value on as it is written.
"""

from __future__ import annotations

import os
import re
from typing import Final

from .pasted import pasted, unfilled

__all__ = ["read_path"]

_URL: Final = re.compile(r"file:|[A-Za-z][A-Za-z0-9+.-]+:/")
"""Two letters at least: one is a drive of Windows."""
_VARIABLE: Final = re.compile(r"\$\w+|\$\{|\$\(|%\w+%|`")
"""A variable in the syntax of a shell, of Kubernetes or of Windows, or a command of a shell."""


def read_path(text: str) -> tuple[str, str]:
    """The path that a text means, and what is wrong with it; the second is empty if nothing is.

    What was pasted with the path is removed, and `~` becomes the home folder.
    """
    path = pasted(text)
    if path.startswith("~"):
        path = os.path.expanduser(path)  # noqa: PTH111 - Path.expanduser raises when there is no home
    return path, _wrong(path)


def _wrong(path: str) -> str:
    if path.startswith("~"):
        return "a '~' without a known home folder: write the whole path"
    if path.startswith(("'", '"')) or path.endswith(("'", '"')):
        return "one quote without the other: remove it"
    if "\n" in path or "\r" in path:
        return "more than one line: write one path"
    if _VARIABLE.search(path) is not None or unfilled(path) is not None:
        return f"{unfilled(path) or 'a variable that no shell has replaced'}: write the whole path"
    if _URL.match(path) is not None:
        written = "the path without 'file:'" if path.startswith("file:") else "a path of this machine"
        return f"a URL: write {written}"
    return ""
