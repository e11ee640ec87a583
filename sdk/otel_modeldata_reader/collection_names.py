"""The collections that have a meaning of their own, by the last part of their names.

They are named as `semconv` does it, which is imported with the first store only.
"""

from __future__ import annotations

from typing import Final

__all__ = ["BESIDE_ROWS", "NOT_TABULAR", "OF_SPANS", "STANDARD", "is_tabular"]

OF_SPANS: Final = frozenset({"app_traces", "app_spans"})
NOT_TABULAR: Final = frozenset({"request", "response", "app_events"}) | OF_SPANS
"""Their rows are no rows of a model: bodies, spans, and events of OpenTelemetry."""
BESIDE_ROWS: Final = NOT_TABULAR | {"ground_truth"}
"""They are looked at beside the rows of their requests, not as rows of a model of their own."""
STANDARD: Final = BESIDE_ROWS | {"model_inputs", "model_outputs"}
"""None of them is another one misspelled, however much alike they are."""


def is_tabular(root: str) -> bool:
    """Whether the rows of a collection are rows of a model."""
    return root.rpartition("/")[2] not in NOT_TABULAR
