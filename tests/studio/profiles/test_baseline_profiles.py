"""A baseline is what it is of now: of all its lines, of the rows that came later, and without those that went."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pandas as pd
from opened_studio import opened_studio, whole
from read_lines import line, write

from otel_modeldata_reader.blobs.listing import collections_of
from otel_modeldata_studio.profiles import baseline_profiles
from otel_modeldata_studio.screens import explore, request
from otel_modeldata_studio.tables import tables as studio_tables

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from otel_modeldata_studio.screens.facets import FacetsAnswer
    from otel_modeldata_studio.studio import Studio

BLUE = "shop/blue"
FIRST = dt.datetime(2026, 11, 22, 6, tzinfo=dt.UTC)
HOURS = 5
"""Of the baseline; the hour after it is the window."""
SINCE, END = (f"{FIRST + dt.timedelta(hours=hours):%Y-%m-%dT%H}:00:00Z" for hours in (0, HOURS))


def write_hour(store: Path, hour: int, ages: list[float], *, first: int = 0) -> None:
    """Write the lines of an hour, one for each age and second from the number of the first one on."""
    at = FIRST + dt.timedelta(hours=hour)
    lines = [
        line(
            [{"age": age}],
            number=(number := 1_000 * hour + first + place),
            correlationid=f"request-{number}",
            timens=str((int(at.timestamp()) + first + place) * 10**9),
        )
        for place, age in enumerate(ages)
    ]
    write(store, lines, hour=f"{at:%Y/%m/%d/%H}", replica=first)


def write_all(store: Path) -> None:
    """Ages rise by 10 each hour."""
    for hour in range(HOURS + 1):
        write_hour(store, hour, [10.0 * hour + place / 10 for place in range(100)])


def facets(studio: Studio, baseline: str, columns: tuple[str, ...] = ("inputs.age",)) -> FacetsAnswer:
    studio.tables.listing = lambda: collections_of(studio.store.objects.walk())
    return explore.facets(studio, deployment=BLUE, since=END, baseline=baseline, columns=columns)


def outline(answer: FacetsAnswer) -> int:
    """How many rows the baseline has in the bins of the facet."""
    (facet,) = answer.facets
    return sum(one.baseline or 0 for one in facet.bins)


def test_a_baseline_whose_lines_are_not_all_read_is_pending_and_then_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_all(tmp_path)
    baseline = f"{SINCE}..{END}"
    with opened_studio(tmp_path) as studio:
        expected = whole(lambda: facets(studio, baseline))
    monkeypatch.setattr(studio_tables, "_READ_SECONDS", 0.0)  # a question reads one hour, a thread the others
    with opened_studio(tmp_path) as studio:
        first = facets(studio, baseline)
        assert first.pending > 0
        assert outline(first) == 100
        found = whole(lambda: facets(studio, baseline))
        assert found == expected
        assert outline(found) == 100 * HOURS
    with opened_studio(tmp_path) as studio:
        row = f"request-{1_000 * HOURS}_0"
        asked = {"id": row, "deployment": BLUE, "baseline": baseline}
        assert request.request(studio, **asked).pending > 0
        (age,) = whole(lambda: request.request(studio, **asked)).values
        assert age.place is not None
        assert age.place.percentile == 100.0


def test_rows_that_came_and_went_are_in_the_next_profile(tmp_path: Path) -> None:
    write_all(tmp_path)
    baseline = f"{SINCE}..{END}"
    with opened_studio(tmp_path) as studio:
        assert outline(whole(lambda: facets(studio, baseline))) == 100 * HOURS
        kept = studio.baselines._known[BLUE, baseline, "inputs.age"]
        write_hour(tmp_path, HOURS, [1.0])  # of the window, not of the baseline
        whole(lambda: facets(studio, baseline))
        assert studio.baselines._known[BLUE, baseline, "inputs.age"] is kept
        write_hour(tmp_path, 2, [25.0] * 30, first=500)
        assert outline(whole(lambda: facets(studio, baseline))) == 100 * HOURS + 30
        write_hour(tmp_path, 2, [25.0] * 20, first=500)
        assert outline(whole(lambda: facets(studio, baseline))) == 100 * HOURS + 20


def test_a_relative_window_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_all(tmp_path)
    now = FIRST + dt.timedelta(hours=HOURS)

    class Clock:
        """Is asked for the present."""

        @staticmethod
        def now(zone: dt.tzinfo) -> dt.datetime:
            return now.astimezone(zone)

    monkeypatch.setattr(baseline_profiles, "datetime", Clock)
    with opened_studio(tmp_path) as studio:
        assert outline(whole(lambda: facets(studio, "-3h..-2h"))) == 100
        first = facets(studio, "-3h..-2h")
        now += dt.timedelta(seconds=90)  # it moves a minute: 60 rows
        second = whole(lambda: facets(studio, "-3h..-2h"))
    lows = [next(one.low for one in answer.facets[0].bins if one.baseline) for answer in (first, second)]
    assert lows == [20.0, 26.0]


def test_a_file_that_was_written_again_is_read_again(tmp_path: Path) -> None:
    write_all(tmp_path / "store")
    path = tmp_path / "training.csv"
    with opened_studio(tmp_path / "store", baseline=str(path)) as studio:
        for count in (40, 70):
            pd.DataFrame({"age": range(count)}).to_csv(path)
            assert outline(whole(lambda: facets(studio, str(path)))) == count
