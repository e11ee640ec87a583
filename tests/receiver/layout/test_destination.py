"""Destinations: only the operator's files choose them, never names from clients."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata import semconv
from otel_modeldata_receiver.layout import destination, partition
from otel_modeldata_receiver.layout.destination import CollectionPlan, DeploymentPlan, Destination, Destinations
from otel_modeldata_receiver.layout.partition import RollingRate
from otel_modeldata_receiver.storage.mounts import mounted_path

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = "azureml://datastores/lake/paths/my/inputs"
PLANS = {
    ("credit", "blue"): DeploymentPlan(
        rolling_rate=RollingRate.DAY,
        collections={
            "model_inputs": CollectionPlan(
                root="_at/lake/my/inputs", path=PATH, asset_name="mine", asset_version="7", rolling_rate=None
            ),
            "model_outputs": CollectionPlan(rolling_rate=RollingRate.MINUTE),
        },
    )
}
NAMES = st.from_regex(r"[A-Za-z0-9._-]{1,12}", fullmatch=True).filter(semconv.is_name)


@pytest.fixture(autouse=True)
def forgotten_warnings() -> Iterator[None]:
    yield
    partition.warn_unless_hour.cache_clear()


def test_without_a_plan_it_is_the_standard_layout() -> None:
    assert Destinations().of("credit", "blue", "model_inputs") == Destination(
        endpoint="credit",
        deployment="blue",
        collection="model_inputs",
        root="credit/blue/model_inputs",
        rolling_rate=RollingRate.HOUR,
        asset_name="credit-blue-model_inputs",
        asset_version="1",
    )


def test_a_plan_stores_a_collection_elsewhere() -> None:
    """S27, S28, S29, S36: name, path and version of one collection; the others keep the standard layout."""
    known = Destinations(plans=PLANS)
    assert known.of("credit", "blue", "model_inputs") == Destination(
        endpoint="credit",
        deployment="blue",
        collection="model_inputs",
        root="_at/lake/my/inputs",
        rolling_rate=RollingRate.DAY,
        asset_name="mine",
        asset_version="7",
        path=PATH,
    )
    assert known.of("credit", "blue", "request").root == "credit/blue/request"
    assert known.of("credit", "green", "model_inputs").root == "credit/green/model_inputs"


def test_azures_names_are_the_same_in_any_case() -> None:
    assert Destinations(plans=PLANS).of("Credit", "BLUE", "Model_Inputs").root == "_at/lake/my/inputs"


@pytest.mark.parametrize(
    ("own", "collection", "asked", "rate"),
    [
        (RollingRate.YEAR, "model_outputs", RollingRate.MONTH, RollingRate.YEAR),
        (None, "model_outputs", RollingRate.MONTH, RollingRate.MINUTE),
        (None, "model_inputs", RollingRate.MONTH, RollingRate.DAY),
    ],
)
def test_the_rate_of_the_receiver_wins_over_the_collection_and_then_the_deployment(
    own: RollingRate | None, collection: str, asked: RollingRate, rate: RollingRate
) -> None:
    """S25."""
    assert Destinations(own, PLANS).of("credit", "blue", collection, asked).rolling_rate is rate


def test_without_a_file_the_senders_rate_is_used_else_hour() -> None:
    assert Destinations().of("e", "d", "c", RollingRate.MONTH).rolling_rate is RollingRate.MONTH
    assert Destinations().of("e", "d", "c").rolling_rate is RollingRate.HOUR


def test_a_rate_other_than_hour_is_warned_about_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for collection in ("a", "b"):
            Destinations().of("e", "d", collection, RollingRate.DAY)
    assert len(caplog.messages) == 1


def test_a_destination_is_computed_once_and_reported_once() -> None:
    reported: list[Destination] = []
    known = Destinations(plans=PLANS, on_new=reported.append)
    first = known.of("credit", "blue", "model_inputs")
    assert known.of("credit", "blue", "model_inputs") is first
    assert reported == [first]


def test_new_plans_are_used_from_the_next_lookup_on() -> None:
    known = Destinations(plans=PLANS)
    known.of("credit", "blue", "model_inputs")
    known.replace({})
    assert known.of("credit", "blue", "model_inputs").root == "credit/blue/model_inputs"


def test_the_number_of_remembered_names_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(destination, "_MOST_KNOWN", 4)
    known = Destinations()
    for number in range(20):
        assert known.of("e", f"d{number}", "c").root == f"e/d{number}/c"
        assert known.of("e", "d", f"c{number}").root == f"e/d/c{number}"
    assert len(known._known) <= 4
    assert len(known.of_deployment("e", "d", None)) <= 4


@given(NAMES, NAMES, NAMES)
def test_no_name_of_a_client_leads_to_another_store(endpoint: str, deployment: str, collection: str) -> None:
    """A name that passes the allow-list cannot begin like a folder of a mounted store."""
    root = Destinations().of(endpoint, deployment, collection).root
    assert root == f"{endpoint}/{deployment}/{collection}"
    assert not root.startswith(mounted_path("", "").split("/", 1)[0] + "/")
