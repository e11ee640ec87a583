# ruff: noqa: INP001 (a script beside the pages that it writes)
"""Tables of measured figures in README and docs, made from `docs/figures`, which `run.py --figures` writes.

A table is between two comments: `<!-- figures: KIND ARGUMENTS -->` and `<!-- end of figures -->`. Kinds:

- `cases CASE FIGURE ...; CASE`: figures beside those of the peers; all of a case that names none;
- `frames`: every kind and size of frame, `collect` of this SDK divided by that of azureml-ai-monitoring;
- `extremes`: of these, the best and the worst;
- `growth`: exponents of growth, and the picture of the same run;
- `attacks`: what an honest client notices of others;
- `machine CASE`: where, when and from which commit the figures are.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
FIGURES = DOCS / "figures"
PAGES = ("benchmarks.md", "guides/bounds.md", "../README.md")
ENVIRONMENTS = {
    "frames-pandas-3": "pandas 3",
    "frames-pandas-3-no-arrow": "pandas 3 without pyarrow",
    "frames-pandas-2": "pandas 2.3",
}
_NAMES = {"official": "azureml-ai-monitoring"}
_PER_CALL = ("p50_us", "p99_us")
_MARKED = re.compile(
    r"(?P<begin>^<!-- figures: (?P<kind>\w+) ?(?P<arguments>[^>]*?) -->\n).*?(?P<end>^<!-- end of figures -->$)",
    re.MULTILINE | re.DOTALL,
)


def filled_pages() -> dict[str, str]:
    """The pages with figures, by their path below `docs/`."""
    return {page: filled((DOCS / page).read_text("utf-8")) for page in PAGES}


def filled(text: str) -> str:
    """A page with the figures of the last run; what was never measured stays as it is."""
    kinds = {
        "attacks": _attacks,
        "cases": _cases,
        "extremes": _extremes,
        "frames": _frames,
        "growth": _growth,
        "machine": _machine,
    }

    def fill(found: re.Match[str]) -> str:
        made = kinds[found["kind"]](found["arguments"])
        return found["begin"] + made + found["end"] if made else found[0]

    return _MARKED.sub(fill, text)


@cache
def _run(case: str) -> dict[str, Any]:
    """The last run of a case; empty if it was never measured."""
    file = FIGURES / f"{case}.json"
    run: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {"rows": []}
    return run


def _rows(case: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = _run(case)["rows"]
    return rows


def _machine(case: str) -> str:
    run = _run(case)
    if not run["rows"]:
        return ""
    machine = run["machine"]
    runs = "one run" if run["repeat"] == 1 else f"medians of {run['repeat']} runs"
    if any(row["figure"].endswith(" calls") for row in run["rows"]):
        runs = f"all calls of {run['repeat']} rounds"
    return (
        f"\nMeasured on {run['date']}, commit `{run['commit']}`, {runs}: {machine['cpus']} cores "
        f"({machine['processor']}), {machine['system']}, Python {machine['python']}.\n\n"
    )


def _cases(wanted: str) -> str:
    """The figures of cases, with their targets, and the commit where the cases were measured at different ones.

    Raises:
        ValueError: a case was never measured.
    """
    parts = [part.split() for part in wanted.split(";")]
    if missing := [case for case, *_ in parts if not _rows(case)]:
        raise ValueError(
            f"expected the figures of {', '.join(missing)}, got none: run.py {' '.join(missing)} --figures"
        )
    commits = {case: f"{_run(case)['commit']}, {_run(case)['date']}" for case, *_ in parts}
    are_different = len({*commits.values()}) > 1
    lines = []
    for case, *figures in parts:
        for row in _rows(case):
            if not figures or row["figure"] in figures:
                peer = row.get("peer")
                beside = f"{_number(peer)} ({_NAMES.get(row['peer_name'], row['peer_name'])})" if peer else "-"
                ratio = _ratio(row["ours"] / peer) if peer else "-"
                line = (_run(case)["about"], _unit(row["figure"]), _number(row["ours"]), beside, ratio, _target(row))
                lines.append((*line, commits[case]) if are_different else line)
    head = ("case", "figure", "otel-modeldata", "peer", "ratio", "target")
    return _paragraph((*head, "commit") if are_different else head, lines)


def _target(row: dict[str, Any]) -> str:
    """The target of a figure, and whether it was missed."""
    target = str(row.get("target", "-"))
    return target if row.get("met", True) else f"{target}: missed"


def _attacks(_: str) -> str:
    figures = {row["figure"]: row["ours"] for row in _rows("attacks")}
    names = [name.removesuffix(": p99 ms") for name in figures if name.endswith(": p99 ms")]
    lines = [
        (
            "none" if name == "base" else name,
            f"{figures[f'{name}: p99 ms']:.0f} ms",
            f"{figures[f'{name}: MB']:.0f} MB",
        )
        for name in names
    ]
    return _paragraph(("request", "within", "memory"), lines)


def _growth(_: str) -> str:
    figures = {row["figure"]: row["ours"] for row in _rows("growth")}
    names = [name.removeprefix("exponent_") for name in figures if name.startswith("exponent_")]
    lines = [(name, f"{figures[f'exponent_{name}']:.2f}", f"{figures[f'end_exponent_{name}']:.2f}") for name in names]
    made = _paragraph(("what grows", "exponent", "between the two largest"), lines)
    return f"{made}![seconds by each amount, beside linear growth](figures/growth.svg)\n\n" if made else ""


def _frames(_: str) -> str:
    return "".join(
        f"\n{title} ({_run(case)['date']}, commit `{_run(case)['commit']}`):\n{_frames_of(case)}"
        for case, title in ENVIRONMENTS.items()
        if _rows(case)
    )


def _frames_of(case: str) -> str:
    """p50 and p99 for each number of rows, p50 of frames that waited, and CPU times."""
    counts = ["1", "32", "1000"]
    ratios = {name: {figure: _ratio(one) for figure, one in by_figure.items()} for name, by_figure in _by_frame(case)}
    lines = []
    for kind in dict.fromkeys(name.rpartition(" x ")[0] for name in ratios):
        by_count = [ratios[f"{kind} x {count}"] for count in counts]
        calls = [f"{one['p50_us']} / {one['p99_us']}" for one in by_count]
        each = (" / ".join(one.get(figure, "-") for one in by_count) for figure in ("waited_p50_us", "cpu_us"))
        lines.append((kind, *calls, *each, by_count[-1]["all_cpu_us"]))
    head = ("frame", *(f"{count} row{'s'[: count != '1']}, p50 / p99" for count in counts))
    return _paragraph((*head, "frame that waited, p50", "CPU of the call", "CPU of the process, 1000 rows"), lines)


def _extremes(_: str) -> str:
    """The best and the worst frame, with the time of this SDK.

    The best p99 is left out: of many, it is the one with an accident of the peer.
    """
    lines = []
    for case, title in ENVIRONMENTS.items():
        times = {row["figure"]: row["ours"] for row in _rows(case) if row.get("peer_name") == "official"}
        by_figure = {
            figure: sorted(
                (ratios[figure], f"{_number(times[f'{name} {figure}'] / 1000)} ms, {name}")
                for name, ratios in _by_frame(case)
            )
            for figure in _PER_CALL
        }
        if by_figure["p50_us"]:
            extremes = [by_figure["p50_us"][0], by_figure["p50_us"][-1], by_figure["p99_us"][-1]]
            lines.append((title, *(f"{_ratio(ratio)} ({time})" for ratio, time in extremes)))
    return _table(("time of `collect`", "best p50", "worst p50", "worst p99"), lines)


def _by_frame(case: str) -> list[tuple[str, dict[str, float]]]:
    """The ratios to azureml-ai-monitoring, by `KIND x ROWS` and figure."""
    found: dict[str, dict[str, float]] = {}
    for row in _rows(case):
        if row.get("peer_name") == "official":
            name, _, figure = row["figure"].rpartition(" ")
            found.setdefault(name, {})[figure] = row["ours"] / row["peer"]
    return list(found.items())


def _unit(figure: str) -> str:
    """The name of a figure in words: `events_per_second` is `events/s`."""
    words = (
        figure.replace("cpu", "CPU")
        .replace("mb_per_second", "MB/s")
        .replace("mb_per_s", "MB/s")
        .replace("_per_second", "/s")
    )
    words = re.sub(r"[_ ](us|ms|s|mb|seconds)$", r", \1", words)
    words = words.replace(", mb", ", MB").replace("CPU_us_per_event", "CPU/event, us")
    return words.replace("_", " ")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _ratio(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2f}"


def _paragraph(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table with an empty line before and after, which the site needs; empty without rows."""
    return f"\n{_table(head, rows)}\n" if rows else ""


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)
