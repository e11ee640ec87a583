"""Three times the peak load of a receiver: `uv run --all-extras python tests/benchmarks/overload.py [--minutes 5]`.

First, a few clients that wait for each answer measure the peak. Then 64 clients of four tenants, 40 of one tenant, send
three times as many requests, with more bytes in flight than the receiver allows. The output is goodput (events
acknowledged in time) relative to the peak, the share of each tenant, the kinds of refusals, and memory. Every
acknowledged record must be stored once, and no other record twice. Five minutes need about 20 GB in the folder for
temporary files.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))

import flood
from case import Case, Run, Target
from flood import Counts, Plan
from receiver_process import ReceiverProcess
from usage import MIB, Watch, cpu_seconds, summary

RECORDS, SIZE = 512, 500
"""As a gateway batches. Refusing any request costs about half a millisecond, accepting this one five."""
PEAK_CLIENTS, PEAK_IN_FLIGHT = 4, 2
CLIENTS: Final = {"noisy/blue": 40, "a/blue": 8, "b/blue": 8, "c/blue": 8}
IN_FLIGHT = 16
OVERLOAD = 3.0
LEAST_GOODPUT = 0.8
BUDGET = 8 * MIB
"""Room for about 27 of the thousand requests that the clients may have in flight."""


def main() -> None:
    """Run, print the figures, and write JSON if requested."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0, help="of overload; the peak takes a third of it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure here, too")
    options = parser.parse_args()
    figures = overload(options.minutes * 60)
    for name, value in figures.items():
        print(f"{name:32} {value:,.3f}")
    if options.json:
        options.json.write_text(json.dumps({"cpus": os.cpu_count(), **figures}, indent=2), "utf-8")
    if figures["goodput_of_peak"] < LEAST_GOODPUT:
        sys.exit(f"expected a goodput of at least {LEAST_GOODPUT:.0%} of the peak")


def overload(seconds: float) -> Run:
    """The figures of one run."""
    peak, _ = _run(["noisy/blue"] * PEAK_CLIENTS, PEAK_IN_FLIGHT, 1e6, min(20.0, seconds / 3))
    tenants = [tenant for tenant, count in CLIENTS.items() for _ in range(count)]
    per_client = OVERLOAD * peak["goodput_per_second"] / RECORDS / len(tenants)
    loaded, usage = _run(tenants, IN_FLIGHT, per_client, seconds)
    goodput = loaded["goodput_per_second"] / peak["goodput_per_second"]
    return {
        "peak_per_second": peak["goodput_per_second"],
        "peak_cpu_us_per_event": peak["cpu_us_per_event"],
        "goodput_of_peak": goodput,
        **loaded,
        **usage,
    }


def _run(tenants: list[str], in_flight: int, per_second: float, seconds: float) -> tuple[Run, Run]:
    """Run one flood on a new receiver: the result, and the receiver's resource use."""
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch, "receiver.yaml")
        config.write_text(f"max_in_flight_bytes: {BUDGET}\nmax_message_bytes: {BUDGET}\n")
        flags = ("--instance-id", "0" * 32, "--config", str(config))
        receiver = ReceiverProcess(store=f"{scratch}/store", flags=flags, variables={}, log=Path(scratch, "log"))
        receiver.start()
        plan = Plan(
            endpoint=receiver.endpoint,
            tenants=tenants,
            per_second=per_second,
            in_flight=in_flight,
            records=RECORDS,
            size=SIZE,
            seconds=seconds,
            nice=10,
        )
        assert receiver._process is not None
        try:
            with Watch(receiver._process.pid) as watch:
                counts = flood.sent(plan)
            cpu = cpu_seconds(receiver._process.pid)
            assert receiver.stop() == 0
        finally:
            receiver.kill()
        flood.check(plan, counts, flood.lines_of(Path(scratch, "store")))
    return _figures(counts, plan, cpu), summary(watch.samples)


def _figures(counts: list[Counts], plan: Plan, cpu: float) -> Run:
    in_time: Counter[str] = Counter()
    for one in counts:
        in_time[one.tenant] += one.in_time
    total = in_time.total()
    return {
        "begun_per_second": sum(one.begun for one in counts) * plan.records / plan.seconds,
        "goodput_per_second": total * plan.records / plan.seconds,
        "cpu_us_per_event": cpu / sum(len(one.acked) for one in counts) / plan.records * 1e6,
        "refused": float(sum(sum(one.refusals.values()) for one in counts)),
        "refused_without_both_forms": float(sum(one.without_retry_info for one in counts)),
        **{f"share_of_{tenant.partition('/')[0]}": count / max(total, 1) for tenant, count in in_time.items()},
    }


CASES: Final[dict[str, Case]] = {
    "overload": Case(
        about="64 clients that offer three times the peak: goodput, shares of tenants, refusals, memory",
        run=lambda effort: {"ours": [overload(effort.seconds(effort.minutes * 60))]},
        targets={
            "goodput_of_peak": [Target(least=LEAST_GOODPUT, absolute=True)],
            "refused_without_both_forms": [Target(most=0, absolute=True)],
        },
    )
}


if __name__ == "__main__":
    main()
