"""A store in a datastore of Azure ML: the receiver's configuration says where that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from read_lines import COLLECTION, line, write

import otel_modeldata_reader as reader
from otel_modeldata_receiver.commands import main

if TYPE_CHECKING:
    from pathlib import Path

STORE = "azureml://datastores/lake/paths/prod"
LONG = "azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/lake/paths/prod"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration of a receiver that knows the datastore `lake`, which has a row."""
    write(tmp_path / "lake" / "prod", [line([{"age": 41}])])
    file = tmp_path / "receiver.yaml"
    file.write_text(f"datastores: {{lake: {tmp_path / 'lake'}, s/g/w/lake: {tmp_path / 'lake'}}}\n", "utf-8")
    return file


@pytest.mark.parametrize("url", [STORE, LONG, STORE.upper().replace("PROD", "prod").replace("LAKE", "lake")])
def test_a_datastore_is_read_where_the_configuration_says(config: Path, url: str) -> None:
    store = reader.open(url, config=config)
    assert store.read(COLLECTION, envelope=False).to_pandas()["age"].tolist() == [41]


def test_a_datastore_needs_a_configuration_that_knows_it(config: Path, tmp_path: Path) -> None:
    with pytest.raises(reader.StoreUnavailableError, match="give its file as config, or by --config"):
        reader.open(STORE)
    with pytest.raises(reader.StoreUnavailableError, match="expected a known datastore, got 'other'"):
        reader.open(STORE.replace("lake", "other"), config=config)
    with pytest.raises(reader.StoreUnavailableError, match="expected a path like azureml://datastores/"):
        reader.open("azureml://datastores/lake", config=config)
    with pytest.raises(reader.StoreUnavailableError, match="expected a YAML file, got No such file"):
        reader.open(STORE, config=tmp_path / "none.yaml")


def test_commands_take_the_configuration(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["query", "SELECT age FROM model_inputs", "--csv", "--store", STORE, "--config", str(config)]) == 0
    assert capsys.readouterr().out.splitlines() == ['"age"', "41"]
    assert main.main(["ls", STORE]) == 3
    assert "--config" in capsys.readouterr().err
