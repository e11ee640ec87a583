"""Deployment files in a running receiver: at the start, and after a change without a restart."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 (a fixture's type)

import pytest
from live_receiver import INSTANCE, LiveReceiver, live_receiver, until
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from otlp_requests import NOON, record, request

from otel_modeldata_receiver.config.receiver import ReceiverConfig
from otel_modeldata_receiver.deployments.watcher import Deployments
from otel_modeldata_receiver.exceptions import ConfigError
from otel_modeldata_receiver.ingest.request_info import RequestInfo
from otel_modeldata_receiver.mapping.signal import LOGS
from otel_modeldata_receiver.server import Server

pytestmark = pytest.mark.anyio

FULL_SUCCESS = ExportLogsServiceResponse()

NAME = f"{INSTANCE}000000.jsonl"
POLL = "otel_modeldata_receiver.deployments.watcher.POLL_SECONDS"


def blue(path: str, rate: str = "Hour") -> str:
    return (
        "endpoint_name: credit\nname: blue\ndata_collector:\n"
        f"  rolling_rate: {rate}\n"
        f"  collections: {{model_inputs: {{data: {{path: '{path}', version: 1}}}}, model_outputs: {{}}}}\n"
    )


def one(event_id: str, collection: str = "model_inputs") -> bytes:
    return request(record(event_id=event_id, collection=collection, time_ns=NOON))


def stored(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.jsonl"))


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, object]:
    (tmp_path / "blue.yml").write_text(blue("azureml://datastores/lake/paths/my/inputs"))
    datastores = {name: str(tmp_path / name) for name in ("lake", "sea")}
    return {"deployments": (str(tmp_path / "blue.yml"),), "datastores": datastores}


async def test_a_collection_is_stored_below_its_own_path_and_the_others_in_the_store(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    """S28, S30, S35, S36, S75: the data asset of each is beside its lines."""
    async with live_receiver(tmp_path / "store", assets=True, **settings) as receiver:
        await receiver.export(one("1"))
        await receiver.export(one("2", "model_outputs"))
    assert sorted(path.relative_to(tmp_path / "lake").as_posix() for path in (tmp_path / "lake").rglob("*.*")) == [
        f"my/inputs/2026/11/22/12/{NAME}",
        "my/inputs/credit-blue-model_inputs-v1.data.yml",
    ]
    assert (tmp_path / "lake/my/inputs/MLTable").is_file()
    assert receiver.blobs() == [
        f"credit/blue/model_outputs/2026/11/22/12/{NAME}",
        "credit/blue/model_outputs/MLTable",
        "credit/blue/model_outputs/credit-blue-model_outputs-v1.data.yml",
    ]


async def test_large_payloads_are_beside_the_lines_that_point_to_them(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    rows = '[{"x":"' + "y" * (5 << 20) + '"}]'
    async with live_receiver(tmp_path / "store", **settings) as receiver:
        await receiver.export(request(record(rows, event_id="1", time_ns=NOON)))
    (payload,) = (tmp_path / "lake/my/inputs/2026/11/22/12/files").iterdir()
    assert payload.stat().st_size == len(rows)
    line = (tmp_path / "lake/my/inputs/2026/11/22/12" / NAME).read_text()
    assert f'"dataref":"{payload}"' in line


async def test_a_folder_without_deployment_files_is_reported_and_read_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(POLL, 0.01)
    folder = tmp_path / "deployments"
    folder.mkdir()
    (folder / "conda.yml").write_text("name: blue\n")
    datastores = {"lake": str(tmp_path / "lake")}
    async with live_receiver(tmp_path / "store", deployments=(str(folder),), datastores=datastores) as receiver:
        assert [line.getMessage() for line in caplog.records] == [
            f"expected a deployment file with data_collector in {folder}, got none so far: the defaults apply"
        ]
        (folder / "blue.yml").write_text(blue("azureml://datastores/lake/paths/my/inputs"))
        keys = iter(map(str, range(100_000)))
        await until(lambda: _seen(receiver, next(keys), tmp_path / "lake", f"my/inputs/2026/11/22/12/{NAME}"))


async def test_a_client_never_chooses_a_path(tmp_path: Path, settings: dict[str, object]) -> None:
    """Names of another deployment, and names that look like a mounted store, stay in the standard layout."""
    async with live_receiver(tmp_path / "store", **settings) as receiver:
        for endpoint in ("_at", "_at/lake", "lake", "../lake", "azureml:"):
            await receiver.export(
                request(
                    record(event_id=endpoint, time_ns=NOON),
                    resource_values={"azureml.endpoint.name": endpoint, "azureml.deployment.name": "lake"},
                )
            )
        attributes = {"azureml.data.path": "azureml://datastores/lake/paths/x", "data.path": "/etc"}
        await receiver.export(
            request(record(event_id="attribute", attributes=attributes, collection="other", time_ns=NOON))
        )
    assert stored(tmp_path / "lake") == []
    assert [line["id"] for line in receiver.lines()] == ["attribute", "lake"]
    assert len(receiver.quarantine()) == 4


async def _seen(receiver: LiveReceiver, key: str, folder: Path, name: str) -> bool:
    await receiver.export(one(key))
    return name in stored(folder)


async def test_changed_files_are_used_without_a_restart(
    tmp_path: Path, settings: dict[str, object], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A new datastore and a new rate after the change; stored lines stay, and no line is stored twice."""
    monkeypatch.setattr(POLL, 0.01)
    caplog.set_level("INFO")
    keys = iter(map(str, range(100_000)))
    async with live_receiver(tmp_path / "store", **settings) as receiver:
        await receiver.export(one(next(keys)))
        (tmp_path / "blue.yml").write_text(blue("azureml://datastores/sea/paths/p", "Day"))
        await until(lambda: _seen(receiver, next(keys), tmp_path / "sea", f"p/2026/11/22/{NAME}"))
    assert stored(tmp_path / "lake") == [f"my/inputs/2026/11/22/12/{NAME}"]
    lines = [
        line
        for folder in ("lake", "sea")
        for blob in stored(tmp_path / folder)
        for line in (tmp_path / folder / blob).read_text().splitlines()
    ]
    assert len(lines) == int(next(keys))
    assert "deployment files were read again: 1 deployments" in caplog.messages


@pytest.mark.parametrize(
    "broken",
    [
        ("data_collector: [", "expected YAML"),
        (blue("azureml://datastores/nowhere/paths/x"), "expected a known datastore, got 'nowhere'"),
        (blue("wasbs://x"), "expected a path like azureml://"),
    ],
)
async def test_a_broken_change_is_logged_once_and_the_previous_files_stay_in_use(
    tmp_path: Path,
    settings: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    broken: tuple[str, str],
) -> None:
    content, reason = broken
    monkeypatch.setattr(POLL, 0.01)

    def errors() -> list[str]:
        return [
            text
            for text in caplog.messages
            if text.startswith("deployment files changed, the previous ones stay in use: ")
        ]

    async def logged() -> bool:
        return bool(errors())

    async with live_receiver(tmp_path / "store", **settings) as receiver:
        (tmp_path / "blue.yml").write_text(content)
        await until(logged)
        await receiver.export(one("1"))
        (tmp_path / "blue.yml").write_text(blue("azureml://datastores/sea/paths/p"))
        keys = iter(map(str, range(2, 100_000)))
        await until(lambda: _seen(receiver, next(keys), tmp_path / "sea", f"p/2026/11/22/12/{NAME}"))
    assert stored(tmp_path / "lake") == [f"my/inputs/2026/11/22/12/{NAME}"]
    assert reason in errors()[0]
    assert len(errors()) == 1
    assert "\n" not in errors()[0]


PARKED = f"_parked/_at/lake/my/inputs/2026/11/22/12/{NAME}"


async def test_the_lines_of_a_datastore_that_fails_are_parked_and_delivered_by_themselves(
    tmp_path: Path, settings: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    """And the receiver stays ready."""
    async with live_receiver(tmp_path / "store", assets=True, **settings) as receiver:
        (tmp_path / "lake").mkdir(exist_ok=True)
        (tmp_path / "lake").rmdir()
        (tmp_path / "lake").write_text("no folder any more")
        both = one("1") + one("2", "model_outputs")  # encoded requests one after the other are one request
        assert await receiver.export(both) == FULL_SUCCESS
        assert PARKED in receiver.blobs()
        assert [line["id"] for line in receiver.lines()] == ["2"]
        (tmp_path / "lake").unlink()

        async def delivered() -> bool:
            return "my/inputs/MLTable" in files_below(tmp_path / "lake")

        await until(delivered)
        assert await receiver.export(one("3")) == FULL_SUCCESS
        assert receiver.server._health._probe is None
    blob = tmp_path / "lake/my/inputs/2026/11/22/12" / NAME
    assert [json.loads(line)["id"] for line in blob.read_text().splitlines()] == ["1", "3"]
    assert not (tmp_path / "store/_parked").exists()
    said = [text for text in caplog.messages if "takes" in text]
    assert said[0].startswith("datastore 'lake' takes no lines, they are parked in the main store until it does: ")
    assert said[1:] == ["datastore 'lake' takes lines again: 1 parked lines are delivered"]


@pytest.mark.parametrize("is_listed", [True, False])
async def test_parked_lines_belong_to_their_datastore_after_no_deployment_file_names_it(
    tmp_path: Path, settings: dict[str, object], caplog: pytest.LogCaptureFixture, *, is_listed: bool
) -> None:
    """Their deployment moved to another datastore, and the receiver was restarted."""
    (tmp_path / "lake").write_text("no folder")
    parked = tmp_path / "store" / PARKED
    async with live_receiver(tmp_path / "store", **settings) as receiver:
        assert await receiver.export(one("1")) == FULL_SUCCESS
    assert parked.exists()
    (tmp_path / "lake").unlink()
    (tmp_path / "blue.yml").write_text(blue("azureml://datastores/sea/paths/other"))
    if not is_listed:
        settings["datastores"] = {"sea": str(tmp_path / "sea")}
    async with live_receiver(tmp_path / "store", **settings) as receiver:
        assert await receiver.export(one("2")) == FULL_SUCCESS

        async def settled() -> bool:
            return not parked.exists() if is_listed else "stay parked: expected a known" in caplog.text

        await until(settled)
        assert parked.exists() is not is_listed
    assert stored(tmp_path / "sea") == [f"other/2026/11/22/12/{NAME}"]
    assert stored(tmp_path / "lake") == ([f"my/inputs/2026/11/22/12/{NAME}"] if is_listed else [])


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


async def test_the_store_itself_may_be_a_datastore(tmp_path: Path, settings: dict[str, object]) -> None:
    """S52: `azureml://datastores/workspaceblobstore/paths/modelDataCollector`."""
    config = ReceiverConfig(
        listen="127.0.0.1:0",
        store="azureml://datastores/workspaceblobstore/paths/modelDataCollector/",
        datastores={"workspaceblobstore": f"file://{tmp_path}/blobs"},
        instance_id=INSTANCE,
    )
    server = Server(config)
    await server.start()
    await server._pipeline.accept(one("1"), RequestInfo(signal=LOGS, transport="grpc"))
    await server.stop()
    assert stored(tmp_path / "blobs") == [f"modelDataCollector/credit/blue/model_inputs/2026/11/22/12/{NAME}"]
    asset = tmp_path / "blobs/modelDataCollector/credit/blue/model_inputs/credit-blue-model_inputs-v1.data.yml"
    path = "azureml://datastores/workspaceblobstore/paths/modelDataCollector/credit/blue/model_inputs"
    assert f"path: {path}\n" in asset.read_text()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"deployments": ("nowhere.yml",)}, r"nowhere\.yml"),
        ({"datastores": {}}, r"expected a known datastore, got 'lake' \(known: none\)"),
        ({"datastores": {"lake": "s3://x"}}, r"got scheme 's3'"),
        ({"store": "azureml://datastores/nowhere/paths/x"}, r"expected a known datastore, got 'nowhere'"),
    ],
)
async def test_wrong_destinations_are_errors_at_the_start(
    settings: dict[str, object], change: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        Deployments(ReceiverConfig(**{**settings, **change}))  # type: ignore[arg-type]


async def test_a_datastore_that_cannot_be_written_is_logged_and_its_lines_are_parked(
    tmp_path: Path,
    settings: dict[str, object],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At the start, and when a changed file names it; both keep no other deployment from its lines."""
    monkeypatch.setattr(POLL, 0.01)
    for name in ("lake", "sea"):
        (tmp_path / name).write_text("no folder")

    def logged() -> list[str]:
        return [text for text in caplog.messages if text.startswith("lines for a datastore are parked until")]

    async def is_logged() -> bool:
        return len(logged()) == 1

    async def is_logged_twice() -> bool:
        return len(logged()) == 2

    async with live_receiver(tmp_path / "store", **settings) as receiver:
        await until(is_logged)
        assert await receiver.export(one("1")) == FULL_SUCCESS
        assert PARKED in receiver.blobs()
        (tmp_path / "blue.yml").write_text(blue("azureml://datastores/sea/paths/p"))
        await until(is_logged_twice)
    assert "datastore 'lake': expected to write into" in logged()[0]
    assert "datastore 'sea': expected to write into" in logged()[1]
