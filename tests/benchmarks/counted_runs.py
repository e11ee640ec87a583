"""Runs functions in forked children, a few and many times each, so that a tool that counts instructions can count them.

All children begin with the state of one parent: what start, imports and inputs cost is the same in two children, and
the difference of their counts is that of the repetitions alone.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedRun:
    """A function, and how often it is repeated.

    Attributes:
        run: called with the number of repetitions and the folder of inputs; raises when a result is wrong.
        few: repetitions of the first child, enough to fill caches.
        many: repetitions of the second one.
    """

    run: Callable[[int, Path], None]
    few: int
    many: int


def fork_each(runs: Mapping[str, CountedRun], folder: Path) -> None:
    """Run all of them, and print a JSON list of `[name, repetitions, process id]`."""
    # When Python collects garbage depends on all that a process has done, and not on one path.
    gc.collect()
    gc.freeze()
    gc.disable()
    done = []
    for name, one in runs.items():
        for times in (one.few, one.many):
            child = os.fork()
            if not child:
                _run_and_end(one, times, folder)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            if status:
                sys.exit(f"{name}: a child ended with {status}")
            done.append((name, times, child))
    print(json.dumps(done))


def _run_and_end(one: CountedRun, times: int, folder: Path) -> None:
    """Only this: the end of the interpreter is not counted, and runs nothing that belongs to the parent."""
    try:
        one.run(times, folder)
    except BaseException:  # noqa: BLE001 (the child ends here, whatever it is)
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
