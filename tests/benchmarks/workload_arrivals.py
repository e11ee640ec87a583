"""What must arrive of the workloads in `workloads.py`."""

from __future__ import annotations

from functools import cache
from typing import Any

from arrivals import Arrivals
from workloads import SAMPLES, columns_of


def of_workload(settings: dict[str, Any], places: int | None = None) -> Arrivals:
    """The check of a workload with these settings.

    A workload collects its first frame once, then all its frames in turn, each call with the next of its collectors.

    Args:
        settings: of the workload; `samples` is how many frames it has, `cells` the columns of its only frame.
        places: decimal places that must agree; None for every digit.
    """
    shape = {key: settings[key] for key in ("rows", "columns", "text", "kind") if key in settings}
    collections, samples = (
        settings.get("collections", 1),
        1 if "cells" in settings else settings.get("samples", SAMPLES),
    )

    def frame(collection: str, number: int) -> int:
        collector = int(collection.removeprefix("model_inputs").lstrip("_") or 0)
        return max(0, number * collections + collector - 1) % samples

    @cache
    def rows(of_frame: int) -> list[dict[str, Any]]:
        columns = settings.get("cells") or columns_of(of_frame, **shape)
        return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]

    return Arrivals(lambda collection, number: rows(frame(collection, number)), frame, places)
