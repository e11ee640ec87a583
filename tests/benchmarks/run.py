"""Benchmarks and their peers in one run: `uv run --all-extras python tests/benchmarks/run.py [CASE ...] [--json FILE]`.

All sides of a case do the same work, in turn, `--repeat` times; the output has medians, ratios and targets. The result
is the ratio to a peer in the same run; absolute figures depend on the machine. Received events are compared with sent
events in number and content: a fast but wrong result fails. Without CASE, all cases run, which takes about half an
hour. `frames` is each case whose name begins with `frames-`, and takes about six minutes with `--repeat 2`.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import pytest
from rich import box
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))

import appending
import attacks
import auditing
import collecting
import compacting
import encoding
import figures
import growing
import joining
import looking_up
import many_collections
import memory
import overload
import querying
import reading_back
import realistic
import receiving
import starting
from case import Case, Effort, Row, Sides, rows

import studio

CASES: dict[str, Case] = {
    **collecting.CASES,
    **starting.CASES,
    **realistic.CASES,
    **encoding.CASES,
    **receiving.CASES,
    **appending.CASES,
    **memory.CASES,
    **overload.CASES,
    **growing.CASES,
    **many_collections.CASES,
    **attacks.CASES,
    **joining.CASES,
    **reading_back.CASES,
    **compacting.CASES,
    **looking_up.CASES,
    **querying.CASES,
    **studio.CASES,
    **auditing.CASES,
}


def main() -> None:
    """Run the cases that the command line names, or all."""
    options = _parser().parse_args()
    names = _selected(options.cases)
    if options.figures and (options.tiny or options.only):
        sys.exit("expected --figures without --tiny and --only: it renews whole tables")
    effort = Effort(
        repeat=1 if options.tiny else options.repeat,
        minutes=options.minutes,
        tiny=options.tiny,
        full=options.full,
        plot=options.plot or (str(figures.PLOT) if options.figures else None),
        only=tuple(filter(None, options.only.split(","))),
    )
    results: dict[str, Sides] = {}
    table: list[Row] = []
    for name in names:
        print(f"{name}: {CASES[name].about}", file=sys.stderr, flush=True)
        try:
            results[name] = CASES[name].run(effort)
        except pytest.skip.Exception as reason:  # a tool is missing, and the reason names it
            print(f"{name}: {reason}", file=sys.stderr)
        else:
            lines = rows(name, CASES[name], results[name])
            _show(name, CASES[name], lines)
            table += lines
            if options.figures:
                figures.renew(name, CASES[name].about, lines, effort)
    if options.json:
        figures.write(options.json, table, results)
    if options.figures:
        figures.render()


def _selected(wanted: list[str]) -> list[str]:
    """The names of cases, in the order of the list: `receiver` is each case whose name begins with `receiver-`."""
    chosen = {one: [one] if one in CASES else [name for name in CASES if name.startswith(f"{one}-")] for one in wanted}
    if unknown := sorted(one for one, names in chosen.items() if not names):
        sys.exit(f"expected cases among {', '.join(CASES)}, got {', '.join(unknown)}")
    return [name for name in CASES if not wanted or any(name in names for names in chosen.values())]


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name:24} {case.about}" for name, case in CASES.items())
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=f"cases:\n{listed}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", metavar="CASE", help="names, or what several names begin with; else all")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each side, in turn; medians are shown")
    parser.add_argument("--minutes", type=float, default=1.0, help="of load, for cases that run for a time (memory)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure of every run here, too")
    parser.add_argument("--figures", action="store_true", help="renew docs/figures, and the tables of README and docs")
    parser.add_argument("--plot", metavar="FILE", help="where `growth` draws its curves: PNG or SVG")
    parser.add_argument("--full", action="store_true", help="growth up to ten million events, five times the frames")
    parser.add_argument("--only", default="", metavar="NAME,...", help="of `frames` and `growth`: parts of names")
    parser.add_argument("--tiny", action="store_true", help="hardly any work, to check that the cases run")
    return parser


def _show(name: str, case: Case, lines: list[Row]) -> None:
    """Print the result of a case in 80 columns."""
    table = case.table(lines) if case.table else _plain(lines)
    table.title = f"{name}: {case.about}"
    table.caption = "\n".join(filter(None, [table.caption, f"{os.cpu_count()} x {figures.processor()}, medians"]))
    Console(width=80).print(table)


def _plain(lines: list[Row]) -> Table:
    """A line of each figure and peer."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for head in ("figure", "ours", "peer", "its figure", "ratio", "target", "met"):
        table.add_column(head, overflow="fold", justify="right" if head in {"ours", "its figure", "ratio"} else "left")
    for row in lines:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        met = {True: "yes", False: "no", None: ""}[row.met]
        peer = "" if row.peer is None else _number(row.peer)
        table.add_row(row.figure, _number(row.ours), row.peer_name, peer, ratio, row.target, met)
    return table


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
