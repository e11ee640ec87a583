"""What a join did: how many rows have a partner and a label, on each day, and which ids repeat."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from .label_rows import LabelCounts
from .repeated_ids import NO_TIME, most_of_key

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .columns import Renamed
    from .row_keys import Codes, Mask

MOST_REPEATED: Final = 20
"""How many repeated ids a report names."""
_DAY_NS: Final = 86_400 * 10**9
_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedId:
    """A correlation id that came with more than one request.

    Attributes:
        correlationid: the id; None where events have none.
        input_requests: how often it came in the inputs: how often the row id that repeats most is there.
        output_requests: the same of the outputs.
        inputs: its input rows.
        joined: those that have their output, by trace or by time and order.
    """

    correlationid: str | None
    input_requests: int
    output_requests: int
    inputs: int
    joined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCoverage:
    """Rows of one day, UTC.

    Attributes:
        day: of the input's time, else of the output's; None for rows without a time.
        inputs: input rows.
        outputs: output rows, by the day of their input if they have one.
        joined: inputs with their output.
        labeled: inputs and outputs that have a label, each scored row once.
    """

    day: date | None
    inputs: int
    outputs: int
    joined: int
    labeled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinReport:
    """The counts of a join: they are of all rows that were given, also of those that `how` leaves out.

    Attributes:
        inputs: input rows.
        outputs: output rows.
        joined: rows that have both.
        labeled: scored rows that have a label, each once.
        labels: what became of the labels.
        repeated_ids: correlation ids that came with more than one request.
        repeated: those with the most rows, `MOST_REPEATED` at most.
        uncertain_inputs: input rows of repeated ids that have no certain partner: they are among `inputs_alone`.
        uncertain_outputs: the same of the outputs.
        coverage: the counts by day.
        renamed: columns that two tables have.
    """

    inputs: int
    outputs: int
    joined: int
    labeled: int = 0
    labels: LabelCounts = field(default_factory=LabelCounts)
    repeated_ids: int = 0
    repeated: tuple[RepeatedId, ...] = ()
    uncertain_inputs: int = 0
    uncertain_outputs: int = 0
    coverage: tuple[DayCoverage, ...] = field(default=(), repr=False)
    renamed: tuple[Renamed, ...] = ()

    @property
    def inputs_alone(self) -> int:
        """Input rows without an output."""
        return self.inputs - self.joined

    @property
    def outputs_alone(self) -> int:
        """Output rows without an input."""
        return self.outputs - self.joined

    def as_dict(self) -> dict[str, Any]:
        """The report for JSON."""
        found = asdict(self) | {"inputs_alone": self.inputs_alone, "outputs_alone": self.outputs_alone}
        for one in found["coverage"]:
            one["day"] = one["day"] and one["day"].isoformat()
        return found


def repeated_ids(
    *,
    keys: tuple[Codes, Codes],
    groups: tuple[Codes, Codes],
    joined: Codes,
    names: Sequence[Any],
) -> tuple[int, tuple[RepeatedId, ...]]:
    """The correlation ids of rows whose ids repeat.

    Args:
        keys: of these rows, inputs and outputs: equal for equal row ids.
        groups: of these rows: equal for equal correlation ids.
        joined: the groups of the input rows that have a partner, one for each row.
        names: the correlation ids of the inputs' rows, then those of the outputs'.

    Returns:
        How many there are, and those with the most rows.
    """
    different, first, of_row = np.unique(np.concatenate(groups), return_index=True, return_inverse=True)
    sides = np.split(of_row, [len(groups[0])])
    requests = [most_of_key(key, side, len(different)) for key, side in zip(keys, sides, strict=True)]
    inputs = np.bincount(sides[0], minlength=len(different))
    of_joined = np.bincount(np.searchsorted(different, joined), minlength=len(different))
    largest = np.argsort(-np.bincount(of_row, minlength=len(different)), kind="stable")[:MOST_REPEATED]
    return len(different), tuple(
        RepeatedId(
            correlationid=names[int(first[at])].as_py(),
            input_requests=int(requests[0][at]),
            output_requests=int(requests[1][at]),
            inputs=int(inputs[at]),
            joined=int(of_joined[at]),
        )
        for at in largest
    )


def coverage(
    *, inputs: Codes, outputs: Codes, partners: Codes, labeled_inputs: Mask, labeled_outputs: Mask
) -> tuple[DayCoverage, ...]:
    """The counts of each day that has rows.

    Args:
        inputs: ns since 1970 of each input row.
        outputs: the same of the output rows.
        partners: the output of each input row, -1 without one.
        labeled_inputs: whether an input row has a label.
        labeled_outputs: whether an output row has one and no input.
    """
    of_inputs, of_outputs = _days(inputs), _days(outputs)
    has_output = partners >= 0
    of_outputs[partners[has_output]] = of_inputs[has_output]
    days, of_row = np.unique(np.concatenate([of_inputs, of_outputs]), return_inverse=True)
    at_in, at_out = np.split(of_row, [len(inputs)])

    def count(at: Codes) -> list[int]:
        return [int(one) for one in np.bincount(at, minlength=len(days))]

    labeled = np.concatenate([at_in[labeled_inputs], at_out[labeled_outputs]])
    counts = zip(days, count(at_in), count(at_out), count(at_in[has_output]), count(labeled), strict=True)
    return tuple(
        DayCoverage(day=_date(int(day)), inputs=a, outputs=b, joined=c, labeled=d) for day, a, b, c, d in counts
    )


_NO_DAY: Final = NO_TIME // _DAY_NS


def _days(times: Codes) -> Codes:
    return times // _DAY_NS


def _date(day: int) -> date | None:
    return None if day == _NO_DAY else _EPOCH + timedelta(days=day)
