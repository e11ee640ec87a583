"""The performance of scored rows, by the kind of their labels and by slice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..figures.report import Measure, Performance, Slice
from ..measures.performance import auc, of_classes, of_numbers
from .kinds import kind_of, numbers_of
from .range_names import range_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..measures.bins import Floats
    from ..measures.performance import Measured
    from .scored_rows import ScoredRows

__all__ = ["performance_of"]

MOST_CLASSES: Final = 50
_FEW: Final = 20
"""Whole numbers with at most so many different values are classes."""
_SHOWN_SLICES: Final = 20
_NO_VALUE: Final = "no value"
"""The slice of the rows that have none."""
_QUARTERS: Final = 4
_THRESHOLD: Final = 0.5
_BOOLEANS: Final = {"0": "false", "1": "true"}
"""Truth values in the words of JSON."""
_FOREIGN: Final = "no prediction is one of the classes of the labels: do both write classes the same way?"


def performance_of(scored: ScoredRows) -> Performance | str:
    """The figures, or a sentence that says why there are none."""
    roles, rows = scored.roles, scored.rows
    if roles.label is None or roles.prediction is None:
        return roles.note or "the columns of labels and predictions are not known"
    has_both = pc.and_(rows["label"].is_valid(), rows["prediction"].is_valid())
    known = _mask(has_both)
    if not known.any():
        return "no scored row of the window has a label and a prediction"
    label, prediction = _values(rows["label"]), _values(rows["prediction"])
    if label is None or prediction is None:
        return "labels and predictions are neither numbers nor texts"
    score = None if roles.score is None else _values(rows["score"])
    is_score = score is not None and score.dtype.kind == "f"
    words = _BOOLEANS if _is_boolean(rows["label"].type) else {}
    compared = _Compared.of(label, prediction, score if is_score else None, known, words)
    slices = tuple(_slices(compared, rows["by"], known)) if roles.by is not None else ()
    return Performance(
        kind=compared.kind,
        label=roles.label,
        prediction=roles.prediction,
        score=roles.score if is_score else (roles.prediction if compared.score is not None else None),
        positive=compared.positive_name,
        note=compared.note,
        every=compared.of_rows("all rows", np.ones(len(rows), dtype=np.bool_)),
        by=roles.by,
        slices=slices,
        compared=int(known.sum()),
        without_prediction=int(_mask(rows["label"].is_valid()).sum()) - int(known.sum()),
    )


class _Compared:
    """Labels and predictions as numbers of classes, or as numbers."""

    def __init__(  # noqa: PLR0913 (its values)
        self,
        kind: str,
        known: Any,
        label: Any,
        prediction: Any,
        *,
        names: list[str],
        positive: int | None = None,
        score: Floats | None = None,
        note: str | None = None,
    ) -> None:
        self.kind, self.known, self.note = kind, known, note
        self.label, self.prediction, self.score = label, prediction, score
        self.names, self.positive = names, positive

    @classmethod
    def of(cls, label: Any, prediction: Any, score: Floats | None, known: Any, words: Mapping[str, str]) -> _Compared:
        """What is compared, by the kind of the labels and the predictions that are there; `words` renames classes."""
        labels, predictions = label[known], prediction[known]
        if label.dtype.kind == prediction.dtype.kind == "f":
            few = _few_whole(labels)
            if few is None or not (_is_whole(predictions) or _is_share(predictions, few)):
                finite = known & np.isfinite(label) & np.isfinite(prediction)
                return cls("numbers", finite, label, prediction, names=[])
            if not _is_whole(predictions):
                return cls(
                    "classes",
                    known,
                    np.where(known, label, 0).astype(np.int64),
                    (prediction >= _THRESHOLD).astype(np.int64),
                    names=[words.get(one, one) for one in ("0", "1")],
                    positive=1,
                    score=prediction if score is None else score,
                    note=f"the predictions are scores: from {_THRESHOLD} on they are the class {words.get('1', '1')}",
                )
        texts, others = _texts(labels), _texts(predictions)
        names, codes = np.unique(np.concatenate([texts, others]), return_inverse=True)
        of_label, of_prediction = np.zeros(len(label), np.int64), np.zeros(len(label), np.int64)
        of_label[known], of_prediction[known] = np.split(codes, [len(texts)])
        positive = len(names) - 1 if len(names) <= 2 else None
        is_foreign = not set(texts.tolist()) & set(others.tolist())
        return cls(
            "classes",
            known,
            of_label,
            of_prediction,
            names=[words.get(one, one) for one in names.tolist()],
            positive=positive,
            score=score if positive is not None else None,
            note=_FOREIGN if is_foreign else None,
        )

    @property
    def positive_name(self) -> str | None:
        """The positive class."""
        return None if self.positive is None else self.names[self.positive]

    def of_rows(self, name: str, chosen: Any) -> Slice:
        """The figures of some rows."""
        rows = chosen & self.known
        if self.kind == "numbers":
            found = of_numbers(self.label[rows], self.prediction[rows])
        elif len(self.names) > MOST_CLASSES:  # a table of all classes would be large, and a mean over them says little
            right = int((self.label[rows] == self.prediction[rows]).sum())
            table = np.array([[right, int(rows.sum()) - right], [0, 0]])
            found = {"accuracy": of_classes(table, None)["accuracy"]}
        else:
            size = max(2, len(self.names))
            cells = np.bincount(self.label[rows] * size + self.prediction[rows], minlength=size * size)
            found = of_classes(cells.reshape(size, size), self.positive)
            if self.score is not None:
                finite = rows & np.isfinite(self.score)
                found["auc"] = auc(self.score[finite], self.label[finite] == self.positive)
        measures = {key: _measure(one) for key, one in found.items()}
        return Slice(name=name, rows=int(chosen.sum()), labeled=int(rows.sum()), measures=measures)


def _slices(compared: _Compared, column: Any, known: Any) -> Iterator[Slice]:
    """The slices of the most frequent values, then all others; numbers with many values are cut in four."""
    del known
    if kind_of(column.type) in {"number", "time"}:
        values = numbers_of(column.combine_chunks())
        finite = values[np.isfinite(values)]
        if len(np.unique(finite)) > _FEW:
            cuts = np.unique(np.quantile(finite, np.linspace(0, 1, _QUARTERS + 1)[1:-1]))
            places = np.searchsorted(cuts, values, side="right")
            for place, name in enumerate(range_names(cuts.tolist(), is_time=kind_of(column.type) == "time")):
                yield compared.of_rows(name, (places == place) & np.isfinite(values))
            if not np.isfinite(values).all():
                yield compared.of_rows(_NO_VALUE, ~np.isfinite(values))
            return
    texts = _slice_texts(column)
    names, counts = np.unique(texts, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    for place in order[:_SHOWN_SLICES]:
        yield compared.of_rows(str(names[place]), texts == names[place])
    if len(order) > _SHOWN_SLICES:
        others = np.isin(texts, names[order[_SHOWN_SLICES:]])
        yield compared.of_rows(f"{len(order) - _SHOWN_SLICES:,} others", others)


def _slice_texts(column: Any) -> Any:
    if pa.types.is_null(column.type) or kind_of(column.type) == "other":
        return np.full(len(column), _NO_VALUE, dtype=object).astype(str)
    values = _values(column)
    known = _mask(column.is_valid())
    found = np.full(len(column), _NO_VALUE, dtype=object)
    # A text that is equal to the name of the missing ones is another slice.
    words = _BOOLEANS if _is_boolean(column.type) else {}
    found[known] = [words.get(one, f"'{one}'" if one == _NO_VALUE else one[:80]) for one in _texts(values[known])]
    return found.astype(str)


def _values(column: Any) -> Any:
    """Floats for numbers and truth values, else texts; None for other columns."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if _is_boolean(column.type):
        return numbers_of(column.combine_chunks().cast(pa.int8()))
    kind = kind_of(column.type)
    if kind in {"number", "time"}:
        return numbers_of(column.combine_chunks())
    if kind == "category":
        return np.array(column.cast(pa.string()).to_pylist(), dtype=object)
    return None


def _is_boolean(data_type: pa.DataType) -> bool:
    return bool(pa.types.is_boolean(data_type.value_type if pa.types.is_dictionary(data_type) else data_type))


def _texts(values: Any) -> Any:
    """Texts of classes; a whole number is written without a point, so that it equals the text of an integer."""
    if values.dtype.kind == "f":
        return np.array([str(int(one)) if float(one).is_integer() else repr(float(one)) for one in values], dtype=str)
    return np.array([str(one) for one in values], dtype=str)


def _few_whole(values: Floats) -> Floats | None:
    """The different values, if they are whole and few."""
    if not _is_whole(values):
        return None
    different = np.unique(values)
    return different if len(different) <= _FEW else None


def _is_whole(values: Floats) -> bool:
    return bool(np.isfinite(values).all() and (values == np.floor(values)).all())


def _is_share(values: Floats, labels: Floats) -> bool:
    """Whether predictions are scores of a class 1."""
    return set(labels.tolist()) <= {0.0, 1.0} and bool(((values >= 0) & (values <= 1)).all())


def _mask(column: Any) -> Any:
    return column.combine_chunks().to_numpy(zero_copy_only=False)


def _measure(one: Measured) -> Measure:
    low, high = one.interval or (None, None)
    return Measure(value=one.value, low=low, high=high, method=None if one.interval is None else one.method)
