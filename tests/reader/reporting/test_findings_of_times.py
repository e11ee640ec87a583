"""Times of a later window are always others: that is no finding, and no step of a pipeline fails on it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pandas as pd
from collected_store import collecting
from deployment_requests import BASELINE, FIRST, WINDOW
from shop_store import served_as

import otel_modeldata_reader as reader
from otel_modeldata import Collector
from otel_modeldata.context import BasicCorrelationContext

if TYPE_CHECKING:
    from pathlib import Path


def test_times_drift_without_a_finding_and_numbers_with_one(tmp_path: Path) -> None:
    with served_as("shop/blue"), collecting(tmp_path) as flush:
        inputs = Collector(name="model_inputs")
        for number in range(200):
            at = FIRST + dt.timedelta(days=7 * (number >= 100), minutes=number % 100)
            frame = pd.DataFrame({"at": [at], "age": [20 + number % 10 + 30 * (number >= 100)]})
            inputs.collect(frame, BasicCorrelationContext(id=f"r{number}", timestamp=int(at.timestamp())))
        flush()
    with reader.open(tmp_path) as store:
        figures = store.report("shop/blue", *WINDOW, baseline=BASELINE).figures
    (collection,) = figures.collections
    drift = {one.name: one.drift.psi for one in collection.columns if one.drift is not None}
    assert {name for name, psi in drift.items() if psi is not None and psi > 1.0} == {"age", "at"}
    assert {one.column for one in figures.findings if one.measure == "psi"} == {"age"}
