"""The search for the event in the store, and the clock of the store."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from doctor_hops import http_server

from otel_modeldata_receiver.commands.doctor import store as doctor_store

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.slow

MOMENT = datetime(2026, 11, 22, 12, 34, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("date", ["2026/11/22/12", "2026/11/22/12/34", "2026/11/22", "2026/11", "2026"])
def test_the_event_is_found_at_every_rolling_rate(tmp_path: Path, date: str) -> None:
    blob = tmp_path / "e/d/doctor" / date / "1.jsonl"
    blob.parent.mkdir(parents=True)
    blob.write_text('{"correlationid":"other"}\n{"correlationid":"canary"}\n{"correlationid":"torn')
    found = doctor_store.find(str(tmp_path), "e/d/doctor", "canary", [MOMENT], 0.0)
    assert found == doctor_store.CanaryLine(blob=f"e/d/doctor/{date}/1.jsonl", line={"correlationid": "canary"})
    assert doctor_store.find(str(tmp_path), "e/d/doctor", "torn", [MOMENT], 0.0) is None


def test_folders_of_other_times_are_not_read(tmp_path: Path) -> None:
    blob = tmp_path / "e/d/doctor/2026/11/22/11/1.jsonl"
    blob.parent.mkdir(parents=True)
    blob.write_text('{"correlationid":"canary"}\n')
    assert doctor_store.find(str(tmp_path), "e/d/doctor", "canary", [MOMENT], 0.0) is None


def test_a_blob_that_grows_during_the_search_is_read_further(tmp_path: Path) -> None:
    blob = tmp_path / "e/d/doctor/2026/11/22/12/1.jsonl"
    blob.parent.mkdir(parents=True)
    blob.write_text('{"correlationid":"other"}\n{"correl')

    def grow() -> None:
        with blob.open("a") as file:
            file.write('ationid":"canary"}\n')

    timer = threading.Timer(0.3, grow)
    timer.start()
    found = doctor_store.find(str(tmp_path), "e/d/doctor", "canary", [MOMENT], 30.0)
    timer.join()
    assert found is not None


# --- the clock ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "status"), [(5, 200), (-5, 403)])
def test_the_clock_skew_is_measured_against_the_store(
    monkeypatch: pytest.MonkeyPatch, minutes: int, status: int
) -> None:
    with http_server(datetime.now(UTC) - timedelta(minutes=minutes), status) as host:
        connection = f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://{host}/a;"
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
        found = doctor_store.skew("az://container/prefix")
    assert found is not None
    assert abs(found.seconds - 60 * minutes) <= found.uncertainty + 1


def test_the_clock_of_a_service_that_is_down_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with http_server(status=503) as host:
        connection = f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://{host}/a;"
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
        with pytest.raises(OSError, match="503"):
            doctor_store.skew("az://container/prefix")
