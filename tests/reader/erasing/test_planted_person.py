"""After an erasure no byte of a store has the rows of the person, and every other row reads equal to before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from local_blobs import files_below
from planted_person import CONDITION, INPUTS, OUTPUTS, PERSON, contents_in, plant, traces_of, upload

import otel_modeldata_reader as reader

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from azurite import Azurite

PLACES = (
    "shop/blue/model_inputs/2026/11/22/09/files/",
    "shop/blue/model_inputs/2026/11/22/10/",
    "shop/blue/model_inputs/2026/11/22/11/",
    "shop/blue/model_inputs_block_blob/",
    "shop/blue/model_outputs/2026/11/22/10/",
    "shop/blue/ground_truth/",
    "shop/blue/request/",
    "_parked/",
    "_quarantine/2026/11/22/12/0",
    "_quarantine/2026/11/22/12/files/",
    "_parquet/shop/blue/model_inputs/",
    "_parquet/shop/blue/model_outputs/",
)


def test_no_byte_of_a_folder_has_the_person_and_all_other_rows_are_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, monkeypatch)
    before = files_below(tmp_path)
    assert [place for place in PLACES if not any(one.startswith(place) for one in traces_of(before))] == []
    assert any(name.startswith("_index/") for name in before)
    with reader.open(tmp_path) as store:
        inputs, outputs = (store.read(name).to_pandas() for name in (INPUTS, OUTPUTS))
        planned = store.erase(INPUTS, where=CONDITION)
        assert files_below(tmp_path) == before
        receipt = store.erase(INPUTS, where=CONDITION, dry_run=False, by="tests", reason="request 7")
        assert (planned.hours, planned.is_done, receipt.is_done) == (receipt.hours, False, True)
        assert traces_of(files_below(tmp_path)) == []
        others = inputs[inputs["who"] != PERSON].reset_index(drop=True)
        pd.testing.assert_frame_equal(store.read(INPUTS).to_pandas(), others)
        kept = outputs[outputs["who"] != PERSON].reset_index(drop=True)
        pd.testing.assert_frame_equal(store.read(OUTPUTS).to_pandas(), kept)
        again = store.erase(INPUTS, where=CONDITION, dry_run=False)
        assert (again.hours, again.tombstone) == ((), "")


def test_no_byte_of_a_container_has_the_person_and_all_other_rows_are_equal(
    tmp_path: Path, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, monkeypatch)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    container = azurite.new_container()
    with azurite.open(container) as client:
        upload(tmp_path, client)
        with reader.open(f"az://{container}") as store:
            frames = {name: store.read(name).to_pandas() for name in (INPUTS, OUTPUTS)}
            store.erase(INPUTS, where=CONDITION, dry_run=False)
            for name, frame in frames.items():
                kept = frame[frame["who"] != PERSON].reset_index(drop=True)
                pd.testing.assert_frame_equal(store.read(name).to_pandas(), kept)
        assert traces_of(contents_in(client)) == []
