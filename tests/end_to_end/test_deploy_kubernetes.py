"""The manifests of `deploy/kubernetes` are valid for Kubernetes and match each other and the code."""

from __future__ import annotations

from typing import Any

import pytest
from containers import KUBERNETES, kustomized, one, pod_container, problems_of, wheel
from gateway import CONFIGS

from otel_modeldata_receiver.config.receiver import MIB, load

NEWEST, OLDEST = "1.37", "1.29"
"""The oldest Kubernetes that has sidecars by default."""
CONFINED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


@pytest.fixture(scope="module")
def cluster() -> list[dict[str, Any]]:
    return kustomized(KUBERNETES)


@pytest.fixture(scope="module")
def beside_scoring() -> list[dict[str, Any]]:
    return kustomized(KUBERNETES / "scoring-with-agent")


@pytest.mark.parametrize("version", [NEWEST, OLDEST])
def test_every_object_matches_the_schemas_of_kubernetes(
    cluster: list[dict[str, Any]], beside_scoring: list[dict[str, Any]], version: str
) -> None:
    kubernetes = wheel("kubernetes_validate")
    for it in (*cluster, *beside_scoring):
        kubernetes.validate(it, version, strict=True)
    bad = one(cluster, "StatefulSet", "receiver") | {"replica": 2}
    with pytest.raises(kubernetes.ValidationError):
        kubernetes.validate(bad, version, strict=True)


def _pods(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {it["metadata"]["name"]: it["spec"]["template"] for it in objects if "template" in it.get("spec", {})}


def test_every_pod_meets_the_restricted_standard_and_writes_only_to_volumes(
    cluster: list[dict[str, Any]], beside_scoring: list[dict[str, Any]]
) -> None:
    for pod in _pods(cluster + beside_scoring).values():
        security = pod["spec"]["securityContext"]
        assert (security["runAsNonRoot"], security["runAsUser"]) == (True, 65532)
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["spec"]["automountServiceAccountToken"] is False
        containers = [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]
        assert [it["securityContext"] for it in containers] == [CONFINED] * len(containers)
        assert all({"requests", "limits"} == set(it["resources"]) for it in containers)


def test_selectors_match_pods_and_port_names_match_ports(cluster: list[dict[str, Any]]) -> None:
    pods = _pods(cluster)
    for it in cluster:
        selector = {
            "Service": lambda spec: spec["selector"],
            "PodDisruptionBudget": lambda spec: spec["selector"]["matchLabels"],
            "NetworkPolicy": lambda spec: spec["podSelector"]["matchLabels"],
            "StatefulSet": lambda spec: spec["selector"]["matchLabels"],
        }.get(it["kind"])
        if selector is None:
            continue
        wanted = selector(it["spec"]).items()
        found = [name for name, pod in pods.items() if wanted <= pod["metadata"]["labels"].items()]
        assert found == [it["metadata"]["name"].removesuffix("-pods")]
        if it["kind"] == "Service":
            (container,) = pods[found[0]]["spec"]["containers"]
            names = {port["name"]: port["containerPort"] for port in container["ports"]}
            assert {port["targetPort"]: port["port"] for port in it["spec"]["ports"]}.items() <= names.items()


def test_each_pod_listens_on_its_declared_ports_and_sends_to_the_service_of_the_next(
    cluster: list[dict[str, Any]], beside_scoring: list[dict[str, Any]]
) -> None:
    (gateway,) = _pods(cluster)["gateway"]["spec"]["containers"]
    variables = pod_container(cluster, "StatefulSet", "gateway", "gateway").variables
    declared = {port["name"]: port["containerPort"] for port in gateway["ports"]}
    settings = {"otlp-grpc": "LISTEN", "otlp-http": "LISTEN_HTTP", "health": "HEALTH"}
    addresses = {name: variables[f"OTEL_MODELDATA_GATEWAY_{setting}"] for name, setting in settings.items()}
    assert addresses == {name: f"0.0.0.0:{port}" for name, port in declared.items() if name != "metrics"}
    receivers = one(cluster, "Service", "receiver")
    assert receivers["spec"]["clusterIP"] == "None"
    assert variables["OTEL_MODELDATA_RECEIVER_SERVICE"] == _dns(receivers)
    assert variables["OTEL_MODELDATA_RECEIVER_PORT"] == str(receivers["spec"]["ports"][0]["port"])
    agent = pod_container(beside_scoring, "Deployment", "scoring", "agent").variables
    assert agent["OTEL_MODELDATA_GATEWAY_ENDPOINT"] == f"{_dns(one(cluster, 'Service', 'gateway'))}:4317"
    scoring = pod_container(beside_scoring, "Deployment", "scoring", "scoring").variables
    agent_config = (CONFIGS / "agent.yaml").read_text()
    assert scoring["OTEL_EXPORTER_OTLP_ENDPOINT"].removeprefix("http://") in agent_config


def _dns(service: dict[str, Any]) -> str:
    return f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc.cluster.local"


def test_only_gateways_reach_receivers_and_only_namespaces_with_the_label_reach_gateways(
    cluster: list[dict[str, Any]], beside_scoring: list[dict[str, Any]]
) -> None:
    (allowed,) = one(cluster, "NetworkPolicy", "receiver")["spec"]["ingress"][0]["from"]
    assert allowed["podSelector"]["matchLabels"] == _pods(cluster)["gateway"]["metadata"]["labels"]
    (senders,) = one(cluster, "NetworkPolicy", "gateway")["spec"]["ingress"][0]["from"]
    label = senders["namespaceSelector"]["matchLabels"]
    assert label.items() <= one(beside_scoring, "Namespace", "scoring")["metadata"]["labels"].items()


def test_the_grace_period_of_a_pod_is_longer_than_that_of_its_receiver(cluster: list[dict[str, Any]]) -> None:
    config = load(KUBERNETES / "receiver-config.yaml", {})
    pod = _pods(cluster)["receiver"]["spec"]
    assert pod["terminationGracePeriodSeconds"] >= 2 * config.grace_seconds
    assert problems_of(KUBERNETES / "receiver-config.yaml") == []


def test_a_receiver_keeps_its_instance_id_when_its_pod_moves_and_no_two_have_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def instance(pod: str) -> str:
        monkeypatch.setenv("HOSTNAME", pod)
        return load(KUBERNETES / "receiver-config.yaml", {}).instance

    assert instance("receiver-0") == instance("receiver-0")
    assert instance("receiver-0") != instance("receiver-1")


def test_memory_and_disk_limits_exceed_the_configured_bounds(
    cluster: list[dict[str, Any]], beside_scoring: list[dict[str, Any]]
) -> None:
    workloads = [(cluster, "StatefulSet", "gateway", "gateway", "GATEWAY")]
    workloads.append((beside_scoring, "Deployment", "scoring", "agent", "AGENT"))
    for objects, kind, workload, name, prefix in workloads:
        variables = pod_container(objects, kind, workload, name).variables
        pod = _pods(objects)[workload]["spec"]
        (spec,) = (it for it in (*pod.get("initContainers", ()), *pod["containers"]) if it["name"] == name)
        heap = int(variables[f"OTEL_MODELDATA_{prefix}_MEMORY_MIB"])
        assert int(variables["GOMEMLIMIT"].removesuffix("MiB")) == pytest.approx(0.8 * heap, rel=0.01)
        assert _mib(spec["resources"]["limits"]["memory"]) >= 1.5 * heap
    (claim,) = one(cluster, "StatefulSet", "gateway")["spec"]["volumeClaimTemplates"]
    queue = pod_container(cluster, "StatefulSet", "gateway", "gateway").variables["OTEL_MODELDATA_GATEWAY_QUEUE_BYTES"]
    assert _mib(claim["spec"]["resources"]["requests"]["storage"]) * MIB >= 1.2 * int(queue)
    (receiver,) = _pods(cluster)["receiver"]["spec"]["containers"]
    config = load(KUBERNETES / "receiver-config.yaml", {})
    assert _mib(receiver["resources"]["limits"]["memory"]) * MIB >= 4 * config.max_in_flight_bytes


def _mib(quantity: str) -> float:
    return float(quantity[:-2]) * {"Mi": 1, "Gi": 1024}[quantity[-2:]]
