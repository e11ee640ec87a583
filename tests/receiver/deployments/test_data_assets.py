"""Data assets: stored beside the first line of a collection, once, after the acknowledgement."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path  # noqa: TC003 (a fixture's type)

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from live_receiver import until
from memory_store import MemoryStore, sink_on

from otel_modeldata_receiver.deployments import data_assets
from otel_modeldata_receiver.deployments.data_assets import MLTABLE, AssetPublisher, DataAsset, asset_file
from otel_modeldata_receiver.exceptions import AssetError
from otel_modeldata_receiver.layout.destination import CollectionPlan, DeploymentPlan, Destinations
from otel_modeldata_receiver.storage.local import LocalStore
from otel_modeldata_receiver.storage.sink import Sink, SinkLimits

pytestmark = pytest.mark.anyio

HOUR = "2026/11/22/13"
PATH = "azureml://datastores/lake/paths/mine"
PLANS = {
    ("credit", "blue"): DeploymentPlan(
        collections={"model_outputs": CollectionPlan(root="mine", path=PATH, asset_name="my_asset", asset_version="3")}
    )
}


class Workspace:
    """Registers assets, after some refusals."""

    def __init__(self, refusals: int = 0) -> None:
        self.refusals = refusals
        self.assets: list[DataAsset] = []
        self.threads: set[str] = set()

    def register(self, asset: DataAsset) -> None:
        self.threads.add(threading.current_thread().name)
        if self.refusals:
            self.refusals -= 1
            raise AssetError("not yet")
        self.assets.append(asset)


def destinations_of(assets: AssetPublisher) -> Destinations:
    return Destinations(plans=PLANS, on_new=assets.expect)


def files_of(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


async def test_after_the_first_line_an_mltable_and_an_asset_file_are_stored(tmp_path: Path) -> None:
    """S79: the default name; the path of the folder is the URL that the store returns."""
    sink = sink_on(LocalStore(tmp_path))  # type: ignore[arg-type]
    assets = AssetPublisher(sink.put)
    root = destinations_of(assets).of("credit", "blue", "model_inputs").root
    assets.stored([f"{root}/{HOUR}", f"{root}/2026/11/22/14"])
    await assets.stop()
    await sink.close()
    name = "credit/blue/model_inputs/credit-blue-model_inputs-v1.data.yml"
    assert files_of(tmp_path) == ["credit/blue/model_inputs/MLTable", name]
    assert (tmp_path / root / "MLTable").read_text() == MLTABLE
    assert yaml.safe_load((tmp_path / name).read_text()) == {
        "$schema": "https://azuremlschemas.azureedge.net/latest/data.schema.json",
        "name": "credit-blue-model_inputs",
        "version": "1",
        "type": "uri_folder",
        "description": "model_inputs of credit/blue",
        "path": str(tmp_path / "credit/blue/model_inputs"),
    }


@given(path=st.text(st.characters(codec="utf-8")), version=st.text(st.characters(codec="ascii")))
def test_an_asset_file_is_the_same_whatever_writes_it(path: str, version: str) -> None:
    content = {
        "$schema": "https://azuremlschemas.azureedge.net/latest/data.schema.json",
        "name": "mine",
        "version": version,
        "type": "uri_folder",
        "description": "model_inputs of credit/blue",
        "path": path,
    }
    expected = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000).encode()
    assert (
        asset_file(DataAsset(name="mine", version=version, path=path, description=content["description"])) == expected
    )


async def test_a_chosen_name_version_and_path_are_registered() -> None:
    """S27, S28, S29, S75."""
    sink, workspace = sink_on(MemoryStore()), Workspace()
    assets = AssetPublisher(sink.put, register=workspace.register)
    destinations_of(assets).of("credit", "blue", "model_outputs")
    assets.stored([f"mine/{HOUR}"])
    await assets.stop()
    await sink.close()
    assert workspace.assets == [
        DataAsset(name="my_asset", version="3", path=PATH, description="model_outputs of credit/blue")
    ]
    assert threading.current_thread().name not in workspace.threads


async def test_an_asset_in_a_datastore_is_registered_with_the_datastore_path() -> None:
    """S52, S80: an asset is a folder, and needs no update."""
    sink, workspace = sink_on(MemoryStore()), Workspace()
    store_path = "azureml://datastores/workspaceblobstore/paths/modelDataCollector"
    assets = AssetPublisher(sink.put, store_path=store_path, register=workspace.register)
    destinations_of(assets).of("credit", "blue", "model_inputs")
    assets.stored([f"credit/blue/model_inputs/{HOUR}"])
    await assets.stop()
    await sink.close()
    assert [asset.path for asset in workspace.assets] == [f"{store_path}/credit/blue/model_inputs"]


async def test_a_collection_without_a_line_has_no_asset(tmp_path: Path) -> None:
    sink = sink_on(LocalStore(tmp_path))  # type: ignore[arg-type]
    assets = AssetPublisher(sink.put)
    destinations_of(assets).of("credit", "blue", "model_inputs")
    assets.stored([f"credit/blue/model_inputs_2/{HOUR}", "_quarantine/2026/11/22/13"])
    await assets.stop()
    await sink.close()
    assert files_of(tmp_path) == []


async def test_an_asset_is_published_once_per_process_and_again_by_the_next_one(tmp_path: Path) -> None:
    for _ in range(2):
        sink, workspace = sink_on(LocalStore(tmp_path)), Workspace()  # type: ignore[arg-type]
        assets = AssetPublisher(sink.put, store_path="azureml://datastores/a/paths/b", register=workspace.register)
        for _again in range(2):  # deployment files were read again
            known = destinations_of(assets)
            known.of("credit", "blue", "model_inputs")
            assets.stored([f"credit/blue/model_inputs/{HOUR}"])
        await assets.stop()
        await sink.close()
        assert len(workspace.assets) == 1
    assert len(files_of(tmp_path)) == 2


async def test_of_many_assets_a_few_are_published_at_a_time_and_a_stop_does_not_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Appends need the store more: a receiver may see a thousand new collections at the same time."""
    monkeypatch.setattr(data_assets, "_REST_SECONDS", 3600.0)
    written: list[str] = []

    async def put(name: str, _: bytes, __: str) -> str:
        written.append(name)
        return f"memory://{name}"

    assets = AssetPublisher(put)
    destinations = destinations_of(assets)
    roots = [destinations.of("credit", "blue", f"inputs_{n}").root for n in range(10)]
    assets.stored([f"{root}/{HOUR}" for root in roots])
    for _ in range(100):
        await asyncio.sleep(0)
    assert sorted(written) == sorted(objects_of(roots[:4]))
    await assets.stop()
    assert sorted(written) == sorted(objects_of(roots))


def objects_of(roots: list[str]) -> list[str]:
    """The two objects of each asset."""
    names = (f"{root.replace('/', '-')}-v1.data.yml" for root in roots)
    return [f"{root}/{name}" for root, file in zip(roots, names, strict=True) for name in ("MLTable", file)]


async def test_an_existing_object_is_not_changed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    theirs = tmp_path / "credit/blue/model_inputs/MLTable"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("paths: []\n")
    sink = sink_on(LocalStore(tmp_path))  # type: ignore[arg-type]
    assets = AssetPublisher(sink.put, store_path="azureml://datastores/a/paths/b")
    destinations_of(assets).of("credit", "blue", "model_inputs")
    assets.stored([f"credit/blue/model_inputs/{HOUR}"])
    await assets.stop()
    await sink.close()
    assert theirs.read_text() == "paths: []\n"
    assert "credit/blue/model_inputs/MLTable exists with other content and is not changed" in caplog.messages


async def test_a_failure_is_retried_until_it_works() -> None:
    store, workspace = MemoryStore(["refused", "refused", "ok", "ok", "ok"]), Workspace(refusals=2)
    sink = Sink(store, instance="0" * 32, limits=SinkLimits(retry_seconds=0.0))
    assets = AssetPublisher(sink.put, register=workspace.register, first_pause=0.001)
    destinations_of(assets).of("credit", "blue", "model_outputs")
    assets.stored([f"mine/{HOUR}"])

    async def registered() -> bool:
        return bool(workspace.assets)

    await until(registered)
    await assets.stop()
    await sink.close()
    assert set(store.objects) == {"mine/MLTable", "mine/my_asset-v3.data.yml"}
    assert len(workspace.assets) == 1


async def test_a_stop_does_not_wait_for_failing_assets() -> None:
    workspace = Workspace(refusals=1_000_000)
    sink = sink_on(MemoryStore())
    assets = AssetPublisher(sink.put, register=workspace.register, first_pause=3600)
    destinations_of(assets).of("credit", "blue", "model_outputs")
    assets.stored([f"mine/{HOUR}"])
    async with asyncio.timeout(60):
        await assets.stop()
    await sink.close()


async def test_a_stop_does_not_wait_for_an_answer_of_azure_ml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_modeldata_receiver.deployments.data_assets._STOP_SECONDS", 0.01)
    asked, answer = threading.Event(), threading.Event()

    def register(_asset: DataAsset) -> None:
        asked.set()
        answer.wait()

    sink = sink_on(MemoryStore())
    assets = AssetPublisher(sink.put, register=register)
    destinations_of(assets).of("credit", "blue", "model_outputs")
    assets.stored([f"mine/{HOUR}"])
    await asyncio.to_thread(asked.wait, 60)
    async with asyncio.timeout(60):
        await assets.stop()
    await sink.close()
    answer.set()


async def test_an_asset_in_a_local_store_is_not_registered_and_this_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink, workspace = sink_on(LocalStore(tmp_path)), Workspace()  # type: ignore[arg-type]
    assets = AssetPublisher(sink.put, register=workspace.register)
    destinations_of(assets).of("credit", "blue", "model_inputs")
    assets.stored([f"credit/blue/model_inputs/{HOUR}"])
    await assets.stop()
    await sink.close()
    assert workspace.assets == []
    assert "credit-blue-model_inputs is not registered: Azure ML cannot read a local store" in caplog.messages
