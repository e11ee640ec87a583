"""Which collections need eyes, why, and what to run."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest
from command_run import run_command
from looked_store import INPUTS, NOW, hour, studio_of, write_hours, written_at
from read_lines import line, write

from otel_modeldata_studio.screens.home import home

if TYPE_CHECKING:
    from pathlib import Path

    from otel_modeldata_studio.screens.home import HomeRow

HOURLY = dict.fromkeys(range(30), 2)


def row(store: Path, name: str = INPUTS) -> HomeRow:
    with studio_of(store) as studio:
        (found,) = (one for one in home(studio).collections if one.name == name)
        return found


def test_a_collection_that_is_written_is_well(tmp_path: Path) -> None:
    write_hours(tmp_path, HOURLY)
    found = row(tmp_path)
    assert (found.state, found.reason, found.command) == ("ok", "", "")


@pytest.mark.parametrize(
    ("counts", "collection", "state", "said"),
    [
        (dict.fromkeys(range(4, 30), 2), INPUTS, "bad", "3 h (expected one within 2 h)"),
        (dict.fromkeys(range(4, 30), 2), "shop/blue/ground_truth", "ok", ""),  # labels come when somebody has them
        (dict.fromkeys(range(30, 60), 2), "shop/blue/ground_truth", "warn", "29 h (expected one within 24 h)"),
        (dict.fromkeys(range(4, 100, 6), 2), INPUTS, "ok", ""),  # every six hours
        (dict.fromkeys(range(9, 100, 6), 2), INPUTS, "bad", "8 h (expected one within 7 h)"),
        # A month ago: it has probably ended.
        (dict.fromkeys(range(800, 810), 2), INPUTS, "warn", "33 days (expected one within 2 h)"),
    ],
)
def test_a_collection_is_silent_after_its_usual_gap(
    tmp_path: Path, counts: dict[int, int], collection: str, state: str, said: str
) -> None:
    write_hours(tmp_path, counts, collection)
    found = row(tmp_path, collection)
    assert found.state == state
    if state == "ok":
        return
    assert found.reason == f"no line of {collection} for more than {said}: the last ones are of {hour(min(counts))}"
    assert shlex.split(found.command)[:3] == ["otel-modeldata", "why", collection]


def test_the_command_of_a_silent_collection_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_hours(tmp_path, dict.fromkeys(range(4, 30), 2))
    code, out, _ = run_command(capsys, *shlex.split(row(tmp_path).command)[1:])
    assert code == 1  # something stops the data
    assert out.startswith(f"There is no data of {INPUTS} in")


def test_late_and_future_lines_are_said(tmp_path: Path) -> None:
    write_hours(tmp_path, HOURLY)
    write_hours(tmp_path, {-3: 1}, "shop/ahead/model_inputs")
    written_at(next((tmp_path / "shop/ahead/model_inputs").rglob("*.jsonl")), 0)
    found = row(tmp_path, "shop/ahead/model_inputs")
    assert found.state == "bad"
    assert f"are in the folder {hour(-3)}, whose time has not begun (now is 2026-11-22 12:30:00 UTC)" in found.reason


def test_parked_lines_come_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_hours(tmp_path, HOURLY)
    parked = [line(number=number) for number in range(3)]
    write(tmp_path, parked, collection=f"_parked/{INPUTS}", hour=hour(1))
    found = row(tmp_path)
    assert (found.state, found.parked) == ("bad", 3)
    assert found.reason == (
        f"3 line(s) of {INPUTS} are parked since {hour(1)}, because the place of shop/blue takes none: nothing is "
        "lost; repair the place, and the receiver delivers them"
    )
    code, out, _ = run_command(capsys, *shlex.split(found.command)[1:])
    assert code == 0
    assert "63 lines" in out


def test_events_that_are_missing_are_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_hours(tmp_path, HOURLY)
    blob = next((tmp_path / INPUTS / hour(5)).iterdir())
    blob.write_bytes(blob.read_bytes().splitlines(keepends=True)[0])
    found = row(tmp_path)
    assert (found.state, found.gaps) == ("warn", 1)
    assert found.reason == (
        f"1 event(s) of {INPUTS} are not in the store, and others of their producers with later numbers are: they are "
        "under way, or were lost before the store"
    )
    code, out, _ = run_command(capsys, *shlex.split(found.command)[1:])
    assert code == f"otel-modeldata: 1 finding: not everything in {tmp_path} is accounted for"
    assert "1 event missing, of the numbers 49" in " ".join(out.split()), out


def test_what_is_missing_is_said_of_a_silent_collection_too(tmp_path: Path) -> None:
    write_hours(tmp_path, dict.fromkeys(range(9, 15), 3))
    blob = next((tmp_path / INPUTS / hour(12)).iterdir())
    blob.write_bytes(blob.read_bytes().splitlines(keepends=True)[0])
    written_at(blob, 12)
    found = row(tmp_path)
    assert (found.state, found.gaps) == ("bad", 2)
    assert found.reason.startswith(f"no line of {INPUTS} for more than ")
    assert found.reason.endswith("; it also misses 2 events")


def test_folders_that_are_none_of_an_hour_are_a_warning(tmp_path: Path) -> None:
    path = write(tmp_path, [line(time=f"{NOW:%Y-%m-%dT%H:%M:%SZ}")], hour=f"{NOW:%Y/%m/%d}")
    written_at(path, 0)
    found = row(tmp_path)
    assert found.state == "warn"
    assert "which is not that of an hour" in found.reason
