"""Collects while nothing is delivered: `python stall.py JSON` runs a step per line of input and answers with JSON.

Step one delivers one event. Step two collects as many events as possible in the given time, each with a new frame, and
samples memory. Step three delivers everything.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from usage import MIB, Watch, sample, summary
from workloads import frames, official_sdk

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Do the three steps."""
    settings: dict[str, Any] = json.loads(sys.argv[1])
    collect, drain = {"ours": _ours, "official": lambda: official_sdk(1)}[settings["sender"]]()
    template = frames(settings["rows"], count=1)[0]
    sys.stdin.readline()
    collect(template.copy())
    drain()
    _answer({"sent": 1})
    sys.stdin.readline()
    before = sample(os.getpid())
    assert before is not None
    with Watch(os.getpid()) as watch:
        accepted, refused = _load(collect, template, settings["per_second"], settings["seconds"])
    used = summary(watch.samples)
    _answer(
        {
            "growth_mib": used["mib_most"] - before.resident / MIB,
            "mib_per_hour": used["mib_per_hour"],
            "accepted": accepted,
            "refused": refused,
        }
    )
    sys.stdin.readline()
    drain()
    if settings["sender"] == "official":
        time.sleep(1.0)  # its worker takes an event from the queue before it sends it
    _answer({"sent": accepted + 1})


def _ours() -> tuple[Callable[[Any], object], Callable[[], object]]:
    """Unlike that of `workloads.py`, it does not wait when the queue is full: that is a refusal here."""
    import otel_modeldata

    return otel_modeldata.Collector(name="model_inputs").collect, otel_modeldata.flush


def _load(collect: Any, template: Any, per_second: float, seconds: float) -> tuple[int, int]:
    accepted = refused = 0
    began = due = time.monotonic()
    while time.monotonic() - began < seconds:
        time.sleep(max(0.0, due - time.monotonic()))
        due += 1 / per_second
        try:
            collect(template.copy())
        except Exception:  # noqa: BLE001 (each SDK raises its own error for a full queue)
            refused += 1
            time.sleep(0.001)
        else:
            accepted += 1
    return accepted, refused


def _answer(figures: dict[str, float]) -> None:
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
