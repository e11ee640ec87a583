"""The lines of a run of the demo, read while they are written."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest

from otel_modeldata_receiver.commands.demo.stored_lines import watched_store
from otel_modeldata_receiver.config.receiver import ReceiverConfig
from otel_modeldata_receiver.exceptions import StoreError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_store_that_cannot_be_read_is_an_error_of_the_call_that_needs_it(tmp_path: Path) -> None:
    config = ReceiverConfig(store=str(tmp_path / "none"))
    frames = []
    with watched_store(config, "flights/blue", ["model_inputs"]) as watch:
        for _ in range(2):
            with pytest.raises(StoreError, match="expected a folder of blobs, got none at") as caught:
                watch.finish()
            frames.append([frame.name for frame in traceback.extract_tb(caught.value.__traceback__)])
    here = "test_a_store_that_cannot_be_read_is_an_error_of_the_call_that_needs_it"
    assert frames == [[here, "finish"], [here, "finish"]]
