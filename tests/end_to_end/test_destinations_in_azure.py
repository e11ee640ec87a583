"""Destinations in an emulated Azure account, from a receiver as users start it: S28 to S36 over the wire.

Identities need TLS: a second emulator serves it, and accepts every token with Azure's claims.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import grpc
import pytest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas
from azurite import ACCOUNT, running_azurite
from certificate_files import make_certificates
from live_receiver import EXPORT, INSTANCE
from managed_identity import managed_identity
from otlp_requests import NOON, record, request

from otel_modeldata_reader.auditing.audit import BLOB_SUFFIX

if TYPE_CHECKING:
    from pathlib import Path

    from azurite import Azurite
    from receiver_process import ReceiverProcess, StartReceiver

DEPLOYMENT = """\
name: blue
endpoint_name: credit
data_collector:
  collections:
    model_inputs:
      data: {name: inputs, path: 'azureml://datastores/lake/paths/my/inputs', version: 1}
    model_outputs: {}
"""
LINES = f"2026/11/22/12/{INSTANCE}000000{BLOB_SUFFIX}"


def send(receiver: ReceiverProcess, *collections: str) -> None:
    for collection in collections:
        one = record(event_id=collection, collection=collection, time_ns=NOON)
        with grpc.insecure_channel(receiver.endpoint) as channel:
            assert channel.unary_unary(EXPORT)(request(one), timeout=60) == b""


def signature(azurite: Azurite, container: str, permission: ContainerSasPermissions) -> str:
    return str(
        generate_container_sas(
            ACCOUNT, container, azurite.key, permission=permission, expiry=datetime.now(UTC) + timedelta(hours=1)
        )
    )


@pytest.fixture
def configured(tmp_path: Path) -> tuple[str, ...]:
    """Flags: a deployment file, and a configuration that each test writes."""
    (tmp_path / "blue.yml").write_text(DEPLOYMENT)
    return ("--deployment", str(tmp_path), "--config", str(tmp_path / "receiver.conf"), "--instance-id", INSTANCE)


def test_each_collection_is_stored_in_its_container_with_its_own_signature(
    tmp_path: Path, azurite: Azurite, start_receiver: StartReceiver, configured: tuple[str, ...]
) -> None:
    """S30, S36: the store by account key of the environment, the datastore by a signature in a file."""
    store, lake = azurite.new_container(), azurite.new_container()
    permission = ContainerSasPermissions(read=True, list=True, write=True, create=True, add=True)
    (tmp_path / "lake.sas").write_text(signature(azurite, lake, permission))
    (tmp_path / "receiver.conf").write_text(
        f"datastores: {{lake: {{url: 'az://{lake}', sas_file: '{tmp_path}/lake.sas'}}}}\n"
    )
    receiver = start_receiver(
        f"az://{store}/modelDataCollector",
        *configured,
        AZURE_STORAGE_ACCOUNT_URL=f"http://{azurite.host}/{ACCOUNT}",
        AZURE_STORAGE_KEY=azurite.key,
    )
    send(receiver, "model_inputs", "model_outputs")
    assert receiver.stop() == 0
    assert list(azurite.blobs(lake)) == [f"my/inputs/{LINES}"]
    assert list(azurite.blobs(store)) == [f"modelDataCollector/credit/blue/model_outputs/{LINES}"]
    with azurite.open(lake) as client:
        asset = client.download_blob("my/inputs/inputs-v1.data.yml").readall().decode()
        assert client.get_blob_client("my/inputs/MLTable").exists()
    assert "path: azureml://datastores/lake/paths/my/inputs\n" in asset
    assert azurite.key not in receiver.log.read_text()
    assert "sig=" not in receiver.log.read_text()


def test_a_signature_without_write_permission_is_logged_with_the_role_and_the_lines_are_parked(
    tmp_path: Path, azurite: Azurite, start_receiver: StartReceiver, configured: tuple[str, ...]
) -> None:
    """S33."""
    store, lake = azurite.new_container(), azurite.new_container()
    (tmp_path / "lake.sas").write_text(signature(azurite, lake, ContainerSasPermissions(read=True, list=True)))
    (tmp_path / "receiver.conf").write_text(
        f"datastores: {{lake: {{url: 'az://{lake}', sas_file: '{tmp_path}/lake.sas'}}}}\n"
    )
    receiver = start_receiver(
        f"az://{store}",
        *configured,
        AZURE_STORAGE_ACCOUNT_URL=f"http://{azurite.host}/{ACCOUNT}",
        AZURE_STORAGE_KEY=azurite.key,
    )
    send(receiver, "model_inputs", "model_outputs")
    receiver.stop()
    log = receiver.log.read_text()
    (line,) = [line for line in log.splitlines() if "lines for a datastore are parked until it can be written" in line]
    assert f"datastore 'lake': expected to create a blob in container '{lake}' " in line
    assert "got 403 " in line
    assert "give this identity the role 'Storage Blob Data Contributor' (to read only, " in line
    assert "sig=" not in log
    assert list(azurite.blobs(store)) == [
        f"_parked/_at/lake/my/inputs/{LINES}",
        f"credit/blue/model_outputs/{LINES}",
    ]


def test_managed_identities_open_the_store_and_each_datastore(
    tmp_path: Path, start_receiver: StartReceiver, configured: tuple[str, ...]
) -> None:
    """S31, S32: the system-assigned identity for the store, a user-assigned one for the datastore."""
    make_certificates(tmp_path)
    certificate = ("--cert", str(tmp_path / "server.crt"), "--key", str(tmp_path / "server.key"))
    with running_azurite(tmp_path, "--oauth", "basic", *certificate) as azurite, managed_identity() as identity:
        (tmp_path / "receiver.conf").write_text(
            "create_container: true\n"
            "datastores: {lake: {url: 'az://store/lake', identity: {client_id: of-the-endpoint}}}\n"
        )
        receiver = start_receiver(
            "az://store",
            *configured,
            AZURE_STORAGE_ACCOUNT_URL=f"https://{azurite.host}/{ACCOUNT}",
            SSL_CERT_FILE=str(tmp_path / "ca.crt"),
            **identity.variables,
        )
        send(receiver, "model_inputs", "model_outputs")
        assert receiver.stop() == 0
        stored = asyncio.run(_names(tmp_path, azurite))
    assert [name for name in stored if name.endswith(BLOB_SUFFIX)] == [
        f"credit/blue/model_outputs/{LINES}",
        f"lake/my/inputs/{LINES}",
    ]
    assert {query.get("clientid") for query in identity.asked} == {None, "of-the-endpoint"}
    assert identity.token not in receiver.log.read_text()


async def _names(folder: Path, azurite: Azurite) -> list[str]:
    """The names in the container, read with the account key over TLS."""
    import ssl

    import aiohttp
    from azure.core.pipeline.transport import AioHttpTransport
    from azure.storage.blob.aio import BlobServiceClient

    from otel_modeldata_receiver.storage.azure_account import EMULATOR_API_VERSION

    context = ssl.create_default_context(cafile=folder / "ca.crt")
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))
    async with (
        session,
        BlobServiceClient.from_connection_string(
            azurite.connection_string.replace("http", "https"),
            api_version=EMULATOR_API_VERSION,
            transport=AioHttpTransport(session=session, session_owner=False),
        ) as service,
    ):
        return sorted([name async for name in service.get_container_client("store").list_blob_names()])
