"""The gateway's manifest and configs: the real distribution reads them, and they match each other."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from gateway import BELOW, BUILDER, CONFIGS, MANIFEST

from otel_modeldata.semconv import (
    AZUREML_COLLECTION_NAME,
    AZUREML_DEPLOYMENT_NAME,
    AZUREML_ENDPOINT_NAME,
    CLOUDEVENTS_EVENT_ID,
    SERVICE_NAME,
)
from otel_modeldata_receiver.config.receiver import ReceiverConfig

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1024 * 1024
ALL = ["gateway.yaml", "agent.yaml", "gateway-balanced.yaml", "gateway-traces.yaml"]


def config(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((CONFIGS / name).read_text()))


@pytest.mark.parametrize("name", ALL)
def test_the_distribution_accepts_the_config(gateway_binary: Path, name: str) -> None:
    files = [f"--config={CONFIGS / file}" for file in (*BELOW.get(name, ()), name)]
    done = subprocess.run([gateway_binary, "validate", *files], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_distribution_accepts_the_dns_ring_that_is_a_comment_in_the_file(
    gateway_binary: Path, tmp_path: Path
) -> None:
    text = (CONFIGS / "gateway-balanced.yaml").read_text()
    other, found = re.subn(
        r"      static:\n        hostnames: .*\n((?:      # .*\n)+)      # (dns: .*)\n", r"\1      \2\n", text
    )
    assert found == 1
    changed = tmp_path / "gateway-balanced.yaml"
    changed.write_text(other)
    files = [f"--config={CONFIGS / 'gateway.yaml'}", f"--config={changed}"]
    done = subprocess.run([gateway_binary, "validate", *files], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert list(yaml.safe_load(other)["exporters"]["load_balancing/modeldata"]["resolver"]) == ["dns"]


def test_the_distribution_has_exactly_the_components_that_the_configs_use(gateway_binary: Path) -> None:
    listed = yaml.safe_load(subprocess.run([gateway_binary, "components"], capture_output=True, check=True).stdout)
    kinds = ("receivers", "processors", "exporters", "connectors", "extensions")
    held = {kind: {component["name"] for component in listed.get(kind) or ()} for kind in kinds}
    files = [config(name) for name in ALL]
    used = {kind: {name.split("/")[0] for file in files for name in file.get(kind, ())} for kind in kinds}
    assert held == used


def test_each_size_limit_on_the_path_is_below_the_next() -> None:
    def limits(name: str) -> tuple[int, int]:
        file = config(name)
        taken = file["receivers"]["otlp"]["protocols"]["grpc"]["max_recv_msg_size_mib"] * MIB
        return taken, file["exporters"]["otlp_grpc/modeldata"]["sending_queue"]["batch"]["max_size"]

    agent_takes, agent_batch = limits("agent.yaml")
    gateway_takes, gateway_batch = limits("gateway.yaml")
    assert 64 * MIB < agent_takes < agent_batch < gateway_takes < gateway_batch < ReceiverConfig().max_message_bytes


def test_a_ring_of_receivers_keeps_the_queue_and_the_limits_of_the_one_receiver() -> None:
    one = config("gateway.yaml")["exporters"]["otlp_grpc/modeldata"]
    ring = config("gateway-balanced.yaml")["exporters"]["load_balancing/modeldata"]
    each = ring["protocol"]["otlp"]
    assert {key: ring[key] for key in ("sending_queue", "retry_on_failure")} == {
        key: one[key] for key in ("sending_queue", "retry_on_failure")
    }
    assert {key: each[key] for key in ("tls", "compression", "timeout")} == {
        key: one[key] for key in ("tls", "compression", "timeout")
    }
    assert ring["routing_attributes"] == [AZUREML_ENDPOINT_NAME, AZUREML_DEPLOYMENT_NAME, SERVICE_NAME]


def test_spans_for_the_receiver_have_the_same_queue_as_model_data() -> None:
    data = config("gateway.yaml")["exporters"]["otlp_grpc/modeldata"]
    spans = config("gateway-traces.yaml")["exporters"]["otlp_grpc/app_traces"]
    for key in ("endpoint", "tls", "compression", "timeout", "retry_on_failure"):
        assert spans[key] == data[key]
    for key in ("storage", "sizer"):
        assert spans["sending_queue"][key] == data["sending_queue"][key]
    for key in ("min_size", "max_size", "sizer"):
        assert spans["sending_queue"]["batch"][key] == data["sending_queue"]["batch"][key]


def test_the_tracing_backend_gets_the_same_spans_with_and_without_the_receiver() -> None:
    without, with_receiver = (
        config(f"{name}.yaml")["service"]["pipelines"]["traces"] for name in ("gateway", "gateway-traces")
    )
    assert with_receiver["exporters"] == [*without["exporters"], "otlp_grpc/app_traces"]
    assert "receivers" not in with_receiver
    assert "processors" not in with_receiver


def test_the_distribution_accepts_all_files_of_the_gateway_at_once(gateway_binary: Path) -> None:
    files = [f"--config={CONFIGS / f'gateway{part}.yaml'}" for part in ("", "-balanced", "-traces")]
    done = subprocess.run([gateway_binary, "validate", *files], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["gateway.yaml", "agent.yaml"])
def test_records_are_divided_by_the_attribute_of_the_wire_contract(name: str) -> None:
    found = config(name)
    conditions = {key: found["processors"][f"filter/{key}"]["log_conditions"] for key in ("modeldata", "ordinary")}
    attribute = f'log.attributes["{AZUREML_COLLECTION_NAME}"]'
    assert conditions == {"modeldata": [f"{attribute} == nil"], "ordinary": [f"{attribute} != nil"]}
    assert found["service"]["pipelines"]["logs/modeldata"]["processors"] == ["filter/modeldata", "transform/event_id"]


@pytest.mark.parametrize("name", ["gateway.yaml", "agent.yaml"])
def test_a_record_without_an_event_id_gets_one_in_the_attribute_of_the_wire_contract(name: str) -> None:
    attribute = f'log.attributes["{CLOUDEVENTS_EVENT_ID}"]'
    assert config(name)["processors"]["transform/event_id"]["log_statements"] == [
        f"set({attribute}, UUID()) where {attribute} == nil"
    ]


def test_log_events_of_language_models_go_to_the_receiver_beside_model_data_and_stay_ordinary_logs() -> None:
    traces = config("gateway-traces.yaml")
    model_data, *_ = traces["processors"]["filter/genai"]["log_conditions"]
    assert [model_data] == config("gateway.yaml")["processors"]["filter/ordinary"]["log_conditions"]
    assert traces["service"]["pipelines"]["logs/genai"]["processors"] == ["filter/genai", "transform/event_id"]
    assert "logs/ordinary" not in traces["service"]["pipelines"]


def tls_settings(value: object) -> list[dict[str, Any]]:
    """Every `tls` section of a configuration."""
    if not isinstance(value, dict):
        return []
    own = [value["tls"]] if "tls" in value else []
    return own + [found for inner in value.values() for found in tls_settings(inner)]


@pytest.mark.parametrize("name", ALL)
def test_renewed_certificates_are_read_by_every_listener_and_every_client(name: str) -> None:
    found = tls_settings(config(name))
    assert found
    assert [one["reload_interval"] for one in found] == ["10s"] * len(found)
    assert all(one["client_ca_file_reload"] for one in found if "client_ca_file" in one)


@pytest.mark.parametrize("name", ["gateway.yaml", "agent.yaml"])
def test_a_listener_with_tls_and_no_certificate_does_not_start(gateway_binary: Path, name: str) -> None:
    kind = "AGENT" if name == "agent.yaml" else "GATEWAY"
    done = subprocess.run(
        [gateway_binary, "validate", f"--config={CONFIGS / name}"],
        env=os.environ | {f"OTEL_MODELDATA_{kind}_LISTEN_TLS": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "TLS configuration must include both certificate and key for server connections" in done.stderr


def test_builder_and_core_modules_have_one_release() -> None:
    core = {
        part["gomod"].split()[1]
        for parts in yaml.safe_load(MANIFEST.read_text()).values()
        if isinstance(parts, list)
        for part in parts
        if part["gomod"].startswith("go.opentelemetry.io/collector/") and "/provider/" not in part["gomod"]
    }
    assert core == {BUILDER.split("@")[1]}


@pytest.mark.parametrize("name", ALL)
def test_the_readme_lists_every_setting_with_its_default(name: str) -> None:
    used = set(re.findall(r"\$\{env:(\w+):-(.*?)\}", (CONFIGS / name).read_text()))
    readme = (CONFIGS / "README.md").read_text()
    (table,) = re.findall(rf"^\| {name} \|.*?\n\n", readme, re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"^\| `(OTEL_\w+)` \| (?:`(.*?)`)? ?\|", table, re.MULTILINE)) == used
