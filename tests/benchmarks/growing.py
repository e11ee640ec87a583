"""How cost grows with the amount of work, in many directions: linear or better, as a picture.

`exponent` is the slope in a plot of logarithms: 1 is linear, 0 is constant. Small amounts cost little more than none,
which makes the slope smaller, so `end_exponent` is the slope between the two largest. Every collection, deployment,
sender, client and folder has as many events as the others.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import flood
import official
import spread
from case import Case, Effort, Run, Sides, Target
from growth_plot import Curve, draw
from spread import Spread

from otel_modeldata_reader.auditing.audit import Selection, audit
from otel_modeldata_receiver.storage.local import LocalStore

if TYPE_CHECKING:
    from collections.abc import Callable

_CEILING: Final = Target(most=1.1, absolute=True)
"""Linear, plus a tenth for the noise of a few points."""
_END_CEILING: Final = Target(most=1.3, absolute=True)
"""The same for two points, which are noisier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A direction in which work grows.

    Attributes:
        cost: seconds for an amount.
        label: what takes these seconds.
        amounts: usual ones.
        tiny: two amounts that show that the case works.
        further: amounts that take very long.
    """

    cost: Callable[[int, Effort], float]
    label: str
    amounts: tuple[int, ...]
    tiny: tuple[int, int]
    further: tuple[int, ...] = ()

    def chosen(self, effort: Effort) -> tuple[int, ...]:
        """The amounts to measure."""
        if effort.tiny:
            return self.tiny
        return self.amounts + (self.further if effort.full else ())


def _events(count: int, _: Effort) -> float:
    return official.ours("burst", {"rows": 1, "count": count})["seconds"]


def _rows(rows: int, effort: Effort) -> float:
    count = effort.of(min(2000, max(10, 100_000 // rows)), 5)
    return official.ours("burst", {"kind": "mixed", "rows": rows, "count": count})["seconds"] / count


def _columns(columns: int, effort: Effort) -> float:
    count = effort.of(max(500, 20_000 // columns), 20)
    return official.ours("burst", {"rows": 1, "columns": columns, "count": count})["seconds"] / count


def _text(size: int, effort: Effort) -> float:
    count = effort.of(min(2000, max(40, 100_000_000 // size)), 5)
    return official.ours("burst", {"rows": 1, "text": size, "count": count})["seconds"] / count


def _collections(collections: int, _: Effort) -> float:
    settings = {"rows": 1, "collections": collections, "count": 10 * collections}
    return official.ours("burst", settings)["seconds"]


def _clients(clients: int, effort: Effort) -> float:
    """1000 events of each client, from the throughput of a few seconds."""
    with official.receiver() as one:
        plan = flood.Plan(
            endpoint=one.endpoint,
            tenants=["credit/blue"] * clients,
            per_second=1e6,
            in_flight=1,
            records=20,
            size=500,
            seconds=effort.seconds(3),
        )
        counts = flood.sent(plan)
        assert one.stop() == 0
        flood.check(plan, counts, flood.lines_of(Path(one.store)))
    return 1000 * clients * plan.seconds / sum(book.in_time for book in counts) / plan.records


def _deployments(deployments: int, _: Effort) -> float:
    return _spread(Spread(deployments=deployments, events=100))


def _senders(senders: int, _: Effort) -> float:
    return _spread(Spread(senders=senders))


def _folders(folders: int, _: Effort) -> float:
    return _spread(Spread(folders=folders, events=2))


def _spread(load: Spread, then: Callable[[Path], float] | None = None) -> float:
    """Seconds to send a load to a receiver, or what `then` takes with its store."""
    with official.receiver() as one:
        seconds = spread.seconds_to_send(load, one.endpoint)
        assert one.stop() == 0
        spread.check(load, Path(one.store))
        return seconds if then is None else then(Path(one.store))


def _blobs(blobs: int, _: Effort) -> float:
    """The audit of a store with so many blobs."""

    def audited(store: Path) -> float:
        began = time.perf_counter()
        result = asyncio.run(audit(LocalStore(store), Selection(), [], lambda *_: None))
        seconds = time.perf_counter() - began
        assert (result.blobs, sum(one.stored for one in result.reconciliations)) == (blobs, blobs)
        return seconds

    return _spread(Spread(folders=blobs, events=1), then=audited)


AXES: Final[dict[str, Axis]] = {
    "events": Axis(
        cost=_events,
        label="first collect to last acknowledgment",
        amounts=(10_000, 30_000, 100_000, 300_000, 1_000_000),
        tiny=(100, 300),
        further=(3_000_000, 10_000_000),
    ),
    "rows": Axis(cost=_rows, label="an event", amounts=(1, 10, 100, 1000, 10_000), tiny=(1, 100)),
    "columns": Axis(cost=_columns, label="an event", amounts=(1, 10, 100, 1000), tiny=(1, 1000)),
    "text": Axis(cost=_text, label="an event", amounts=(10, 100, 1000, 10_000, 100_000, 1_000_000), tiny=(10, 10_000)),
    "collections": Axis(cost=_collections, label="10 events of each", amounts=(1, 10, 100, 1000), tiny=(1, 50)),
    "deployments": Axis(cost=_deployments, label="100 events of each", amounts=(1, 10, 100, 1000), tiny=(1, 20)),
    "senders": Axis(cost=_senders, label="20 events of each", amounts=(1, 10, 100, 1000, 10_000), tiny=(1, 50)),
    "clients": Axis(cost=_clients, label="1000 events of each", amounts=(1, 5, 20, 50, 100, 200), tiny=(1, 20)),
    "folders": Axis(cost=_folders, label="2 events of each", amounts=(1, 10, 100, 1000, 10_000), tiny=(1, 50)),
    "blobs": Axis(cost=_blobs, label="an audit", amounts=(1, 10, 100, 1000, 10_000), tiny=(1, 50)),
}


def _growth(effort: Effort) -> Sides:
    curves: list[Curve] = []
    for name, axis in AXES.items():
        if effort.only and not any(part in name for part in effort.only):
            continue
        points = []
        for amount in axis.chosen(effort):
            points.append((amount, axis.cost(amount, effort)))
            print(f"  {name} {amount:,}: {points[-1][1]:.4g} s", file=sys.stderr, flush=True)
        curves.append(Curve(name=name, label=axis.label, points=points))
    if effort.plot:
        draw(curves, Path(effort.plot))
    figures: Run = {}
    for curve in curves:
        figures[f"exponent_{curve.name}"] = curve.exponent
        figures[f"end_exponent_{curve.name}"] = curve.end_exponent
    for curve in curves:
        figures |= {f"{curve.name}_{amount}_seconds": seconds for amount, seconds in curve.points}
    return {"ours": [figures]}


CASES: Final[dict[str, Case]] = {
    "growth": Case(
        about="cost by " + ", ".join(AXES) + " (--plot FILE draws it)",
        run=_growth,
        targets={f"exponent_{axis}": [_CEILING] for axis in AXES}
        | {f"end_exponent_{axis}": [_END_CEILING] for axis in AXES},
    ),
}
