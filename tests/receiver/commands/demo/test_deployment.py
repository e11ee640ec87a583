"""Each run of the demo has a deployment of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from otel_modeldata_receiver.commands.demo.deployment import free_deployment
from otel_modeldata_receiver.storage.open_store import open_store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("taken", "free"),
    [
        ([], "blue"),
        (["blue"], "green"),
        (["Blue", "green"], "run3"),
        (["green"], "blue"),
        (["blue", "green", "run3", "run5"], "run4"),
    ],
)
def test_a_run_takes_the_first_name_that_the_store_does_not_have(tmp_path: Path, taken: list[str], free: str) -> None:
    for name in taken:
        blob = tmp_path / "flights" / name / "model_inputs" / "2026" / "11" / "29" / "11" / "0.jsonl"
        blob.parent.mkdir(parents=True)
        blob.write_text("{}\n")
    (tmp_path / "shop" / "blue").mkdir(parents=True)

    async def found() -> str:
        store = open_store(str(tmp_path))
        try:
            return await free_deployment(store)
        finally:
            await store.close()

    assert asyncio.run(found()) == free
