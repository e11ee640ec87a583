"""A relation of DuckDB over the rows of a plan; each query that uses it reads them again, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ..exceptions import ReaderError

if TYPE_CHECKING:
    import duckdb

    from .planning import ReadPlan

__all__ = ["to_duckdb"]


def to_duckdb(plan: ReadPlan, connection: duckdb.DuckDBPyConnection | None) -> duckdb.DuckDBPyRelation:
    """The rows of a plan.

    Args:
        plan: what to read.
        connection: where the relation is used; None is DuckDB's own one.

    Raises:
        ReaderError: DuckDB is not installed.
    """
    try:
        import duckdb  # noqa: PLC0415 (optional)
    except ImportError:
        raise ReaderError("expected DuckDB, got no such package: pip install 'otel-modeldata[read]'") from None
    return (connection or duckdb.default_connection()).from_arrow(_Stream(plan))


class _Stream:
    """Arrow's interface for streams: unlike a `RecordBatchReader`, which is empty after one query, it begins again."""

    def __init__(self, plan: ReadPlan) -> None:
        self._plan = plan

    def __arrow_c_schema__(self) -> Any:
        return self._plan.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        batches = pa.RecordBatchReader.from_batches(self._plan.schema, self._plan.batches())
        return batches.__arrow_c_stream__(requested_schema)
