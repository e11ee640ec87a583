"""What the screen home says of a store."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from looked_store import INPUTS, NOW, hour, numbered, studio_of, write_hours
from read_lines import line, write

from otel_modeldata_studio.screens.home import About, Deployment, HomeRow, about, home

if TYPE_CHECKING:
    from pathlib import Path


def test_a_row_has_the_numbers_of_its_collection(tmp_path: Path) -> None:
    sizes = write_hours(tmp_path, {30: 1, 2: 3, 1: 2, 0: 1})
    with studio_of(tmp_path) as studio:
        found = home(studio)
    assert found.collections == (
        HomeRow(
            name=INPUTS,
            endpoint="shop",
            deployment="blue",
            collection="model_inputs",
            hours=(*[0] * 21, 3, 2, 1),
            hours_unit="events",
            is_estimated=True,
            last_write="2026-11-22T12:30:00Z",
            events=7,
            rows=None,
            bytes=sum(sizes.values()),
            parquet_bytes=0,
            gaps=0,
            duplicates=0,
            parked=0,
            quarantined=0,
        ),
    )
    assert (found.updated, found.is_whole, found.unnamed) == (f"{NOW:%Y-%m-%dT%H:%M:%SZ}", True, 0)


def test_what_needs_eyes_comes_first(tmp_path: Path) -> None:
    hourly = dict.fromkeys(range(30), 1)
    write_hours(tmp_path, hourly, "shop/a/model_inputs")
    write_hours(tmp_path, dict.fromkeys(range(5, 30), 1), "shop/b/model_inputs")
    write_hours(tmp_path, dict.fromkeys(range(26, 40), 1), "shop/c/ground_truth")
    write_hours(tmp_path, hourly, "custom/folder/of/four")
    with studio_of(tmp_path) as studio:
        rows = home(studio).collections
    assert [(one.name, one.endpoint, one.state) for one in rows] == [
        ("shop/b/model_inputs", "shop", "bad"),
        ("shop/c/ground_truth", "shop", "warn"),
        ("custom/folder/of/four", "", "ok"),
        ("shop/a/model_inputs", "shop", "ok"),
    ]


def test_every_screen_knows_the_deployments_and_their_times(tmp_path: Path) -> None:
    write_hours(tmp_path, {30: 1, 0: 1})
    write_hours(tmp_path, {3: 1}, "shop/blue/model_outputs")
    write(tmp_path, [line()], collection="flat", hour=hour(1))
    with studio_of(tmp_path, trace_url="https://traces/{trace_id}", baseline="2026-11-01..2026-11-08") as studio:
        found = about(studio)
    assert found == About(
        store=str(tmp_path),
        version=version("otel-modeldata"),
        now="2026-11-22T12:30:00Z",
        trace_url="https://traces/{trace_id}",
        baseline="2026-11-01..2026-11-08",
        deployments=(
            Deployment(name="", collections=("flat",), first="2026-11-22T11:00:00Z", last="2026-11-22T12:00:00Z"),
            Deployment(
                name="shop/blue",
                collections=("model_inputs", "model_outputs"),
                first="2026-11-21T06:00:00Z",
                last="2026-11-22T13:00:00Z",
            ),
        ),
        beside_rows=("app_events", "app_spans", "app_traces", "ground_truth", "request", "response"),
    )


def test_an_empty_store_has_no_rows(tmp_path: Path) -> None:
    with studio_of(tmp_path) as studio:
        assert home(studio).collections == ()
        assert about(studio).deployments == ()


def test_a_second_answer_reads_nothing_that_the_first_one_has_read(tmp_path: Path) -> None:
    for number in range(40):
        write(tmp_path, numbered(0, 1, 1), collection=f"shop/d{number}/model_inputs", hour=hour(1))
    with studio_of(tmp_path) as studio:
        first = home(studio)
        read: list[object] = []
        studio.store.objects.read_ranges = read.append  # type: ignore[method-assign,assignment]
        assert home(studio).collections == first.collections
        assert len(first.collections) == 40
    assert read == []
