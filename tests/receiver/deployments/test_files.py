"""Deployment YAMLs as the receiver reads them, and the plan made from them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from otel_modeldata.config import DataAsset
from otel_modeldata_receiver.config.store_access import DatastoreConfig, IdentityConfig
from otel_modeldata_receiver.deployments.datastores import Datastores
from otel_modeldata_receiver.deployments.files import DeploymentFiles
from otel_modeldata_receiver.deployments.plan import Plan, make_plan
from otel_modeldata_receiver.exceptions import ConfigError
from otel_modeldata_receiver.layout.destination import CollectionPlan, DeploymentPlan
from otel_modeldata_receiver.layout.partition import RollingRate

if TYPE_CHECKING:
    from pathlib import Path

BLUE = """\
$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineDeployment.schema.json
name: blue
endpoint_name: my_endpoint
model: azureml:iris_mlflow_model@latest
data_collector:
  rolling_rate: day
  collections:
    model_inputs:
      enabled: 'True'
      data:
        name: my_model_inputs_data_asset
        path: azureml://datastores/workspaceblobstore/paths/modelDataCollector/my_endpoint/blue/model_inputs
        version: 1
    model_outputs:
      enabled: 'True'
      rolling_rate: Minute
      client_id: client-1
      data:
        name: my_model_outputs_data_asset
        path: azureml://datastores/workspaceblobstore/paths/modelDataCollector/my_endpoint/blue/model_outputs 
        version: '2'
    request:
      enabled: 'True'
"""  # noqa: W291 (the documentation's example ends a line with a blank)
WORKSPACE_STORE = Datastores({"workspaceblobstore": DatastoreConfig(url="az://azureml-blobstore")})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "blue-deployment.yml").write_text(BLUE)
    return tmp_path


def deployment(name: str, collections: str = "{}") -> str:
    return f"endpoint_name: e\nname: {name}\ndata_collector: {{collections: {collections}}}\n"


def problems(*paths: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        DeploymentFiles(map(str, paths)).read()
    return str(caught.value).splitlines()


def test_the_documented_yaml_becomes_a_plan(folder: Path) -> None:
    """S24, S25, S27, S28, S29, S35, S36, S45; `data.version` is the same with and without quotes."""
    path = "azureml://datastores/workspaceblobstore/paths/modelDataCollector/my_endpoint/blue/"
    collections = {
        "model_inputs": CollectionPlan(
            root="_at/workspaceblobstore/modelDataCollector/my_endpoint/blue/model_inputs",
            path=f"{path}model_inputs",
            asset_name="my_model_inputs_data_asset",
            asset_version="1",
        ),
        "model_outputs": CollectionPlan(
            root="_at/workspaceblobstore@client-1/modelDataCollector/my_endpoint/blue/model_outputs",
            path=f"{path}model_outputs",
            rolling_rate=RollingRate.MINUTE,
            asset_name="my_model_outputs_data_asset",
            asset_version="2",
        ),
        "request": CollectionPlan(),
    }
    url = "az://azureml-blobstore"
    assert make_plan(DeploymentFiles([str(folder)]).read(), WORKSPACE_STORE) == Plan(
        deployments={("my_endpoint", "blue"): DeploymentPlan(rolling_rate=RollingRate.DAY, collections=collections)},
        mounts={
            "workspaceblobstore": DatastoreConfig(url=url),
            "workspaceblobstore@client-1": DatastoreConfig(url=url, identity=IdentityConfig(client_id="client-1")),
        },
    )


def test_only_the_deployments_of_a_folder_are_read(folder: Path) -> None:
    (folder / "green.yaml").write_text(deployment("green"))
    (folder / "red.json").write_text('{"endpoint_name": "e", "name": "red", "data_collector": {"collections": {}}}')
    (folder / "endpoint.yml").write_text("name: my_endpoint\nauth_mode: key\n")
    (folder / "conda.yml").write_text("channels: [conda-forge]\n")
    (folder / "notes.txt").write_text("{")
    (folder / "score.py").write_text("data_collector: 1")
    found = DeploymentFiles([str(folder)]).read()
    assert [(one.endpoint, one.deployment) for one in found] == [("my_endpoint", "blue"), ("e", "green"), ("e", "red")]
    assert found[0].collections is not None
    data = found[0].collections["model_outputs"].data
    assert data is not None
    assert data == DataAsset(name="my_model_outputs_data_asset", path=data.path, version="2")


def test_every_wrong_file_is_named(folder: Path) -> None:
    (folder / "a.yml").write_text("data_collector: [")
    (folder / "b.yml").write_text("data_collector: {collections: {model_inputs: {sampling: 1}}}")
    (folder / "c.yml").write_text("name: c\ndata_collector: {collections: {}}")
    (folder / "d.yml").write_text(BLUE.replace("my_endpoint", "MY_endpoint", 1))
    found = problems(folder, folder / "nowhere.yml", folder / "endpoint.yml")
    assert [line.split(":")[0].rsplit("/", 1)[-1].removesuffix(" is wrong") for line in found] == [
        "a.yml",
        "b.yml",
        "c.yml",
        "d.yml",
        "nowhere.yml",
        "endpoint.yml",
    ]
    assert "expected YAML" in found[0]
    assert "did you mean 'sampling_rate'?" in found[1]
    assert found[2].endswith(
        "endpoint_name: expected a name, got none: the receiver must know which deployment the file is for"
    )
    assert f"expected one file for MY_endpoint/blue, got {folder}/blue-deployment.yml as well" in found[3]


def test_an_explicitly_named_file_must_be_a_deployment(tmp_path: Path) -> None:
    (tmp_path / "endpoint.yml").write_text("name: my_endpoint\n")
    path = tmp_path / "endpoint.yml"
    assert f"{path}: data_collector: expected a mapping, got nothing" in problems(path)


def test_the_stamp_changes_with_every_change(folder: Path) -> None:
    files = DeploymentFiles([str(folder), str(folder / "later.yml")])
    stamps = [files.stamp()]
    assert files.stamp() == stamps[0]
    path = folder / "blue-deployment.yml"
    path.write_text(BLUE + "# more\n")
    stamps.append(files.stamp())
    os.utime(path, ns=(1, 1))
    stamps.append(files.stamp())
    (folder / "later.yml").write_text(deployment("later"))
    stamps.append(files.stamp())
    path.unlink()
    stamps.append(files.stamp())
    assert len(set(stamps)) == 5


def test_every_wrong_destination_is_named_in_one_error(folder: Path) -> None:
    collections = (
        "{a: {data: {path: 'abfss://x'}}, b: {data: {path: 'azureml://datastores/nowhere/paths/x'}}, "
        "c: {data: {name: 'no/name'}}, d: {data: {version: '../1'}}}"
    )
    (folder / "blue-deployment.yml").write_text(deployment("bad", collections))
    with pytest.raises(ConfigError) as caught:
        make_plan(DeploymentFiles([str(folder)]).read(), WORKSPACE_STORE)
    lines = str(caught.value).splitlines()
    assert [line.split(": expected")[0] for line in lines] == [
        f"e/bad: collections.{key}" for key in ("a.data.path", "b.data.path", "c.data.name", "d.data.version")
    ]
    assert "got 'abfss://x'" in lines[0]
    assert "expected a known datastore, got 'nowhere' (known: workspaceblobstore)" in lines[1]
    assert "expected 1 to 128 characters" in lines[2]
    assert "expected 1 to 128 characters" in lines[3]


def test_two_collections_in_one_folder_are_warned_about(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = "{data: {path: 'azureml://datastores/workspaceblobstore/paths/x'}}"
    (folder / "blue-deployment.yml").write_text(deployment("one", f"{{a: {data}, b: {data}}}"))
    make_plan(DeploymentFiles([str(folder)]).read(), WORKSPACE_STORE)
    assert caplog.messages == [
        (
            "azureml://datastores/workspaceblobstore/paths/x takes the collections a, b: Azure ML reads them as one "
            "table, give each a path of its own"
        )
    ]


def test_a_folder_of_several_deployments_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shared = "{model_inputs: {enabled: 'True', data: {path: azureml://datastores/workspaceblobstore/paths/shared}}}"
    for name in ("blue", "green"):
        (tmp_path / f"{name}.yml").write_text(deployment(name, shared))
    make_plan(DeploymentFiles([str(tmp_path)]).read(), WORKSPACE_STORE)
    assert caplog.messages == [
        (
            "azureml://datastores/workspaceblobstore/paths/shared takes events of the deployments e/blue, e/green: an "
            "event with an id of another one is not stored, give each a path of its own"
        )
    ]
