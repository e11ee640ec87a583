"""Cases of the SDK and of azureml-ai-monitoring: latency, throughput, a scoring call, large records."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import official
from case import Case, Effort, Sides, Target, in_turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from case import Run

_SCORING_SECONDS: Final = 0.002


def _workload(
    name: str,
    settings: dict[str, Any],
    tiny: int,
    peer_count: int = 0,
    ours: Callable[[str, dict[str, Any]], Run] = official.ours,
) -> Callable[[Effort], Sides]:
    """Run both SDKs with the same settings; a slow peer may get fewer events."""

    def run(effort: Effort) -> Sides:
        mine = settings | {"count": effort.of(settings["count"], tiny)}
        theirs = mine | ({"count": effort.of(peer_count, tiny)} if peer_count else {})
        return in_turn(
            effort.repeat,
            {"ours": lambda: ours(name, mine), "official": lambda: official.official(name, theirs)},
        )

    return run


def _scoring(rows: int, per_second: float, count: int) -> Callable[[Effort], Sides]:
    """A scoring call of 2 ms in pure Python, alone and with its request collected."""

    def run(effort: Effort) -> Sides:
        settings = {
            "kind": "mixed",
            "rows": rows,
            "count": effort.of(count, 20),
            "per_second": per_second,
            "loops": _loops(),
        }
        return in_turn(
            effort.repeat,
            {
                "ours": lambda: official.ours("scoring", settings),
                "official": lambda: official.official("scoring", settings),
                "scoring alone": lambda: official.run("scoring", settings | {"sender": "none"}, {}),
            },
        )

    return run


def _loops() -> int:
    """How many iterations of the scoring loop take about 2 ms on this machine."""
    from workloads import score

    tries = []
    for _ in range(20):
        began = time.perf_counter()
        score(10_000)
        tries.append(time.perf_counter() - began)
    return round(10_000 * _SCORING_SECONDS / statistics.median(tries))


def _oversize(effort: Effort) -> Sides:
    """600 records of 100 KB: how many arrive at an endpoint with gRPC's default limit of 4 MiB."""
    count = effort.of(600, 60)
    command = [sys.executable, str(official.HERE / "oversize.py"), str(count)]
    done = subprocess.run(command, env=official.clean(), capture_output=True, text=True, check=True, timeout=600)
    arrived = json.loads(done.stdout.splitlines()[-1])
    assert arrived["ours"] == count, arrived
    return {"ours": [{"arrived": arrived["ours"]}], "stock OTel": [{"arrived": arrived["stock"]}]}


_LATENCY: Final = {"p50_us": [Target(most=0.6)], "p99_us": [Target(most=0.4)]}
_LITTLE_SLOWER: Final = {"p99_us": [Target(most=1.1, peer="scoring alone")]}

CASES: Final[dict[str, Case]] = {
    "paced-small": Case(
        about="latency of collect, frames of 1x23 at 200/s",
        run=_workload("paced", {"rows": 1, "count": 2000, "per_second": 200}, 20),
        targets=_LATENCY,
    ),
    "paced-large": Case(
        about="latency of collect, frames of 1000x23 at 20/s",
        run=_workload("paced", {"rows": 1000, "count": 200, "per_second": 20}, 5),
        targets=_LATENCY,
    ),
    "sustained-small": Case(
        about="events of mixed 1x23 from one process, first collect to last acknowledgment",
        run=_workload("burst", {"kind": "mixed", "rows": 1, "count": 30_000}, 100, peer_count=2000),
        targets={"events_per_second": [Target(least=20)], "cpu_us_per_event": [Target(most=0.10)]},
    ),
    "sustained-large": Case(
        about="the same with frames of mixed 1000x23",
        run=_workload("burst", {"kind": "mixed", "rows": 1000, "count": 600}, 20, peer_count=300),
        targets={"events_per_second": [Target(least=1.8)]},
    ),
    "sustained-floats": Case(
        about="the same with frames of 1000x23 floats",
        run=_workload("burst", {"rows": 1000, "count": 600}, 20, peer_count=300),
        targets={"events_per_second": [Target(least=1.8)]},
    ),
    "sustained-unstored": Case(
        about="the same to an endpoint that stores nothing either, in the process that measures",
        run=_workload("burst", {"rows": 1000, "count": 300}, 20, ours=official.ours_unstored),
        targets={"events_per_second": [Target(least=1.8)]},
    ),
    "scoring": Case(
        about="a scoring call of 2 ms, pure Python, 250 a second, that collects its request of mixed 1x23",
        run=_scoring(1, 250, 5000),
        targets=_LITTLE_SLOWER,
    ),
    "scoring-large": Case(
        about="the same at 25 a second with mixed 1000x23",
        run=_scoring(1000, 25, 500),
        targets=_LITTLE_SLOWER,
    ),
    "oversize": Case(
        about="600 records of 100 KB to an endpoint with gRPC's default limit of 4 MiB, beside the stock OTel pipe",
        run=_oversize,
    ),
}
