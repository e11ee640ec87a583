"""What the files of `deploy/` say about containers, and those containers as processes of this machine.

Only addresses and paths are replaced: every other argument and variable of a process is the file's own. The files are
read by the programs that users run them with: kustomize, Docker Compose, and Docker's parser of Dockerfiles.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from gateway import REPOSITORY, Gateway, cache_root, free_port
from otel_modeldata_receiver.check_run import check_files
from prerequisites import need

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

DEPLOY = REPOSITORY / "deploy"
MANAGED = DEPLOY / "managed-endpoint"
KUBERNETES = DEPLOY / "kubernetes"
KUSTOMIZE = "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"
BUILD_SECONDS = 600
NO_GO = "install Go >= 1.25 (https://go.dev/dl), it builds kustomize once"
NO_WHEEL = "it comes with the development environment where there is a wheel of it"
EVERYWHERE = "0.0.0.0"
"""Inside a container every interface is the container's own; the tests listen on loopback."""


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container of a file.

    Attributes:
        arguments: what follows the image's entry point.
        variables: its environment, that of the image included.
        mounts: content of files by name, by the folder in which the container has them.
        volumes: folders that are written.
    """

    arguments: tuple[str, ...]
    variables: dict[str, str]
    mounts: dict[str, dict[str, str]] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()

    def here(self, folder: Path) -> tuple[list[str], dict[str, str]]:
        """Arguments and environment with the container's folders below `folder`, and loopback for its interfaces."""
        places = {path: folder / path.strip("/").replace("/", "_") for path in (*self.mounts, *self.volumes)}
        for path, files in self.mounts.items():
            places[path].mkdir()
            for name, text in files.items():
                (places[path] / name).write_text(text)

        inside = re.compile("|".join(map(re.escape, sorted(places, key=len, reverse=True))) or r"(?!)")

        def local(text: str) -> str:
            text = inside.sub(lambda found: str(places[found[0]]), text)
            text = re.sub(rf"{re.escape(EVERYWHERE)}:\d+", lambda _: f"127.0.0.1:{free_port()}", text)
            return text.replace(EVERYWHERE, "127.0.0.1")

        return [local(word) for word in self.arguments], {name: local(text) for name, text in self.variables.items()}


def tool(name: str) -> str:
    """A program of the development environment."""
    own = Path(sys.executable).parent / name
    return str(own) if own.exists() else need(name, NO_WHEEL)


def wheel(name: str) -> ModuleType:
    """A module of the development environment."""
    if importlib.util.find_spec(name) is None:
        need(name, NO_WHEEL)
    return importlib.import_module(name)


def dockerfile(path: Path) -> list[Any]:
    """The instructions of a Dockerfile, as Docker's own parser reads them."""
    return list(wheel("dockerfile").parse_file(str(path)))


def last_stage(path: Path) -> dict[str, tuple[str, ...]]:
    """The last of each instruction that the image is made of."""
    found: dict[str, tuple[str, ...]] = {}
    for one in dockerfile(path):
        found = {"FROM": one.value} if one.cmd == "FROM" else {**found, one.cmd: one.value}
    return found


def image_variables(path: Path) -> dict[str, str]:
    """What the image itself sets."""
    words = last_stage(path)["ENV"]
    return dict(zip(words[::2], words[1::2], strict=True))


def kustomized(folder: Path) -> list[dict[str, Any]]:
    """The objects that `kubectl apply -k FOLDER` sends."""
    program = cache_root() / "kustomize" / KUSTOMIZE.rpartition("@")[2] / "kustomize"
    if not program.exists():
        environment = os.environ | {"GOBIN": str(program.parent)}
        command = [need("go", NO_GO), "install", KUSTOMIZE]
        built = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=BUILD_SECONDS
        )
        assert built.returncode == 0, built.stderr
    done = subprocess.run([program, "build", folder], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


def one(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """The object of this kind and name; ConfigMaps have a hash at the end of theirs."""
    pattern = re.compile(rf"{name}(-[a-z0-9]{{10}})?" if kind == "ConfigMap" else name)
    (found,) = (it for it in objects if it["kind"] == kind and pattern.fullmatch(it["metadata"]["name"]))
    return found


def pod_container(objects: list[dict[str, Any]], kind: str, workload: str, name: str) -> Container:
    """A container of a workload, with the content of the ConfigMaps that it mounts or reads."""
    pod = one(objects, kind, workload)["spec"]["template"]["spec"]
    (spec,) = (it for it in (*pod.get("initContainers", ()), *pod["containers"]) if it["name"] == name)
    maps = {it["metadata"]["name"]: it["data"] for it in objects if it["kind"] == "ConfigMap"}
    sources = {it["name"]: it for it in pod["volumes"]}
    mounts, volumes = {}, []
    for mount in spec["volumeMounts"]:
        source = sources.get(mount["name"], {})
        if "configMap" in source:
            mounts[mount["mountPath"]] = maps[source["configMap"]["name"]]
        else:
            volumes.append(mount["mountPath"])
    return Container(
        arguments=tuple(spec.get("args", ())),
        variables={variable["name"]: _value(variable, maps) for variable in spec["env"]},
        mounts=mounts,
        volumes=tuple(volumes),
    )


def _value(variable: dict[str, Any], maps: Mapping[str, dict[str, str]]) -> str:
    if "value" in variable:
        return str(variable["value"])
    reference = variable["valueFrom"]["configMapKeyRef"]
    return maps[reference["name"]][reference["key"]]


def composed() -> dict[str, Any]:
    """The compose file as Docker Compose understands it: merged, interpolated, every short form written out."""
    command = [tool("docker-compose"), "-f", str(DEPLOY / "compose.yaml"), "config", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return dict(json.loads(done.stdout))


def composed_container(service: str, image: Path, mounts: dict[str, dict[str, str]]) -> Container:
    """A service of the compose file, on top of what its image sets; `mounts` are files of the image."""
    spec = composed()["services"][service]
    return Container(
        arguments=tuple(spec["command"]),
        variables=image_variables(image) | spec["environment"],
        mounts=mounts,
        volumes=tuple(volume["target"] for volume in spec.get("volumes", ())),
    )


def gateway_process(program: Path, container: Container, folder: Path, **variables: str) -> Gateway:
    """The gateway or agent of a file, not started yet; `variables` are the addresses of others."""
    kind = "AGENT" if any("agent.yaml" in word for word in container.arguments) else "GATEWAY"
    own = {f"OTEL_MODELDATA_{kind}_METRICS_PORT": str(free_port())}
    own |= {f"OTEL_MODELDATA_{kind}_{name}": f"127.0.0.1:{free_port()}" for name in ("LISTEN", "LISTEN_HTTP")}
    arguments, given = container.here(folder)
    environment = own | given | variables
    return Gateway(
        command=[str(program), *arguments],
        variables=environment,
        grpc=environment[f"OTEL_MODELDATA_{kind}_LISTEN"],
        http=environment[f"OTEL_MODELDATA_{kind}_LISTEN_HTTP"],
        health=environment[f"OTEL_MODELDATA_{kind}_HEALTH"],
        log=folder / "gateway.log",
    )


def problems_of(file: Path) -> list[str]:
    """What `otel-modeldata check` says would stop a process."""
    (checked,) = check_files([file])
    return [finding.sentence for finding in checked.findings if finding.severity == "problem"]
