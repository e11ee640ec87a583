"""Runs a script or a module as Python does, and ends with the process that started it, whatever ended that one.

Standard input is a pipe whose other end only that process has. Its end is noticed here, even if it was killed.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time
from typing import Final

_SECONDS: Final = 10.0
"""How long the process may take to end, before it is ended without its exit handlers."""


def main() -> None:
    """Run what the arguments name: the path of a script, or `-m` and a module, and arguments of it."""
    pipe = os.dup(sys.stdin.fileno())
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    threading.Thread(target=_end_with, args=(pipe,), name="otel-modeldata-demo-pipe", daemon=True).start()
    if not getattr(sys.flags, "safe_path", False):  # before Python 3.11: the folder of this file
        del sys.path[0]
    first, *others = sys.argv[1:]
    if first == "-m":
        sys.argv = others
        runpy.run_module(others[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = [first, *others]
        runpy.run_path(first, run_name="__main__")


def _end_with(pipe: int) -> None:
    while os.read(pipe, 1):
        pass
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
