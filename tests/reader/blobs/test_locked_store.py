"""One command at a time changes what a store has; the lock ends with the process that has it."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from otel_modeldata_reader import StoreBusyError
from otel_modeldata_reader.blobs.store_access import StoreAccess

if TYPE_CHECKING:
    from pathlib import Path

    from azurite import Azurite

_HOLDER = """
import sys
from otel_modeldata_reader.blobs.store_access import StoreAccess
with StoreAccess(sys.argv[1]).locked("compact"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_command_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    store = StoreAccess(str(tmp_path))
    with store.locked("erase") as check:
        check()
        with pytest.raises(StoreBusyError, match=r"got 'erase' of process \d+ on .+: try again"):
            StoreAccess(str(tmp_path)).locked("compact").__enter__()
    with store.locked("compact"):
        pass


def test_a_full_disk_has_a_lock_for_the_commands_that_make_room(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # no file can be written
    try:
        with StoreAccess(str(tmp_path)).locked("expire") as check:
            check()
            with pytest.raises(StoreBusyError, match="got another command: try again"):
                StoreAccess(str(tmp_path)).locked("compact").__enter__()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(StoreBusyError, match="'compact' of process"):
            StoreAccess(str(tmp_path)).locked("erase").__enter__()
        process.kill()
    with StoreAccess(str(tmp_path)).locked("erase") as check:
        check()


def test_a_lock_whose_file_is_gone_is_lost(tmp_path: Path) -> None:
    with StoreAccess(str(tmp_path)).locked("erase") as check:
        (tmp_path / "_maintenance" / "lock").unlink()
        with pytest.raises(StoreBusyError, match="expected the lock"):
            check()


def test_a_container_has_one_holder_and_is_free_again(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    monkeypatch.setattr("otel_modeldata_reader.blobs.opened_store._RETRY_SECONDS", 0.0)
    url = f"az://{azurite.new_container()}/prefix"
    with StoreAccess(url).locked("erase") as check:
        check()
        with pytest.raises(StoreBusyError, match=r"got 'erase' of process \d+ on .+ 60 seconds after it has died"):
            StoreAccess(url).locked("compact").__enter__()
    with StoreAccess(url).locked("compact") as check:
        check()


def test_a_lease_that_was_broken_is_lost(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    monkeypatch.setattr("otel_modeldata_reader.blobs.opened_store._RETRY_SECONDS", 0.0)
    monkeypatch.setattr("otel_modeldata_receiver.storage.locking.azure_lease._SAFE_SECONDS", -1.0)
    container = azurite.new_container()
    with StoreAccess(f"az://{container}").locked("erase") as check:
        with azurite.open(container) as client:
            lease = client.get_blob_client("_maintenance/lock")
            from azure.storage.blob import BlobLeaseClient

            BlobLeaseClient(lease).break_lease(lease_break_period=0)
        with pytest.raises(StoreBusyError, match="expected the lease of _maintenance/lock"):
            check()
