"""Benchmarks and their peers in one run: `uv run --all-extras python tests/benchmarks/run.py [CASE ...] [--json FILE]`.

All sides of a case do the same work, in turn, `--repeat` times; the output has medians, ratios and targets. The result
is the ratio to a peer in the same run; absolute figures depend on the machine. Received events are compared with sent
events in number and content: a fast but wrong result fails. Without CASE, all cases run, which takes about half an
hour.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))

import appending
import attacks
import collecting
import growing
import memory
import overload
import receiving
import starting
from case import Case, Effort, Row, Sides, rows

CASES: dict[str, Case] = {
    **collecting.CASES,
    **starting.CASES,
    **receiving.CASES,
    **appending.CASES,
    **memory.CASES,
    **overload.CASES,
    **growing.CASES,
    **attacks.CASES,
}


def main() -> None:
    """Run the cases that the command line names, or all."""
    options = _parser().parse_args()
    names = options.cases or list(CASES)
    if unknown := set(names) - set(CASES):
        sys.exit(f"expected cases among {', '.join(CASES)}, got {', '.join(sorted(unknown))}")
    effort = Effort(
        repeat=1 if options.tiny else options.repeat,
        minutes=options.minutes,
        tiny=options.tiny,
        full=options.full,
        plot=options.plot,
    )
    table: list[Row] = []
    results: dict[str, Sides] = {}
    for name in names:
        try:
            results[name] = CASES[name].run(effort)
        except pytest.skip.Exception as reason:  # a tool is missing, and the reason names it
            print(f"{name}: {reason}", file=sys.stderr)
        else:
            table += rows(name, CASES[name], results[name])
            print(f"{name}: done", file=sys.stderr)
    _show(table)
    if options.json:
        content = {"machine": _machine(), "rows": [asdict(row) for row in table], "results": results}
        options.json.write_text(json.dumps(content, indent=2), "utf-8")


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name:18} {case.about}" for name, case in CASES.items())
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=f"cases:\n{listed}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", metavar="CASE", help="names of cases; all when none is given")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each side, in turn; medians are shown")
    parser.add_argument("--minutes", type=float, default=1.0, help="of load, for cases that run for a time (memory)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure of every run here, too")
    parser.add_argument("--plot", metavar="PNG", help="where `growth` draws its curves")
    parser.add_argument("--full", action="store_true", help="growth up to ten million events")
    parser.add_argument("--tiny", action="store_true", help="hardly any work, to check that the cases run")
    return parser


def _machine() -> dict[str, str | int | None]:
    return {
        "cpus": os.cpu_count(),
        "processor": _processor(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    """The name in the kernel; `platform` has it on other systems only."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _show(lines: list[Row]) -> None:
    table = Table(
        "case",
        "figure",
        "ours",
        "peer",
        "its figure",
        "ours / peer",
        "target",
        "met",
        title=f"{os.cpu_count()} x {_processor()}, medians",
    )
    for row in lines:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        met = {True: "yes", False: "no", None: ""}[row.met]
        peer = "" if row.peer is None else _number(row.peer)
        table.add_row(row.case, row.figure, _number(row.ours), row.peer_name, peer, ratio, row.target, met)
    Console(width=130).print(table)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
