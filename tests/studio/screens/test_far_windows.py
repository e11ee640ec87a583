"""Windows that begin or end far from the rows: every screen counts each row once, in the step of its time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opened_studio import opened_studio, whole
from read_lines import line, write

from otel_modeldata_studio.screens import explore
from otel_modeldata_studio.screens.feature import feature
from otel_modeldata_studio.screens.performance import performance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from otel_modeldata_studio.studio import Studio

DEPLOYMENT = "shop/blue"
ROWS = 6
SIDES: dict[str, dict[str, Any]] = {
    "model_inputs": {"x": 1.0, "plan": "basic"},
    "model_outputs": {"y": 2.0},
    "ground_truth": {"label": 2.5},
}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    store: Path = tmp_path_factory.mktemp("store")
    for name, row in SIDES.items():
        lines = [
            line([row], number=number, id=f"{name}-{number}", type=f"azureml.inference.{name}")
            for number in range(ROWS)
        ]
        write(store, lines, collection=f"shop/blue/{name}")
    with opened_studio(store) as opened:
        yield opened


def step_of(starts: Sequence[str], counts: Sequence[float | None]) -> int:
    """The place of the only count, which is in the last step that begins before the rows."""
    (place,) = [at for at, count in enumerate(counts) if count is not None and count > 0]
    assert starts[place] <= "2026-11-22T10:00:00Z"
    assert all(start > "2026-11-22T10:00:00Z" for start in starts[place + 1 :])
    return place


WINDOWS = {
    "all times": ("0001-01-01", "9999-12-31"),
    "weeks": ("-99999999w", None),
    "before what an int64 holds": ("0001-01-01", "2026-12-01"),
    "the first that it holds": ("1677-09-21T00:12:44Z", "2026-12-01"),
    "long ago": ("1700-01-01", "2026-12-01"),
    "before 1970": ("1969-12-31", "2026-12-01"),
    "until the last that it holds": ("2026-11-22", "2262-04-11T23:47:16Z"),
    "until after what it holds": ("2026-11-22", "9999-12-31"),
}


@pytest.mark.parametrize(("since", "until"), WINDOWS.values(), ids=WINDOWS)
def test_each_row_is_in_the_step_of_its_time(studio: Studio, since: str, until: str | None) -> None:
    of: dict[str, Any] = {"deployment": DEPLOYMENT, "since": since, "until": until}
    rows = whole(lambda: explore.volume(studio, **of))
    assert rows.rows[step_of(rows.starts, rows.rows)] == rows.total == ROWS
    over_time = whole(lambda: performance(studio, **of)).over_time
    assert over_time is not None
    assert over_time.rows[step_of(over_time.times, over_time.rows)] == sum(over_time.labeled) == ROWS
    for column in ("inputs.x", "inputs.plan"):
        found = whole(lambda column=column: feature(studio, column=column, **of))
        assert (found.facet.rows, found.facet.nulls) == (ROWS, 0)
        step_of(found.times, [None if rate is None else 1.0 - rate for rate in found.null_rate])
