"""What a listing says of missing data: wrong names, wrong stores, wrong hours, and data that is there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from missing_data import NAME, causes, folder, hours, sentence, written
from read_lines import line, write

import otel_modeldata_reader as reader

if TYPE_CHECKING:
    from pathlib import Path


def test_data_that_is_there_is_no_finding(tmp_path: Path) -> None:
    write(tmp_path, [line(producer="p", producersequence="0")], hour=folder(0))
    found = reader.why(tmp_path, NAME)
    assert (found.has_data, found.is_stopped, causes(found)) == (True, False, [])
    assert [one.step for one in found.findings] == [
        "quarantine",
        "parked",
        "store",
        "collection",
        "vanished",
        "sequence",
    ]
    assert sentence(found, "data") == f"lines are written: {NAME}"
    assert str(found).startswith(f"there is data of {NAME} in {tmp_path} with times from ")
    with reader.open(tmp_path) as store:
        assert store.why(NAME).findings == found.findings
        assert store.why("shop/blue").has_data
        assert store.why().has_data


def test_a_name_that_is_nearly_one_of_the_store(tmp_path: Path) -> None:
    write(tmp_path, [line()], hour=folder(0))
    found = reader.why(tmp_path, "shop/blue/model_input")
    assert (found.has_data, causes(found)) == (False, [("other_name", "stopped")])
    assert sentence(found, "other_name") == (
        f"expected lines of shop/blue/model_input in {tmp_path}, got none of this name: did you mean "
        "'shop/blue/model_inputs'?"
    )
    assert found.findings[0].run == (f"otel-modeldata ls --store {tmp_path}",)
    assert causes(reader.why(tmp_path, "shop/blu")) == [("other_name", "stopped")]
    assert causes(reader.why(tmp_path, "SHOP/blue/model_inputs")) == [("other_name", "stopped")]
    found = reader.why(tmp_path, "shop/bleu/model_inputs")
    assert causes(found) == [("other_name", "stopped")]
    assert sentence(found, "other_name").endswith("did you mean 'shop/blue/model_inputs'?")
    assert causes(reader.why(tmp_path, "shop/bleu")) == [("other_name", "stopped")]


@pytest.mark.parametrize("collection", ["answers", "model_outputs", "ground_truth"])
def test_a_collection_of_which_nothing_has_come(tmp_path: Path, collection: str) -> None:
    write(tmp_path, [line()], hour=folder(0))
    found = reader.why(tmp_path, f"shop/blue/{collection}")
    assert causes(found) == [("nothing_stored", "missing")]
    assert sentence(found, "nothing_stored").endswith("got none of this name: there are 'shop/blue/model_inputs'")


def test_only_events_of_doctor_have_come(tmp_path: Path) -> None:
    write(tmp_path, [line()], hour=folder(0), collection="shop/blue/doctor")
    for name in (NAME, "shop/blue", ""):
        found = reader.why(tmp_path, name)
        assert (found.has_data, causes(found)) == (False, [("nothing_stored", "missing")])
        assert sentence(found, "nothing_stored").endswith(
            "only test events of `otel-modeldata doctor` have arrived, so the path works: is it collected at all?"
        )
    assert sentence(found, "nothing_stored").startswith(f"expected lines of any collection in {tmp_path}, got none: ")
    assert reader.why(tmp_path, "shop/blue/doctor").has_data
    write(tmp_path, [line()], hour=folder(0))
    assert reader.why(tmp_path, "shop/blue").has_data


def test_the_store_begins_further_down(tmp_path: Path) -> None:
    write(tmp_path, [line()], hour=folder(0), collection=f"prod/{NAME}")
    found = reader.why(tmp_path, NAME)
    assert causes(found) == [("other_folder", "stopped")]
    assert found.findings[0].run == (f"otel-modeldata ls --store {tmp_path}/prod",)
    assert reader.why(tmp_path / "prod", NAME).has_data


def test_the_store_begins_further_down_for_a_deployment(tmp_path: Path) -> None:
    write(tmp_path, [line()], hour=folder(0), collection=f"prod/eu/{NAME}")
    found = reader.why(tmp_path, "shop/blue")
    assert causes(found) == [("other_folder", "stopped")]
    assert found.findings[0].run == (f"otel-modeldata ls --store {tmp_path}/prod/eu",)


@pytest.mark.parametrize(("below", "name"), [("shop", NAME), ("shop/blue", NAME), ("shop", "shop/blue")])
def test_the_store_begins_further_up(tmp_path: Path, below: str, name: str) -> None:
    write(tmp_path, [line()], hour=folder(0))
    found = reader.why(tmp_path / below, name)
    assert causes(found) == [("other_folder", "stopped")]
    assert sentence(found, "other_folder") == (
        f"expected a store with {name}, got a folder in it, {tmp_path / below}: the store is {tmp_path}, correct its "
        "URL"
    )
    assert found.findings[0].run == (f"otel-modeldata ls --store {tmp_path}",)


def test_the_store_is_the_folder_of_a_deployment(tmp_path: Path) -> None:
    write(tmp_path, [line()], hour=folder(0))
    found = reader.why(tmp_path / "shop/blue", "shop/blue")
    assert found.findings[0].run == (f"otel-modeldata ls --store {tmp_path}",)


@pytest.mark.parametrize("name", ["model_inputs", "blue/model_inputs"])
def test_a_collection_without_its_deployment(tmp_path: Path, name: str) -> None:
    write(tmp_path, [line()], hour=folder(0))
    found = reader.why(tmp_path, name)
    assert causes(found) == [("other_name", "stopped")]
    assert sentence(found, "other_name") == (
        f"expected endpoint/deployment/collection, got {name}: write the whole name, as ls lists it, {NAME}"
    )
    assert found.findings[0].run == (f"otel-modeldata why {NAME} --store {tmp_path}",)


def test_a_name_steers_no_terminal(tmp_path: Path) -> None:
    write(tmp_path, [line()], hour=folder(0))
    assert "\x1b" not in str(reader.why(tmp_path, "shop/blue/\x1b[31m"))


def test_the_store_is_the_folder_of_a_collection(tmp_path: Path) -> None:
    write(tmp_path, [line()], hour=folder(0))
    assert causes(reader.why(tmp_path / NAME, NAME)) == [("folder_of_a_collection", "stopped")]
    assert reader.why(tmp_path / NAME).has_data


def test_an_empty_store_another_folder_and_none(tmp_path: Path) -> None:
    found = reader.why(tmp_path, NAME)
    assert (found.has_data, causes(found)) == (False, [("empty_store", "missing")])
    (tmp_path / "notes.txt").write_text("x")
    assert causes(reader.why(tmp_path, NAME)) == [("no_store", "stopped")]
    found = reader.why(tmp_path / "none", NAME)
    assert (found.has_data, causes(found)) == (None, [("store_unavailable", "stopped")])
    assert found.headline == f"it is not known whether there is data of {NAME} in {tmp_path}/none"
    assert causes(reader.why("ftp://host/store", NAME)) == [("store_unavailable", "stopped")]
    assert causes(reader.why("azureml://datastores/a/paths/b", NAME)) == [("store_unavailable", "stopped")]


def test_blobs_that_were_begun_and_have_no_line(tmp_path: Path) -> None:
    write(tmp_path, [], hour=folder(0))
    assert causes(reader.why(tmp_path, NAME)) == [("no_lines", "missing")]


def test_no_new_lines(tmp_path: Path) -> None:
    written(write(tmp_path, [line()], hour=folder(30)), 30)
    last = written(write(tmp_path, [line()], hour=folder(5)), 5)
    at = datetime.fromtimestamp(last.stat().st_mtime, UTC)
    found = reader.why(tmp_path, NAME)
    assert (found.has_data, causes(found)) == (False, [("no_new_lines", "missing")])
    assert sentence(found, "no_new_lines") == (
        f"expected lines of {NAME} in the window, got none: its folders are of {folder(30)} to {folder(5)}, written at "
        f"{at:%Y-%m-%d %H:%M:%S} UTC (5 h ago)"
    )
    assert reader.why(tmp_path, NAME, "-6h").has_data
    assert reader.why(tmp_path, NAME, "-31h", "-29h").has_data
    assert causes(reader.why(tmp_path, NAME, "-20h", "-10h")) == [("no_new_lines", "missing")]


def test_a_line_before_a_window_within_its_hour(tmp_path: Path) -> None:
    """The blob was last written before the window began, so it has none of its events."""
    written(write(tmp_path, [line()], hour=folder(0)), 0.01)
    assert not reader.why(tmp_path, NAME, "-10s").has_data
    assert reader.why(tmp_path, NAME, "-2m").has_data


def test_events_of_the_future(tmp_path: Path) -> None:
    written(write(tmp_path, [line()], hour=folder(9)), 9)
    write(tmp_path, [line(number=1)], hour=folder(-3))
    found = reader.why(tmp_path, NAME)
    assert causes(found) == [("future_events", "stopped"), ("no_new_lines", "missing")]
    assert f"in the folder {folder(-3)}, whose time has not begun" in sentence(found, "future_events")
    write(tmp_path, [line(number=2)], hour=folder(0))
    assert causes(reader.why(tmp_path, NAME)) == [("future_events", "suspect")]


def test_events_that_are_late(tmp_path: Path) -> None:
    write(tmp_path, [line()], hour=folder(7))
    found = reader.why(tmp_path, NAME)
    assert causes(found) == [("late_events", "stopped"), ("no_new_lines", "missing")]
    assert f"but into the folder {folder(7)}" in sentence(found, "late_events")


@pytest.mark.parametrize(("layout", "is_hour"), [("%Y/%m/%d", False), ("%Y/%m/%d/%H/%M", False), ("%Y/%m/%d/%H", True)])
def test_folders_that_are_not_of_an_hour(tmp_path: Path, layout: str, *, is_hour: bool) -> None:
    write(tmp_path, [line()], hour=f"{hours(0):{layout}}")
    found = reader.why(tmp_path, NAME)
    assert (found.has_data, causes(found)) == (True, [] if is_hour else [("no_hour_folders", "suspect")])


def test_copies_that_azure_reads(tmp_path: Path) -> None:
    write(tmp_path, [line()], hour=folder(0))
    copy = written(write(tmp_path, [line()], hour=folder(2), collection=f"{NAME}_block_blob"), 2)
    assert causes(reader.why(tmp_path, NAME)) == [("old_copies", "suspect")]
    written(copy, -1)
    assert causes(reader.why(tmp_path, NAME)) == []


def test_folders_whose_lines_are_parquet_only(tmp_path: Path) -> None:
    written(write(tmp_path, [line()], hour=folder(30)), 30)
    with reader.open(tmp_path) as store:
        (done,) = store.compact(drop_lines=True)
    assert done.dropped == 1
    assert reader.why(tmp_path, NAME, "-31h", "-29h").has_data
    found = reader.why(tmp_path, NAME)
    assert (found.has_data, causes(found)) == (False, [("no_new_lines", "missing")])
    assert f"its folders are of {folder(30)} to {folder(30)}" in sentence(found, "no_new_lines")
    assert causes(reader.why(tmp_path, "shop/blue/model_input")) == [("other_name", "stopped")]


def test_one_of_the_collections_of_a_deployment_is_quiet(tmp_path: Path) -> None:
    write(tmp_path, [line()], hour=folder(0))
    written(write(tmp_path, [line()], hour=folder(5), collection="shop/blue/model_outputs"), 5)
    found = reader.why(tmp_path, "shop/blue")
    assert (found.has_data, found.is_stopped, causes(found)) == (True, False, [("no_new_lines", "suspect")])
    assert sentence(found, "no_new_lines").startswith("expected lines of shop/blue/model_outputs in the window")


@pytest.mark.parametrize("name", ["../shop", "a//b", "a\\b", "\x1b[2J", "x" * 5000, "a/b/c/d/e", "*"])
def test_a_name_that_no_folder_can_have(tmp_path: Path, name: str) -> None:
    write(tmp_path, [line()], hour=folder(0))
    found = reader.why(tmp_path, name)
    assert (found.has_data, causes(found)) == (False, [("nothing_stored", "missing")])


def test_a_window_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(reader.WindowError, match="expected since before until"):
        reader.why(tmp_path, NAME, "-1h", "-2h")
