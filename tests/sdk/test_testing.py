from __future__ import annotations

import decimal
import math

import pandas as pd

from otel_modeldata import Collector
from otel_modeldata.testing import capture


def test_a_decimal_beyond_a_float_leaves_the_other_events_readable() -> None:
    collector = Collector(name="model_inputs")
    with capture() as captured:
        for cell in (decimal.Decimal("1E+400"), decimal.Decimal("0.1")):
            collector.collect(pd.DataFrame({"a": pd.Series([cell], dtype=object)}))
    assert [event.rows for event in captured.events] == [[{"a": math.inf}], [{"a": 0.1}]]


def test_an_earlier_collector_is_captured_and_an_inner_capture_gets_its_own_events() -> None:
    collector = Collector(name="model_inputs")
    with capture() as outer:
        collector.collect(pd.DataFrame({"a": [1]}))
        with capture() as inner:
            collector.collect(pd.DataFrame({"a": [2]}))
        collector.collect(pd.DataFrame({"a": [3]}))
    assert [event.rows for event in outer.events] == [[{"a": 1}], [{"a": 3}]]
    assert [event.rows for event in inner.events] == [[{"a": 2}]]
