from __future__ import annotations

import pandas as pd

from otel_modeldata import Collector
from otel_modeldata.testing import capture


def test_an_earlier_collector_is_captured_and_an_inner_capture_gets_its_own_events() -> None:
    collector = Collector(name="model_inputs")
    with capture() as outer:
        collector.collect(pd.DataFrame({"a": [1]}))
        with capture() as inner:
            collector.collect(pd.DataFrame({"a": [2]}))
        collector.collect(pd.DataFrame({"a": [3]}))
    assert [event.rows for event in outer.events] == [[{"a": 1}], [{"a": 3}]]
    assert [event.rows for event in inner.events] == [[{"a": 2}]]
