"""Counts the instructions of the hot paths, and compares them with `instructions.json`.

Machines are noisy, instructions are not: valgrind's callgrind counts the same within 0.2 % each time, whatever else
the machine does. `hot_paths.py` has the paths; what start, imports and inputs cost is not in the counts. A path that
takes 5 % more than recorded ends the command with code 1. Counts depend on the versions of Python and of the packages,
so they are compared only where these are equal to the recorded ones.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HERE: Final = Path(__file__).parent
RECORDED: Final = HERE / "instructions.json"
PATHS: Final = HERE / "hot_paths.py"
TOLERANCE: Final = 0.05
PACKAGES: Final = (
    "grpcio",
    "msgspec",
    "numpy",
    "opentelemetry-api",
    "opentelemetry-sdk",
    "pandas",
    "protobuf",
    "pyarrow",
)
"""Those that the paths use."""
SECONDS: Final = 1200.0
NO_VALGRIND: Final = "apt-get install valgrind"
_RENEW: Final = "renew instructions.json with `python tests/benchmarks/instructions.py --write`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The instructions of one repetition of each path, and the versions with which they were counted."""

    environment: Mapping[str, str]
    instructions: Mapping[str, int]

    @staticmethod
    def read(file: Path) -> Counts:
        """What is recorded in a file."""
        content = json.loads(file.read_text("utf-8"))
        return Counts(environment=content["environment"], instructions=content["instructions"])

    def write(self, file: Path) -> None:
        """Record them."""
        content = {"environment": dict(self.environment), "instructions": dict(self.instructions)}
        file.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


# --- Counting ---------------------------------------------------------------------------------------------------------


def count(script: Path = PATHS, names: Sequence[str] = (), keep: Path | None = None) -> Counts:
    """Count the instructions of the paths of a script, which runs them as `counted_runs.py` describes.

    Args:
        script: called with `prepare FOLDER`, then with `run FOLDER [PATH ...]`.
        names: paths; all of the script by default.
        keep: where callgrind's files are kept, for `callgrind_annotate`.
    """
    with tempfile.TemporaryDirectory() as folder:
        environ = _environ(folder)
        run = (sys.executable, str(script), "run", folder, *names)
        _output((sys.executable, str(script), "prepare", folder), environ)
        _output(run, environ)  # errors appear early, and all modules are compiled
        # The same command whatever is kept: another length of its arguments moves everything in memory, which changes
        # the counts of large copies by up to 3 %.
        valgrind = ("valgrind", "--tool=callgrind", "--quiet", f"--callgrind-out-file={folder}/callgrind.out.%p")
        children = json.loads(_output((*valgrind, *run), environ).splitlines()[-1])
        totals: dict[str, list[tuple[int, int]]] = {}
        for name, times, child in children:
            file = Path(folder, f"callgrind.out.{child}")
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, keep / f"{name}-{times}.callgrind.out")
            profile = file.read_text("utf-8", errors="replace")
            (total,) = re.findall(r"^totals: (\d+)$", profile, re.MULTILINE)
            totals.setdefault(name, []).append((times, int(total)))
    instructions = {}
    for name, ((few, first), (many, second)) in totals.items():
        instructions[name] = round((second - first) / (many - few))
    return Counts(environment=environment(), instructions=instructions)


def _environ(folder: str) -> dict[str, str]:
    """Nothing of the caller's environment but what Python may need to start."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "PATH") if name in os.environ}
    return kept | {
        "LC_ALL": "C.UTF-8",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONMALLOC": "pymalloc",
        "PYTHONPYCACHEPREFIX": f"{folder}/bytecode",
        "TZ": "UTC",
    }


def _output(command: Sequence[str], environ: Mapping[str, str]) -> str:
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=SECONDS)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-8000:]}")
    return done.stdout


def environment() -> dict[str, str]:
    """What the counts depend on."""
    return {
        "python": f"{platform.python_version()}, {' '.join(platform.python_build())}, {platform.python_compiler()}",
        "machine": f"{platform.system()} {platform.machine()}, {' '.join(platform.libc_ver())}",
        "valgrind": subprocess.run(
            ("valgrind", "--version"), capture_output=True, text=True, check=True
        ).stdout.strip(),
        **{name: version(name) for name in PACKAGES},
    }


# --- Comparing --------------------------------------------------------------------------------------------------------


def incomparable(recorded: Counts, counted: Counts) -> str | None:
    """Why two counts cannot be compared, in one sentence; None if they can."""
    differences = [
        f"{name} {counted.environment.get(name)} instead of {recorded.environment.get(name)}"
        for name in recorded.environment | counted.environment
        if counted.environment.get(name) != recorded.environment.get(name)
    ]
    if not differences:
        return None
    return (
        f"expected the versions with which the counts were recorded, got {'; '.join(differences)}: counts can be "
        f"compared only on equal versions, so install the locked ones (uv sync --all-extras) or {_RENEW}"
    )


def findings(recorded: Counts, counted: Counts) -> Iterator[str]:
    """A sentence for each path that takes more instructions than recorded, or is not recorded."""
    for name, got in counted.instructions.items():
        before = recorded.instructions.get(name)
        if before is None:
            yield f"{name}: expected a recorded count, got none: {_RENEW}"
            continue
        most = round(before * (1 + TOLERANCE))
        if got > most:
            yield (
                f"{name}: expected at most {most:,} instructions ({before:,} + {TOLERANCE:.0%}), got {got:,}: find "
                f"what was added (--keep FOLDER, then callgrind_annotate), or, if it is worth it, {_RENEW}"
            )


def gains(recorded: Counts, counted: Counts) -> Iterator[str]:
    """A sentence for each path that takes clearly fewer: a later loss of the gain would not be found."""
    for name, got in counted.instructions.items():
        before = recorded.instructions.get(name, got)
        if got < before * (1 - TOLERANCE):
            yield f"{name}: {1 - got / before:.0%} fewer instructions than recorded: {_RENEW}"


# --- The command ------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Count, compare and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", metavar="PATH", help="collect, encode, export, append, read; default: all")
    parser.add_argument("--write", action="store_true", help="record the counts of all paths instead of comparing them")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--file", type=Path, default=RECORDED, help="the recorded counts")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep callgrind's files here")
    options = parser.parse_args(arguments)
    if options.write and options.paths:
        parser.error("expected no PATH with --write, which records all of them together")
    if shutil.which("valgrind") is None:
        print(f"expected valgrind on the PATH, found none, so nothing is counted: {NO_VALGRIND}", file=sys.stderr)
        return 0
    counted = count(names=options.paths, keep=options.keep)
    if options.write:
        counted.write(options.file)
    recorded = Counts.read(options.file)
    reason = incomparable(recorded, counted)
    slower = [] if reason else list(findings(recorded, counted))
    faster = [] if reason else list(gains(recorded, counted))
    if options.json:
        result = {
            "environment": counted.environment,
            "instructions": counted.instructions,
            "recorded": recorded.instructions,
            "tolerance": TOLERANCE,
            "incomparable": reason,
            "findings": slower,
            "gains": faster,
        }
        print(json.dumps(result, indent=2))
    else:
        for name, got in counted.instructions.items():
            print(f"{name:10} {got:>14,} instructions, recorded {recorded.instructions.get(name, 0):>14,}")
        for sentence in [reason] if reason else [*faster, *slower]:
            print(sentence, file=sys.stderr)
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
