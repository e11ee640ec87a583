"""The first line of each collection is logged once, and a sender that makes up names cannot fill the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_modeldata_receiver.deployments.first_lines import MOST_LOGGED, FirstLines
from otel_modeldata_receiver.layout.destination import CollectionPlan, DeploymentPlan, Destinations

if TYPE_CHECKING:
    import pytest

PLANNED = CollectionPlan(root="_at/lake/data", path="azureml://datastores/lake/paths/data")


def test_each_collection_is_logged_when_its_first_line_is_stored(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    first = FirstLines("az://modeldata/prod/")
    plans = {("credit", "blue"): DeploymentPlan(collections={"model_outputs": PLANNED})}
    destinations = Destinations(plans=plans, on_new=first.expect)
    for _ in range(2):
        for collection in ("model_inputs", "model_outputs"):
            root = destinations.of("credit", "blue", collection).root
            first.stored(["other/folder/x/2026/11/22/12", f"{root}/2026/11/22/12"])
        destinations.replace(plans)
    destinations.of("credit", "blue", "never_stored")
    assert caplog.messages == [
        "first event of credit/blue/model_inputs is stored, below az://modeldata/prod/credit/blue/model_inputs",
        "first event of credit/blue/model_outputs is stored, below azureml://datastores/lake/paths/data",
    ]


def test_ten_thousand_collections_are_a_hundred_lines_and_one(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    first = FirstLines(".")
    destinations = Destinations(on_new=first.expect)
    for number in range(10_000):
        root = destinations.of("credit", "blue", f"c{number}").root
        first.stored([f"{root}/2026/11/22/12"])
    assert len(caplog.messages) == MOST_LOGGED + 1
    assert caplog.messages[-1] == "more than 100 collections: the first events of others are not logged"
