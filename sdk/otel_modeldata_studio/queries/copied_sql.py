"""The state of Explore as a statement that `Store.query` and `otel-modeldata query` run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from otel_modeldata_reader.exceptions import ReaderError
from otel_modeldata_reader.joining.columns import names_of
from otel_modeldata_reader.sql.table_names import quoted

from .filters import Filter, condition
from .joined_rows import own_column
from .outcomes import LATENCY, STATUS
from .sql import literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..tables.deployment_rows import DeploymentRows
    from .joined_rows import OwnColumn

__all__ = ["copied_sql"]

_TAKEN: Final = (
    *("row_id", "correlationid", "time", "endpoint", "deployment", "traceparent", "modelversion", "event_id"),
    "label_time",
)
"""Names that the joined rows have for other columns."""
_OUTCOMES: Final = {LATENCY: ("latencyms", "DOUBLE"), STATUS: ("statuscode", "INTEGER")}
_PLACE: Final = "\x1a"
"""Stands for a column while a condition is made; DuckDB takes it in no name of these tables."""
_MOST_LENGTH: Final = 100_000


def copied_sql(deployment: str, rows: DeploymentRows, columns: Sequence[OwnColumn], filters: Sequence[Filter]) -> str:
    """A statement for the rows that the page shows, the newest first.

    Args:
        deployment: `endpoint/deployment`.
        rows: of it.
        columns: the wanted ones; empty for all.
        filters: all must hold.

    Raises:
        ReaderError: a filter does not fit.
    """
    filtered = [own_column(rows, one.column) for one in filters]
    roles = {one.role for one in (*columns, *filtered)} - {"", "outcome"}
    is_joined = not (columns and roles <= {rows.base.role}) and {"inputs", "outputs"} <= {
        one.role for one in rows.sides
    }
    table = f"{deployment}/joined" if is_joined else rows.base.root or "rows"
    names = _joined_names(rows) if is_joined else {f"{rows.base.role}.{name}": name for name in rows.base.columns}
    wanted = [quoted(names[one.name]) for one in columns if one.name in names]
    conditions = [_condition(deployment, rows, by, one, names) for by, one in zip(filters, filtered, strict=True)]
    lines = [
        f"SELECT {', '.join(['row_id', 'time', *wanted]) if wanted else '*'}",
        f"FROM {quoted(table)}",
        *(f"{'AND' if at else 'WHERE'} {text}" for at, text in enumerate(conditions)),
        "ORDER BY time DESC",
    ]
    text = "\n".join(lines)
    if len(text) > _MOST_LENGTH:
        raise ReaderError(
            f"expected a statement of at most {_MOST_LENGTH:,} characters, got more: choose fewer columns"
        )
    return text


def _joined_names(rows: DeploymentRows) -> dict[str, str]:
    """The names of columns in the joined rows."""
    roles = [one for one in ("inputs", "outputs", "labels") if rows.side(one) is not None]
    columns = [
        [name for name in side.columns if side.role != "labels" or name not in {"data.row_id", "label_time"}]
        for role in roles
        if (side := rows.side(role)) is not None
    ]
    found, _ = names_of(list(zip(roles, columns, strict=True)), _TAKEN)
    return {
        f"{role}.{name}": joined
        for role, own, names in zip(roles, columns, found, strict=True)
        for name, joined in zip(own, names, strict=True)
    }


def _condition(deployment: str, rows: DeploymentRows, by: Filter, column: OwnColumn, names: Mapping[str, str]) -> str:
    if column.role == "outcome":
        return _outcome(deployment, rows, by, column)
    own = names.get(column.name, "") if column.role else column.name
    if not own:
        raise ReaderError(f"expected a filter of a joined column, got {column.name!r:.80}: remove this filter")
    return _text(by, quoted(own), column)


def _outcome(deployment: str, rows: DeploymentRows, by: Filter, column: OwnColumn) -> str:
    """A filter of the outcome of requests: their responses are asked."""
    if rows.outcomes is None or rows.outcomes.role != "response":
        raise ReaderError(
            f"expected the collection {deployment}/response for a filter of {column.name}, got none: remove this filter"
        )
    name, kind = _OUTCOMES[column.name]
    text = _text(by, f"TRY_CAST({name} AS {kind})", column)
    return f"correlationid IN (SELECT correlationid FROM {quoted(rows.outcomes.root)} WHERE {text})"


def _text(by: Filter, expression: str, column: OwnColumn) -> str:
    """A condition with its parameters as literals."""
    sql = condition(by, _PLACE, column.kind)  # a name may have a question mark
    values = [*map(_literal, sql.parameters), ""]
    text = "".join(part + value for part, value in zip(sql.text.split("?"), values, strict=True))
    return text.replace(_PLACE, expression)


def _literal(value: Any) -> str:
    return literal(value.replace("\0", "\ufffd").replace(_PLACE, "")) if isinstance(value, str) else repr(value)
