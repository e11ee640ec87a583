"""Resources: names of endpoint and deployment, source, producer."""

from __future__ import annotations

import pytest
from otlp_requests import BAD_NAMES, resource

from otel_modeldata import semconv
from otel_modeldata_receiver.exceptions import BadRecordError
from otel_modeldata_receiver.layout.partition import RollingRate
from otel_modeldata_receiver.mapping import resource as resources
from otel_modeldata_receiver.mapping.resource import DeploymentResource


def read(**values: object) -> DeploymentResource:
    return resources.read(
        resource({key.replace("__", "."): value for key, value in values.items()}).SerializeToString()
    )


def test_a_resource_of_azure_ml_names_everything() -> None:
    arm_id = (
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
        "/onlineEndpoints/credit"
    )
    values = {
        semconv.AZUREML_ENDPOINT_NAME: "credit",
        semconv.AZUREML_DEPLOYMENT_NAME: "blue",
        semconv.CLOUD_RESOURCE_ID: arm_id,
        semconv.SERVICE_NAME: "ignored",
        semconv.SERVICE_INSTANCE_ID: "p1",
        semconv.AZUREML_ROLLING_RATE: "day",
        "host.name": ["also", "ignored"],
    }
    assert resources.read(resource(values).SerializeToString()) == DeploymentResource(
        endpoint="credit", deployment="blue", source=arm_id, rolling_rate=RollingRate.DAY, producer="p1"
    )


def test_an_empty_resource_is_local() -> None:
    assert resources.read(b"") == DeploymentResource(
        endpoint="local",
        deployment="default",
        source="/endpoints/local/deployments/default",
        rolling_rate=None,
        producer=None,
    )


def test_the_service_name_is_the_endpoint_when_nothing_else_names_it() -> None:
    assert read(service__name="shop").endpoint == "shop"


@pytest.mark.parametrize("name", ["unknown_service", "unknown_service:python", ""])
def test_a_service_without_a_name_is_local(name: str) -> None:
    assert read(service__name=name).endpoint == "local"


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("key", [semconv.AZUREML_ENDPOINT_NAME, semconv.AZUREML_DEPLOYMENT_NAME])
def test_a_name_outside_the_allow_list_is_rejected(key: str, name: str) -> None:
    with pytest.raises(BadRecordError, match=r"^name: expected as (endpoint|deployment) "):
        resources.read(resource({key: name}).SerializeToString())


def test_a_bad_endpoint_name_is_rejected_with_the_rule() -> None:
    with pytest.raises(BadRecordError) as caught:
        read(azureml__endpoint__name="../x")
    assert str(caught.value) == f"name: expected as endpoint {semconv.NAME_RULE}, got '../x'; rename the endpoint"


def test_a_service_name_that_cannot_be_a_folder_is_made_one_as_in_the_sdk() -> None:
    assert read(service__name="ms/cart").endpoint == "ms-cart"
    assert read(service__name=" ").endpoint == "local"


def test_the_source_is_always_a_uri_reference() -> None:
    assert read(cloud__resource_id="/a b/<c>/%20/é?q=1#f").source == "/a%20b/%3Cc%3E/%20/%C3%A9?q=1#f"


ARM = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"


@pytest.mark.parametrize(
    "own",
    [
        f"{ARM}/onlineEndpoints/credit/deployments/blue",
        f"{ARM.upper()}/ONLINEENDPOINTS/Credit/DEPLOYMENTS/BLUE",
        "/endpoints/credit/deployments/blue",
        "/endpoints/credit",
        "/endpoints/cre%64it/deployments/blue",
        "//host/machines/../vm",
        "%45ndpoint",
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm",
    ],
)
def test_a_source_of_this_deployment_or_of_none_is_kept(own: str) -> None:
    assert (
        read(azureml__endpoint__name="credit", azureml__deployment__name="blue", cloud__resource_id=own).source == own
    )


@pytest.mark.parametrize(
    "foreign",
    [
        f"{ARM}/onlineEndpoints/credit/deployments/blue",
        f"{ARM}/onlineEndpoints/fraud/deployments/green",
        "/endpoints/credit/deployments/blue",
        f"{ARM}/onlineEndpoints/credit",
        f"{ARM}/onlineEndpoints/fraud/deployments/blue/onlineEndpoints/credit/deployments/blue",
        f"{ARM}/onlineEndpoints/credit/deployments/blue/",
        f"{ARM}/online%45ndpoints/credit/deployments/blue",
        f"{ARM}/online%2545ndpoints/credit/deployments/blue",
        f"/%{'25' * 12}65ndpoints/credit/deployments/blue",
        "/endpoints%2Fcredit%2Fdeployments%2Fblue",
        "/endpoints/cre%64it/deployments/blue",
        "/endpoints/fraud/../credit/deployments/blue",
        "/endpoints/fraud/%2e%2e/credit/deployments/blue",
        "/endpoints/fraud/deployments/blue/../../../credit/deployments/blue",
        "/endpoints//credit/deployments/blue",
        "/endpoints/endpoints/credit/deployments/blue",
        "\\endpoints\\credit\\deployments\\blue",
        "?x=/endpoints/credit/deployments/blue",
        "https://host/a?endpoints/credit",
        "/endpoints /credit/deployments/blue",
        "endpoints/credit/deployments/blue",
        "",
    ],
)
def test_a_source_that_names_another_deployment_is_replaced(foreign: str) -> None:
    given = read(azureml__endpoint__name="fraud", azureml__deployment__name="blue", cloud__resource_id=foreign)
    assert given.source == "/endpoints/fraud/deployments/blue"


def test_an_unknown_rolling_rate_is_ignored() -> None:
    assert read(azureml__data_collector__rolling_rate="fortnight").rolling_rate is None


def test_a_name_that_is_a_number_is_printed() -> None:
    assert read(azureml__deployment__name=7).deployment == "7"


@pytest.mark.parametrize("value", [["a"], b"a", {"a": 1}])
def test_a_name_that_is_not_text_is_rejected(value: object) -> None:
    with pytest.raises(BadRecordError, match=r"^attribute type: expected a string as azureml\.endpoint\.name"):
        read(azureml__endpoint__name=value)


@pytest.mark.parametrize("key", [semconv.CLOUD_RESOURCE_ID, semconv.SERVICE_INSTANCE_ID])
def test_texts_that_every_line_repeats_are_bounded(key: str) -> None:
    longest = "x" * resources.MAX_TEXT_CHARS
    resources.read(resource({key: longest}).SerializeToString())
    with pytest.raises(BadRecordError, match=r"^name: expected at most 2048 characters as "):
        resources.read(resource({key: longest + "x"}).SerializeToString())


def test_a_large_resource_is_read_like_any_other_but_not_remembered() -> None:
    large = resource({semconv.SERVICE_NAME: "shop", "ballast": "x" * 100_000}).SerializeToString()
    remembered = resources._cached.cache_info().currsize
    assert resources.read(large).endpoint == "shop"
    assert resources._cached.cache_info().currsize == remembered


def test_bytes_that_are_not_a_resource_are_rejected() -> None:
    with pytest.raises(BadRecordError, match=r"^undecodable Resource: "):
        resources.read(b"\xff")
