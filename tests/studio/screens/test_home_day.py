"""What home says of columns: the last day beside the baseline, whatever anybody looks at; the same as a report says."""

from __future__ import annotations

import json
import shlex
import time
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from command_run import run_command
from looked_store import NOW, studio_of
from opened_studio import opened_studio, whole
from read_lines import line, write

from otel_modeldata_studio.profiles import day_watch
from otel_modeldata_studio.screens import explore
from otel_modeldata_studio.screens.feature import feature
from otel_modeldata_studio.screens.home import HomeRow, home
from otel_modeldata_studio.screens.home_day import HomeDay, HomeLabels

if TYPE_CHECKING:
    from pathlib import Path

    from two_days import TwoDays

    from otel_modeldata_studio.studio import Studio

BLUE = "shop/blue"
INPUTS, OUTPUTS, LABELS = (f"{BLUE}/{name}" for name in ("model_inputs", "model_outputs", "ground_truth"))


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look comes at once."""
    monkeypatch.setattr(day_watch, "_FIRST_SECONDS", 0.05)
    monkeypatch.setattr(day_watch, "_NEXT_SECONDS", 0.05)


def looked(studio: Studio) -> dict[str, HomeRow]:
    """The rows when every deployment was looked at."""
    end = time.monotonic() + 120
    while True:
        rows = {one.name: one for one in home(studio).collections}
        if all(one.null_alarm is not None for one in rows.values()):
            return rows
        assert time.monotonic() < end
        time.sleep(0.05)


def said(row: HomeRow) -> tuple[Any, ...]:
    """What is said of the columns of a row."""
    return row.null_alarm, row.drift and row.drift.column, row.day and row.day.note


def _hours(day: HomeDay) -> str:
    """How long the day is, to three digits."""
    return f"{(pd.Timestamp(day.until) - pd.Timestamp(day.since)).total_seconds() / 3600:.3g} hours"


def report_of(row: HomeRow, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The columns of the report of a row's command, by their names."""
    program, *words = shlex.split(row.command)
    assert program == "otel-modeldata"
    _, out, _ = run_command(capsys, *words, "--json")
    (collection,) = json.loads(out)["collections"]
    return {one["name"]: one for one in collection["columns"]}


@pytest.mark.parametrize("hours", [None, (48, 24), (48, 8)])
def test_what_has_changed_is_said_with_the_report_that_shows_it(
    two_days: TwoDays, hours: tuple[int, int] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    baseline = None if hours is None else "..".join(map(two_days.at, hours))
    with opened_studio(two_days.root, baseline=baseline) as studio:
        first = home(studio).collections
        rows = looked(studio)
    assert all((one.null_alarm, one.drift, one.day, one.reason) == (None, None, None, "") for one in first)
    inputs, outputs, labels = rows[INPUTS], rows[OUTPUTS], rows[LABELS]
    assert said(inputs) == (("inputs.income",), "inputs.age", "")
    assert said(outputs)[0] == ()
    assert outputs.drift is None or outputs.drift.psi < 0.2
    assert (said(labels)[0], labels.state) == ((), "ok")
    assert inputs.state == "warn"
    assert inputs.drift is not None
    assert inputs.day is not None
    assert inputs.reason == (
        f"inputs.age has drifted from the baseline (PSI {inputs.drift.psi:.2f}), and inputs.income has more nulls than "
        f"in the baseline: {inputs.day.rows} rows of {INPUTS} in the last {_hours(inputs.day)}"
    )
    columns = report_of(inputs, capsys)
    assert inputs.drift.psi == pytest.approx(columns["age"]["drift"]["psi"], rel=1e-9)
    assert inputs.day.rows == columns["age"]["window"]["rows"]
    assert inputs.day.baseline_rows == columns["age"]["baseline"]["rows"]
    if hours == (48, 8):  # what is in the baseline is not compared with it
        assert inputs.day.since == two_days.at(8)


def test_labels_that_are_not_there_yet_are_a_share_and_no_alarm(two_days: TwoDays) -> None:
    with opened_studio(two_days.root) as studio:
        labels = looked(studio)[LABELS]
        assert labels.day is not None
        window = {"since": labels.day.since, "until": labels.day.until}
        volume = whole(lambda: explore.rows(studio, deployment=BLUE, limit=500, **window))
        both = [
            explore.volume(studio, deployment=BLUE, f=f, **window).total
            for f in ('[{"column": "labels.label", "op": "not_null"}]', "[]")
        ]
    assert volume.rows
    assert labels.labels == HomeLabels(labeled=both[0], rows=both[1])
    assert 0 < both[0] < both[1]


def test_what_anybody_looks_at_changes_nothing(two_days: TwoDays) -> None:
    with opened_studio(two_days.root) as studio:
        before = looked(studio)
        for more in ({"since": two_days.at(1)}, {"f": '[{"column": "inputs.age", "op": "between", "low": 60}]'}):
            whole(
                lambda more=more: explore.facets(
                    studio, deployment=BLUE, baseline=f"{two_days.at(48)}..{two_days.at(40)}", **more
                )
            )
            since = {"since": two_days.at(2)} | more
            whole(lambda since=since: feature(studio, deployment=BLUE, column="inputs.plan", **since))
        after = looked(studio)
    assert {name: said(one) for name, one in after.items()} == {name: said(one) for name, one in before.items()}


def test_a_file_is_a_baseline_too_and_ids_that_are_counted_are_no_drift(two_days: TwoDays, tmp_path: Path) -> None:
    training = pd.DataFrame(
        {"age": [40.0, 41, 39, 44, 36] * 20, "income": [1e4, 2e4, 3e4, 25_000, 15_000] * 20, "number": range(-100, 0)}
    )
    training.to_csv(tmp_path / "training.csv")
    with opened_studio(two_days.root, baseline=str(tmp_path / "training.csv")) as studio:
        inputs = looked(studio)[INPUTS]
    assert said(inputs)[0] == ("inputs.income",)
    assert inputs.drift is not None
    assert inputs.drift.column in {"inputs.age", "inputs.income"}
    assert shlex.split(inputs.command)[-3] == str(tmp_path / "training.csv")


def hours_of_ages(root: Path, ages: dict[int, list[float | None]]) -> None:
    """Write rows with ages into hours before the moment."""
    for ago, values in ages.items():
        moment = NOW - pd.Timedelta(hours=ago)
        lines = [
            line(
                [{"age": age}],
                number=1000 * ago + at,
                time=f"{moment:%Y-%m-%dT%H:%M:%SZ}",
                timens=str(int(moment.timestamp()) * 10**9 + at),
                datatypes="f8",
            )
            for at, age in enumerate(values)
        ]
        write(root, lines, hour=f"{moment:%Y/%m/%d/%H}")


@pytest.mark.parametrize(
    ("before", "day", "note"),
    [
        (100, 29, "the last 24 hours have 29 rows: at least 30 are compared"),
        (1, 100, "the baseline has 1 row: at least 30 are compared"),
        (100, 0, "no row in the last 24 hours"),
        (0, 100, "no row in the baseline 2026-11-20T12:30:00Z..2026-11-21T12:30:00Z"),
    ],
)
def test_few_rows_are_no_alarm(tmp_path: Path, before: int, day: int, note: str) -> None:
    hours_of_ages(tmp_path, {60: [1.0], 30: [40.0] * before, 3: [90.0, None, None] * 40})
    hours_of_ages(tmp_path, {3: ([90.0, None, None] * 40)[:day]})
    with studio_of(tmp_path) as studio:
        inputs = looked(studio)[INPUTS]
    assert said(inputs) == ((), None, note)
    assert inputs.day == HomeDay(
        since="2026-11-21T12:30:00Z",
        until="2026-11-22T12:30:00Z",
        baseline="2026-11-20T12:30:00Z..2026-11-21T12:30:00Z",
        rows=day,
        baseline_rows=before if day >= 30 else 0,
        note=note,
    )


def test_rows_of_nested_values_alone_are_not_compared(tmp_path: Path) -> None:
    moment = NOW - pd.Timedelta(hours=3)
    lines = [
        line([{"tags": [at]}], number=at, time=f"{moment:%FT%TZ}", timens=str(int(moment.timestamp()) * 10**9 + at))
        for at in range(40)
    ]
    write(tmp_path, lines, hour=f"{moment:%Y/%m/%d/%H}")
    with studio_of(tmp_path) as studio:
        assert said(looked(studio)[INPUTS]) == ((), None, "no column of numbers, texts or times: not compared")


def test_nulls_that_may_be_by_chance_are_no_alarm(tmp_path: Path) -> None:
    few, many = [None, None, None, *[40.0] * 28], [None, None, None, *[40.0] * 28] * 20
    for before, values, expected in ((20, few, ()), (200, many, ("inputs.age",))):
        hours_of_ages(tmp_path, {30: [40.0, 41.0] * before, 3: values})
        with studio_of(tmp_path) as studio:
            assert looked(studio)[INPUTS].null_alarm == expected


def test_a_wrong_baseline_is_said_and_nothing_else_is_lost(tmp_path: Path) -> None:
    hours_of_ages(tmp_path, {3: [40.0] * 40})
    with studio_of(tmp_path, baseline=str(tmp_path / "none.parquet")) as studio:
        inputs = looked(studio)[INPUTS]
    assert said(inputs)[:2] == ((), None)
    assert inputs.day is not None
    assert inputs.day.note.startswith("not compared: expected the file of the baseline, got none at ")


def test_what_is_much_to_read_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hours_of_ages(tmp_path, {30: [40.0] * 40, 3: [90.0] * 40})
    monkeypatch.setattr("otel_modeldata_studio.profiles.day_reading._MOST_LINES", 100)
    with studio_of(tmp_path) as studio:
        inputs = looked(studio)[INPUTS]
        windows = day_watch.compared_windows(studio.catalog.now_ns, None)
        assert all(studio.tables.read(INPUTS, one, lambda: False) for one in (windows.day, windows.before) if one)
    assert inputs.day is not None
    assert inputs.day.note.startswith("not compared: the last day and the baseline have ")
    assert inputs.state == "ok"


def test_a_deployment_is_looked_at_again_only_if_it_has_other_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(day_watch, "_LEAST_SECONDS", 0.0)
    monkeypatch.setattr(day_watch, "_LEAST_SHARE", 0)
    made: list[str] = []
    look = day_watch.collection_day
    monkeypatch.setattr(day_watch, "collection_day", lambda *given: (made.append(given[2]), look(*given))[1])
    hours_of_ages(tmp_path, {30: [40.0, 41.0] * 20, 3: [40.0, 41.0] * 20})
    with studio_of(tmp_path) as studio:
        assert said(looked(studio)[INPUTS]) == ((), None, "")
        asked = studio.catalog.listing
        rounds: list[int] = []
        studio.catalog.listing = lambda: (rounds.append(1), asked())[1]  # type: ignore[method-assign]
        wait_for(lambda: len(rounds) > 20)
        assert made == [BLUE]
        hours_of_ages(tmp_path, {2: [90.0, 91.0] * 20})
        wait_for(lambda: said(looked(studio)[INPUTS])[1] == "inputs.age")
    assert len(made) <= 3


def wait_for(condition: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
