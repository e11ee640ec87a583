"""The files of `deploy/` without Kubernetes: their own tools can read them, and they match the code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from containers import (
    DEPLOY,
    MANAGED,
    composed,
    dockerfile,
    last_stage,
    problems_of,
    tool,
)
from gateway import BUILDER, CONFIGS, MANIFEST, REPOSITORY, program
from prerequisites import need_uv

from otel_modeldata.config import read_deployment

if TYPE_CHECKING:
    from types import ModuleType

with_azure_ml = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""Azure ML's library uses deprecated parts of its own dependencies."""
IMAGES = [DEPLOY / "Dockerfile", DEPLOY / "gateway.Dockerfile"]


@pytest.fixture(scope="module")
def azure_ml() -> ModuleType:
    """The library with which `az ml` reads files."""
    import azure.ai.ml

    return azure.ai.ml


# ---- Managed and Kubernetes online endpoints of Azure ML


# S37 and S83: `az ml online-deployment create -f` is this loader and then a request to Azure. S38, S39
@with_azure_ml
@pytest.mark.parametrize(
    ("file", "kind"),
    [
        pytest.param("deployment.yml", "ManagedOnlineDeployment", id="managed"),
        pytest.param("kubernetes-deployment.yml", "KubernetesOnlineDeployment", id="Kubernetes"),
    ],
)
def test_azure_and_the_sdk_read_the_same_from_the_deployment_yaml(azure_ml: ModuleType, file: str, kind: str) -> None:
    theirs, ours = azure_ml.load_online_deployment(MANAGED / file), read_deployment(MANAGED / file)
    assert type(theirs).__name__ == kind
    assert (ours.endpoint, ours.deployment) == (theirs.endpoint_name, theirs.name)
    enabled = {name: it.enabled == "true" for name, it in theirs.data_collector.collections.items()}
    assert {name: it.enabled for name, it in (ours.collections or {}).items()} == enabled
    assert (MANAGED / theirs.code_configuration.code / theirs.code_configuration.scoring_script).is_file()
    environment = theirs.environment_variables
    assert Path(environment["OTEL_MODELDATA_CONFIG"]).parent.name == MANAGED.name
    assert Path(environment["OTEL_MODELDATA_CONFIG"]).name == file
    assert problems_of(MANAGED / file) == []


@with_azure_ml
@pytest.mark.parametrize(
    ("endpoint", "deployment"),
    [("endpoint.yml", "deployment.yml"), ("kubernetes-endpoint.yml", "kubernetes-deployment.yml")],
)
def test_azure_reads_the_endpoint_of_the_deployment(azure_ml: ModuleType, endpoint: str, deployment: str) -> None:
    read = azure_ml.load_online_endpoint(MANAGED / endpoint)
    assert read.name == azure_ml.load_online_deployment(MANAGED / deployment).endpoint_name


@with_azure_ml
def test_names_and_versions_as_documented_are_refused_by_azures_tool_but_accepted_here(
    azure_ml: ModuleType, tmp_path: Path
) -> None:
    from marshmallow.exceptions import ValidationError

    (tmp_path / "conda.yml").write_bytes((MANAGED / "conda.yml").read_bytes())
    endpoint, deployment = tmp_path / "endpoint.yml", tmp_path / "deployment.yml"
    endpoint.write_text((MANAGED / "endpoint.yml").read_text().replace("my-endpoint", "my_endpoint"))
    with pytest.raises(ValidationError, match="name"):
        azure_ml.load_online_endpoint(endpoint)
    text = (MANAGED / "kubernetes-deployment.yml").read_text()
    deployment.write_text(text.replace("version: '1'", "version: 1"))
    with pytest.raises(ValidationError, match="version"):
        azure_ml.load_online_deployment(deployment)
    with_number, with_text = read_deployment(deployment), read_deployment(MANAGED / "kubernetes-deployment.yml")
    assert with_number == with_text


# S41: Python 3.8 of Azure's documentation has reached its end of life; this file has one that the SDK supports.
def test_the_conda_file_has_a_supported_python_and_the_otel_that_azures_server_pins() -> None:
    conda = yaml.safe_load((MANAGED / "conda.yml").read_text())
    python, _, pip = conda["dependencies"]
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    assert f"Programming Language :: Python :: {python.removeprefix('python=')}" in project["project"]["classifiers"]
    pins = project["dependency-groups"]["scoring-host"]
    assert {name for name in pip["pip"] if "==" in name} <= {pin for pin in pins if isinstance(pin, str)}
    assert project["project"]["name"] in pip["pip"]


# ---- Images


@pytest.mark.parametrize("file", IMAGES, ids=lambda path: path.name)
def test_the_dockerfile_has_no_lint_and_its_image_needs_neither_root_nor_a_shell(file: Path) -> None:
    done = subprocess.run([tool("hadolint"), file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert last_stage(file)["USER"] == ("65532:65532",)
    shelled = [it.original for it in dockerfile(file) if it.cmd in {"RUN", "CMD", "ENTRYPOINT"} and not it.json]
    assert shelled == []
    stages = [it.value[0] for it in dockerfile(file) if it.cmd == "FROM"]
    assert len(stages) == 2
    assert all(re.search(r":(?!latest$)", base) for base in stages)


@pytest.mark.parametrize("file", IMAGES, ids=lambda path: path.name)
def test_files_that_the_dockerfile_copies_exist_and_are_not_ignored(file: Path) -> None:
    rules = Path(f"{file}.dockerignore").read_text().splitlines()
    taken = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    own = [it.value[:-1] for it in dockerfile(file) if it.cmd == "COPY" and not it.flags]
    copied = {source for sources in own for source in sources}
    assert copied == taken
    assert [source for source in copied if not (REPOSITORY / source).exists()] == []


def test_the_image_of_the_receiver_listens_on_the_port_that_it_exposes() -> None:
    image = last_stage(DEPLOY / "Dockerfile")
    scripts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["scripts"]
    assert image["ENTRYPOINT"] == tuple(scripts)
    command = image["CMD"]
    assert command == (
        "receive",
        "--listen",
        f"0.0.0.0:{image['EXPOSE'][0]}",
        "--allow-insecure",
        "--store",
        image["VOLUME"][0],
    )


def test_the_image_of_the_gateway_is_built_as_the_tests_build_it() -> None:
    build = next(it.value for it in dockerfile(DEPLOY / "gateway.Dockerfile") if it.cmd == "RUN")
    assert build == ("go", "run", BUILDER, f"--config={MANIFEST.relative_to(REPOSITORY)}")
    copied = [it.value[0] for it in dockerfile(DEPLOY / "gateway.Dockerfile") if it.cmd == "COPY" and it.flags]
    assert str(program(Path("/src"))) in copied
    (config,) = last_stage(DEPLOY / "gateway.Dockerfile")["CMD"]
    assert (CONFIGS / config.removeprefix("--config=/etc/otelcol-modeldata/")).is_file()


def test_the_commands_of_the_dockerfile_install_the_receiver(tmp_path: Path) -> None:
    source, environment = tmp_path / "src", tmp_path / "environment"
    source.mkdir()
    steps = [it for it in dockerfile(DEPLOY / "Dockerfile") if it.cmd in {"COPY", "RUN"} and not it.flags]
    variables = {"UV_PROJECT_ENVIRONMENT": str(environment), "UV_PYTHON": sys.executable}
    for step in steps:
        if step.cmd == "COPY":
            *names, target = step.value
            for name in names:
                subprocess.run(["cp", "-r", REPOSITORY / name, source / target], check=True)
        elif step.value[0] == "uv":
            command = ["env", *(f"{name}={value}" for name, value in variables.items()), need_uv(), *step.value[1:]]
            done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
    help_text = subprocess.run(
        [environment / "bin/otel-modeldata", "receive", "--help"], capture_output=True, check=True
    )
    assert b"--listen" in help_text.stdout
    checked = [environment / "bin/python", "-c", "import otel_modeldata_receiver.server as s; print(s.__file__)"]
    where = subprocess.run(checked, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert Path(where.strip()).is_relative_to(environment)


# ---- The compose file


def test_the_compose_file_publishes_on_loopback_only_and_holds_no_secret() -> None:
    services = composed()["services"]
    ports = {name: {port.get("host_ip") for port in service.get("ports", ())} for name, service in services.items()}
    assert ports == {"gateway": {"127.0.0.1"}, "receiver": set(), "azurite": {"127.0.0.1"}, "jaeger": {"127.0.0.1"}}
    raw = (DEPLOY / "compose.yaml").read_text()
    assert "AccountKey" not in raw
    assert services["receiver"]["environment"]["AZURE_STORAGE_CONNECTION_STRING"].startswith("Default")


def test_the_compose_file_has_the_queue_on_a_volume_and_long_enough_grace_periods() -> None:
    file = composed()
    gateway, receiver = file["services"]["gateway"], file["services"]["receiver"]
    (volume,) = gateway["volumes"]
    assert (volume["type"], volume["source"]) == ("volume", "gateway-queue")
    image = last_stage(DEPLOY / "gateway.Dockerfile")
    assert (volume["target"],) == image["VOLUME"]
    assert receiver["stop_grace_period"] == "45s"
    assert receiver["hostname"] == "receiver"
    assert receiver["depends_on"]["azurite"]["condition"] == "service_healthy"
    for service in (gateway, receiver):
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert (REPOSITORY / service["build"]["dockerfile"]).is_file()


def test_the_emulator_of_the_compose_file_is_the_one_of_the_tests() -> None:
    tag = composed()["services"]["azurite"]["image"].rpartition(":")[2]
    package = json.loads((REPOSITORY / "tests/node/azurite/package.json").read_text())
    assert tag == package["devDependencies"]["azurite"]
