from __future__ import annotations

from otel_modeldata import semconv
from otel_modeldata_reader.collection_names import NOT_TABULAR, OF_SPANS, is_tabular


def test_the_names_are_those_of_the_conventions() -> None:
    spans = {semconv.TRACE_COLLECTION, semconv.SPAN_COLLECTION}
    assert spans == OF_SPANS
    assert {*semconv.PAYLOAD_COLLECTIONS, *spans, semconv.EVENT_COLLECTION} == NOT_TABULAR
    assert [is_tabular(f"shop/blue/{name}") for name in ("model_inputs", "ground_truth", "app_events")] == [
        True,
        True,
        False,
    ]
