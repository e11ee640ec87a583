"""Fuzzes one target with coverage guidance (atheris), for as long as you want.

    python tests/fuzz/run.py otlp_mapper --seconds 600     look for new findings, from the kept corpus on
    python tests/fuzz/run.py otlp_mapper --runs 12000      a bounded run: the same inputs each time
    python tests/fuzz/run.py otlp_mapper --replay FILE     judge one input, with a traceback

A finding is made smaller, saved in tests/fuzz/findings/TARGET and printed as one line with the command that replays
it; the exit code is then 1. When its bug is mended, move the file to tests/fuzz/corpus/TARGET: the default tests judge
every file there. Inputs that reach new code are kept for the length of the run, or in the folder that --keep names.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "fixtures")]

from fuzz_target import CORPUS, failure, smaller  # noqa: E402 (after the path)
from targets import NAMES, target  # noqa: E402

FINDINGS = HERE / "findings"
MOST_SECONDS = 20
"""For one input. libFuzzer reports a slower one as a finding: 8 KiB take milliseconds."""
MOST_MEGABYTES = 2048
FOUND = 1
NO_ATHERIS = 3


def main(arguments: list[str] | None = None) -> int:
    """The command; see above."""
    options = _parser().parse_args(arguments)
    logging.disable(logging.CRITICAL)  # what the receiver logs about broken input
    if options.replay is not None:
        target(options.target).check(options.replay.read_bytes())
        print(f"{options.target}: the oracle accepts {options.replay}")
        return 0
    if options.child:
        return _fuzz(options)
    before = _findings(options.target)
    # In a process of its own: the fuzzer ends its process on a finding, and may be killed for its memory.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    child = [sys.executable, __file__, "--child", *(sys.argv[1:] if arguments is None else arguments)]
    done = subprocess.run(child, env=environment, check=False)
    new = sorted(_findings(options.target) - before)
    for path in new:
        _report(options.target, path)
    if not new:
        print(f"{options.target}: no finding" if not done.returncode else f"{options.target}: exit {done.returncode}")
    return FOUND if new else done.returncode


def _parser() -> argparse.ArgumentParser:
    about = "\n".join(f"  {name:15} {target(name).about}" for name in NAMES) if "--help" in sys.argv else ""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=f"targets:\n{about}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", choices=NAMES, metavar="TARGET", help=", ".join(NAMES))
    parser.add_argument("--seconds", type=int, help="stop after this time")
    parser.add_argument("--runs", type=int, help="stop after this many inputs")
    parser.add_argument("--seed", type=int, default=1, help="another seed tries other inputs (default 1)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where inputs that reach new code are kept")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="judge this input and stop")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser


def _fuzz(options: argparse.Namespace) -> int:
    """Run libFuzzer in this process; it ends the process itself."""
    try:
        import atheris
    except ImportError:
        print("expected atheris, got none: it is in the dev group, for Linux on x86_64: uv sync --all-extras")
        return NO_ATHERIS
    with atheris.instrument_imports(
        include=["otel_modeldata", "otel_modeldata_receiver"], enable_loader_override=False
    ):
        fuzzed = target(options.target)

    def test_one_input(given: bytes) -> None:
        why = failure(fuzzed.check, given)
        if why:
            _save(options.target, smaller(fuzzed.check, given))
            sys.stdout.flush()
            os._exit(FOUND)

    def changed(given: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        for _ in range(chance.choice((1, 1, 2, 4))):
            given = fuzzed.mutate(given, chance)[:most]
        return given

    folder = options.keep or Path(tempfile.mkdtemp(prefix=f"fuzz-{options.target}-"))
    folder.mkdir(parents=True, exist_ok=True)
    (FINDINGS / options.target).mkdir(parents=True, exist_ok=True)
    bounds = {"-runs": options.runs, "-max_total_time": options.seconds if options.seconds or options.runs else 60}
    arguments = [
        "run.py",
        *(f"{name}={value}" for name, value in bounds.items() if value),
        f"-seed={options.seed}",
        f"-max_len={fuzzed.max_bytes}",
        f"-timeout={MOST_SECONDS}",
        f"-rss_limit_mb={MOST_MEGABYTES}",
        f"-artifact_prefix={FINDINGS / options.target}/",
        "-print_final_stats=1",
        "-verbosity=0",
        str(folder),
        str(CORPUS / options.target),
    ]
    atheris.Setup(arguments, test_one_input, custom_mutator=changed)
    atheris.Fuzz()
    return 0


def _save(name: str, given: bytes) -> None:
    folder = FINDINGS / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha256(given).hexdigest()[:16]).write_bytes(given)


def _findings(name: str) -> set[Path]:
    return {path for path in (FINDINGS / name).glob("*") if path.is_file()}


def _report(name: str, path: Path) -> None:
    why = "slow or large" if "-" in path.name else failure(target(name).check, path.read_bytes())
    size = path.stat().st_size
    command = f"python tests/fuzz/run.py {name} --replay {os.path.relpath(path)}"
    print(f"{name}: {why or 'not found again'}; {size} bytes, replay: {command}")


if __name__ == "__main__":
    sys.exit(main())
