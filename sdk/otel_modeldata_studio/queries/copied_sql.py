"""The state of Explore as a statement that `Store.query` and `otel-modeldata query` run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from otel_modeldata_reader.exceptions import ReaderError
from otel_modeldata_reader.joining.columns import names_of
from otel_modeldata_reader.sql.table_names import quoted

from ..tables.deployment_rows import LABELS, OUTPUTS
from .filters import Filter, condition
from .joined_rows import LABEL_ROW, LABEL_TIME, own_column
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
_LEAST_TYPES: Final = {"number": "FLOAT", "integer": "UTINYINT", "boolean": "BOOLEAN"}
_PLACE: Final = "\x1a"
"""Stands for a column while a condition is made; DuckDB takes it in no name of these tables."""
_MOST_LENGTH: Final = 100_000
_OF_ALONE: Final = "-- also inputs without an output, with their labels; remove this part for rows with an output only"
_OF_TYPES: Final = "-- adds no row, only types: a window may have no row with one of these columns"


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
    names = _joined_names(rows) if is_joined else {f"{rows.base.role}.{name}": name for name in rows.base.columns}
    wanted = [quoted(names[one.name]) for one in columns if one.name in names]
    conditions = [_condition(deployment, rows, by, one, names) for by, one in zip(filters, filtered, strict=True)]
    sources = [f"SELECT * FROM {quoted(f'{deployment}/joined' if is_joined else rows.base.root or 'rows')}"]
    if is_joined and not any(
        one.role == OUTPUTS and _is_of_values(by) for by, one in zip(filters, filtered, strict=True)
    ):
        sources.append(f"{_OF_ALONE}\n{_alone(deployment, rows, names)}")
    known = {names[one.name]: "NULL" for one in columns if one.name in names}
    known |= {names[one.name]: f"CAST(NULL AS {_least_type(one)})" for one in filtered if one.name in names}
    if known:
        nulls = ", ".join(f"{null} AS {quoted(name)}" for name, null in known.items())
        sources.append(f"{_OF_TYPES}\nSELECT {nulls} WHERE false")
    shown = "\nUNION ALL BY NAME\n".join(sources)
    lines = [
        f"SELECT {', '.join(['row_id', 'time', *wanted]) if wanted else '*'}",
        f"FROM (\n{shown}\n)" if len(sources) > 1 else sources[0].removeprefix("SELECT * "),
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


def _is_of_values(by: Filter) -> bool:
    """Whether no row without a value fulfills it."""
    return by.op != "null" and None not in by.values


def _alone(deployment: str, rows: DeploymentRows, names: Mapping[str, str]) -> str:
    """The inputs that have no output, which the table of joined rows leaves out, with their labels."""
    inputs = {name: names[f"{rows.base.role}.{name}"] for name in rows.base.columns}
    other = {name: joined for name, joined in inputs.items() if name != joined}
    left_out = ", ".join(map(quoted, ["collection", *other]))
    items = [f"alone.* EXCLUDE ({left_out})", *(f"alone.{quoted(own)} AS {quoted(one)}" for own, one in other.items())]
    labels = rows.side(LABELS)
    own = [] if labels is None else [name for name in labels.columns if f"{LABELS}.{name}" in names]
    table, join = quoted(rows.base.root), ""
    if other:
        nulls = ", ".join(f"NULL AS {quoted(name)}" for name in other)
        table = f"(SELECT * FROM {table} UNION ALL BY NAME SELECT {nulls} WHERE false)"
    if labels is not None and own:
        values = {name: quoted(names[f"{LABELS}.{name}"]) for name in own}
        items += [f"labels.{value}" for value in values.values()]
        nulls = ", ".join(f"NULL AS {quoted(name)}" for name in (*own, LABEL_ROW, LABEL_TIME))
        last = ", ".join(
            f"arg_max({quoted(name)}, (since, time)) FILTER (WHERE {quoted(name)} IS NOT NULL) AS {value}"
            for name, value in values.items()
        )
        join = (
            f"\nLEFT JOIN (SELECT coalesce(CAST({quoted(LABEL_ROW)} AS VARCHAR), row_id) AS label_row, {last}\n"
            f"FROM (SELECT *, coalesce(TRY_CAST({quoted(LABEL_TIME)} AS TIMESTAMPTZ), time) AS since\n"
            f"FROM (SELECT * FROM {quoted(labels.root)} UNION ALL BY NAME SELECT {nulls} WHERE false))\n"
            "GROUP BY label_row) AS labels ON labels.label_row = alone.row_id"
        )
    return (
        f"SELECT {', '.join(items)}\nFROM {table} AS alone{join}\n"
        f"WHERE NOT EXISTS (SELECT 1 FROM {quoted(f'{deployment}/joined')} AS known\n"
        "WHERE known.row_id = alone.row_id AND known.event_id IS NOT DISTINCT FROM alone.event_id)"
    )


def _least_type(column: OwnColumn) -> str:
    """A type that becomes that of the column beside it."""
    if column.kind == "time":
        of_time = "TIMESTAMPTZ" if "tz=" in column.type else "TIMESTAMP"
        return of_time if column.type.startswith("timestamp") else "DATE"
    if column.kind == "number" and column.type.startswith("decimal"):
        return "DECIMAL(1, 0)"
    return _LEAST_TYPES.get(column.kind, "VARCHAR")


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
