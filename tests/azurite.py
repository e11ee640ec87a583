"""A real Azurite (the Azure Storage emulator) for the whole test run, in memory, on a free loopback port.

Ask for the fixture `azurite`; take a fresh container for each test. Never kill it in a test of durability: it answers
before its own data is safe. Faults belong into `fault_proxy.py`, in front of it.
"""

from __future__ import annotations

import base64
import os
import secrets
import socket
import subprocess
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient

from gateway import free_port
from npm_packages import NO_NODE, installed
from otel_modeldata_receiver.azure_account import EMULATOR_API_VERSION
from prerequisites import need

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).parent / "node" / "azurite"
ACCOUNT = "modeldata"
START_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Azurite:
    """A running emulator.

    Attributes:
        host: `127.0.0.1:port`.
        key: the account's key, made for this run: tests look for it in logs.
    """

    host: str
    key: str = field(repr=False)

    @property
    def connection_string(self) -> str:
        return self.connection_string_through(self.host)

    def connection_string_through(self, host: str) -> str:
        """The same account behind a proxy that listens on `host`."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={self.key};"
            f"BlobEndpoint=http://{host}/{ACCOUNT};"
        )

    def new_container(self) -> str:
        """The name of a container that was just created."""
        name = f"c{uuid.uuid4().hex}"
        with self.open(name) as container:
            container.create_container()
        return name

    def open(self, container: str) -> ContainerClient:
        """A synchronous client, to look at what was stored."""
        service = BlobServiceClient.from_connection_string(self.connection_string, api_version=EMULATOR_API_VERSION)
        return service.get_container_client(container)

    def blobs(self, container: str, prefix: str = "") -> dict[str, bytes]:
        """Every `.jsonl` blob below `prefix`, in the order of their names, with its content."""
        with self.open(container) as client:
            names = sorted(name for name in client.list_blob_names(name_starts_with=prefix) if name.endswith(".jsonl"))
            return {name: client.download_blob(name).readall() for name in names}


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """The emulator, started for the first test that asks for it."""
    with running_azurite(tmp_path_factory.mktemp("azurite")) as emulator:
        yield emulator


@contextmanager
def running_azurite(folder: Path, *flags: str) -> Iterator[Azurite]:
    """An emulator with more `flags` that writes its log into `folder`."""
    node = need("node", NO_NODE)
    program = installed(PACKAGE) / "node_modules/azurite/dist/src/blob/main.js"
    emulator = Azurite(host=f"127.0.0.1:{free_port()}", key=base64.b64encode(secrets.token_bytes(64)).decode())
    address, _, port = emulator.host.partition(":")
    command = [node, str(program), "--silent", "--inMemoryPersistence", "--disableTelemetry", *flags]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--blobHost", address, "--blobPort", port],
            cwd=folder,
            env=os.environ | {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{emulator.key}"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_it_answers(process, address, int(port), folder / "log")
        yield emulator
    finally:
        process.kill()
        process.wait()


def _wait_until_it_answers(process: subprocess.Popen[bytes], address: str, port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"Azurite did not start:\n{log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.05)
        else:
            return
