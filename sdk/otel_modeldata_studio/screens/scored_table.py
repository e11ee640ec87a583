"""The scored rows of a window as the reports of the reader measure them: prediction, label, score and slice of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from otel_modeldata_reader.reporting.profiles.row_sample import RowSample
from otel_modeldata_reader.reporting.profiles.scored_rows import Roles, ScoredRows, label_of, roles_of

from ..queries.joined_rows import joined_rows, own_column
from ..queries.scored import scored
from ..tables.deployment_rows import INPUTS, LABELS, OUTPUTS
from ..tables.slices import even_slices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_modeldata_reader.window import Window

    from ..studio import Studio
    from ..tables.column import Column
    from ..tables.deployment_rows import DeploymentRows

__all__ = ["ScoredTable", "scored_table", "sliceable"]

_MOST_ROWS: Final = 400_000
_TEXTS: Final = frozenset({"text", "category", "boolean"})
_NUMBERS: Final = frozenset({"number", "integer"})
_SCORES: Final = ("score", "probability", "proba", "confidence")
"""Names by which a column of numbers beside a predicted class is taken for the score of the positive class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredTable:
    """Scored rows.

    Attributes:
        rows: `row_id`, `time` in nanoseconds since the epoch, `label`, `prediction`, `score` and `by`.
        roles: which columns they are, without the prefixes of their sides but for `by`.
        share: of the rows of the window that were looked at.
    """

    rows: pa.Table
    roles: Roles
    share: float

    def measured(self, by: pa.ChunkedArray | pa.Array | None = None, name: str | None = None) -> ScoredRows:
        """The rows as a report measures them.

        Args:
            by: the slice of each row, instead of the chosen column.
            name: what the slices are called.
        """
        rows = self.rows.select(["label", "prediction", "score", "by"])
        roles = self.roles
        if by is not None:
            rows = rows.set_column(3, "by", by)
            roles = Roles(
                label=roles.label, prediction=roles.prediction, score=roles.score, by=name or "time", note=roles.note
            )
        return ScoredRows(rows=rows, roles=roles, latencies=RowSample(1))


def scored_table(studio: Studio, found: DeploymentRows, window: Window, named: Roles) -> ScoredTable:
    """The scored rows: those that have a prediction or a score; of very many a sample from even places.

    Args:
        studio: has the tables.
        found: the rows of the deployment.
        window: only rows of this window.
        named: the columns that are named; the others are found by their names.

    Raises:
        UnknownNameError: a column that is named is missing.
        ReaderError: the rows cannot be read.
    """
    roles = _roles(found, named)
    wanted = {
        "label": None if roles.label is None else own_column(found, f"{LABELS}.{roles.label}"),
        "prediction": None if roles.prediction is None else own_column(found, f"{OUTPUTS}.{roles.prediction}"),
        "score": None if roles.score is None else own_column(found, f"{OUTPUTS}.{roles.score}"),
        "by": None if roles.by is None else own_column(found, roles.by),
    }
    every = [one for one in wanted.values() if one is not None]
    slices, share = even_slices(found.base.pieces, window, _MOST_ROWS)
    chosen = joined_rows(found, every, [], window, base=slices)
    text = scored(chosen, wanted)
    table = studio.tables.database.table(text.text, text.parameters)
    is_scored = pc.or_(table["prediction"].is_valid(), table["score"].is_valid())
    # DuckDB gives rows in any order, and the same question has the same answer to the last digit.
    order = [("time", "ascending"), ("row_id", "ascending")]
    return ScoredTable(rows=table.filter(is_scored).sort_by(order), roles=roles, share=share)


def sliceable(found: DeploymentRows) -> list[str]:
    """The columns of inputs and outputs by which performance can be sliced."""
    return [
        f"{side.role}.{name}"
        for side in found.sides
        if side.role in {INPUTS, OUTPUTS}
        for name, column in side.columns.items()
        if column.kind in _TEXTS | _NUMBERS | {"time"}
    ]


def _roles(found: DeploymentRows, named: Roles) -> Roles:
    """As a report finds them; beside that a predicted class, where labels are texts and the output has one."""
    inputs, outputs, labels = (found.side(role) for role in (INPUTS, OUTPUTS, LABELS))
    of_outputs: Mapping[str, Column] = {} if outputs is None else outputs.columns
    plain = Roles(prediction=named.prediction, label=named.label, score=named.score)
    roles = roles_of((list({} if inputs is None else inputs.columns), list(of_outputs)), plain)
    label, note = (None, None) if labels is None else label_of(list(labels.columns), named.label)
    prediction, score = roles.prediction, roles.score
    if labels is not None and label is not None and named.prediction is None and named.score is None:
        is_class = labels.columns[label].kind in _TEXTS
        known = of_outputs.get(prediction or "")
        classes = [name for name, one in of_outputs.items() if one.kind in _TEXTS]
        if is_class and classes and (known is None or known.kind in _NUMBERS):
            prediction = classes[0]
            numbers = [name for name, one in of_outputs.items() if one.kind in _NUMBERS]
            score = next((name for name in numbers if name.lower().endswith(_SCORES)), None)
    notes = [one for one in (note, None if prediction else roles.note) if one]
    return Roles(label=label, prediction=prediction, score=score, by=named.by, note="; ".join(notes) or None)
